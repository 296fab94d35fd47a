"""ML713 and ML724: what torch asks of the machines that an image runs on."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.frameworks.cuda_bases import asked_at, where
from mllint.findings import Finding
from mllint.image.installing.builds import builds_of
from mllint.image.serving import torch_hosts
from mllint.image.serving.cuda import cuda_base
from mllint.image.serving.torch_hosts import Build, driver_for
from mllint.image.stage import Stage

_INDEX = "https://download.pytorch.org/whl"


@check("ML713")
def cuda_wheel_needs_newer_driver(stage: Stage) -> Iterator[Finding]:
    """torch for a CUDA that the drivers of the hosts are too old for."""
    build = torch_hosts.torch(stage) if stage.is_final else None
    if build is None or build.driver is None:
        return
    base, driver = cuda_base(stage), stage.build.settings.driver
    needs = f"torch {build.release} is built for CUDA {build.cuda}, which needs driver {build.driver} or newer"
    if driver is not None:
        # The images of CUDA bring what lets older drivers of data centres run programs of their own version.
        if int(driver.partition(".")[0]) >= int(build.driver) or (base is not None and base.major == build.major):
            return
        message = f"{needs}, and the hosts have {driver}: torch finds no GPU there"
        cuda = _newest_for(driver)
    elif base is not None and driver_for(base.major) and int(base.major) < int(build.major):
        enough = f"while {driver_for(base.major)} is enough for {stage.root.base.text}"
        message = f"{needs}, {enough}: on hosts with a driver between the two torch finds no GPU"
        cuda = base.major
    else:
        return
    repair = _repair(build, cuda)
    yield Finding(where(stage, build.event), message, repair, asked_at(stage, build.event), is_strict=driver is None)


def _newest_for(driver: str) -> str:
    """The newest major version of CUDA that a driver is enough for."""
    number = int(driver.partition(".")[0])
    return str(max((cuda for cuda in (11, 12, 13) if number >= int(driver_for(str(cuda)) or 0)), default=11))


def _repair(build: Build, cuda: str) -> str:
    older = build.older(cuda)
    other = "or set driver in the configuration to the one that the hosts have"
    if older is not None:
        return f"take the build of the same release for CUDA {cuda}: --index-url {_INDEX}/{older}, {other}"
    return f"pin a release of torch that has a build for CUDA {cuda}, {other}"


@check("ML724")
def cuda_wheel_drops_gpu_arch(stage: Stage) -> Iterator[Finding]:
    """torch in a build without kernels for a GPU that the configuration names."""
    gpus = stage.build.settings.gpus
    build = torch_hosts.torch(stage) if gpus and stage.is_final else None
    if build is None:
        return
    found = [(gpu, capability) for gpu in gpus if (capability := torch_hosts.lacks(build, gpu)) is not None]
    if not found:
        return
    names = " and ".join(f"{gpu} (compute capability {capability})" for gpu, capability in found)
    message = (
        f"torch {build.release} in its build for CUDA {build.cuda} has no kernels for {names}: the first computation"
        " there fails with no kernel image is available for execution on the device"
    )
    others = (build._replace(name=name) for name in _others(build))
    fitting = [each.name for each in others if all(torch_hosts.lacks(each, gpu) is None for gpu in gpus)]
    repair = "pin a release of torch whose build has them"
    if fitting:
        repair = f"take another build of the same release: --index-url {_INDEX}/{fitting[-1]}"
    yield Finding(where(stage, build.event), message, repair, asked_at(stage, build.event))


def _others(build: Build) -> list[str]:
    return sorted(builds_of(build.release) - {build.name})
