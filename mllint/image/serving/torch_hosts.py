"""What the build of torch in an image asks of the machines that it runs on: the driver, and the kind of GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.events import Distribution
from mllint.image.installing import builds, offered
from mllint.image.releases import version_of
from mllint.image.serving.cuda import call_of, torch_build
from mllint.image.serving.cuda_users import release_of

if TYPE_CHECKING:
    from mllint.image.stage import Stage


class Build(NamedTuple):
    """torch in an image, in a build for CUDA."""

    event: Distribution
    release: str
    name: str
    """As PyTorch's indexes have it: cu126."""

    @property
    def cuda(self) -> str:
        """The version of CUDA: 12.6."""
        return f"{self.name[2:-1]}.{self.name[-1]}"

    @property
    def major(self) -> str:
        return self.name[2:-1]

    @property
    def driver(self) -> str | None:
        """The major version of the oldest driver that is enough; None where that is not known."""
        return driver_for(self.major)

    def older(self, major: str) -> str | None:
        """The newest build of the same release for a major version of CUDA."""
        found = sorted(each for each in builds.builds_of(self.release) if each[2:-1] == major)
        return found[-1] if found else None


def driver_for(cuda: str) -> str | None:
    """The oldest driver that is enough for a major version of CUDA."""
    row = next(iter(facts.by("driver_needs", "cuda").get(cuda, ())), None)
    return row["driver"] if row is not None else None


def torch(stage: Stage) -> Build | None:
    """The build of torch that an image gets; None where it has none for CUDA, or which one is not known."""
    events = (each for each in reversed(stage.log.events) if isinstance(each, Distribution) and each.name == "torch")
    event = next(events, None)
    if event is None or event.is_removed or event.cause.step is None:
        return None
    name = torch_build(stage, event)
    if name == "public":
        release = release_of(event, call_of(stage, event))
        cuda = builds.cuda_of(release) if release is not None else None
        return Build(event, release, f"cu{cuda.replace('.', '')}") if release is not None and cuda is not None else None
    call = call_of(stage, event)
    # Beside the public index, one of PyTorch's may be passed by.
    if name is None or not name.startswith("cu") or call is None or builds.outrun(*call) is not None:
        return None
    if isinstance(event.version, str):
        return Build(event, event.version.partition("+")[0], name)
    there = [version for version in offered.releases("torch") if name in builds.builds_of(version)]
    return Build(event, there[-1], name) if there else None


def lacks(build: Build, gpu: str) -> str | None:
    """The compute capability of a GPU that a build has no kernels for; None where it has them, or that is not known."""
    row = next(iter(facts.by("gpus", "name").get(gpu.upper(), ())), None)
    minor = version_of(build.release)[:2]
    for each in facts.rows("torch_gpus") if row is not None else ():
        if build.name in each["builds"].split() and version_of(each["first"]) <= minor <= version_of(each["last"]):
            capability = version_of(row["capability"]) if row is not None else ()
            is_there = version_of(each["lowest"]) <= capability <= version_of(each["highest"])
            return None if row is None or is_there else str(row["capability"])
    return None
