"""Where an image will run, as the configuration, a manifest of the repository or the Dockerfile itself says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.findings import Location
from mllint.sources import manifests
from mllint.walking import git_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from mllint.image.build import Build
    from mllint.sources.manifests import Deployment, Space
    from mllint.sources.text import Source

_README = "README.md"
_MANIFESTS = {
    "template.yaml": manifests.functions,
    "template.yml": manifests.functions,
    "cloudbuild.yaml": manifests.cloud_build,
    "cloudbuild.yml": manifests.cloud_build,
}
_CONFIGS = ("openshift", ".openshift")
_LAMBDA_BASES = ("public.ecr.aws/lambda/", "amazon/aws-lambda-")
_BINDS_TO_PORT = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"


class Platform(NamedTuple):
    """A platform of the configuration's option of that name."""

    name: str
    place: Location | None = None
    """What tells it; None for the configuration."""
    told_port: str = ""
    """Where the manifest says that requests go."""
    command: tuple[str, ...] | None = None
    """What the manifest puts in the place of CMD."""

    @property
    def row(self) -> Mapping[str, str]:
        """What the table `platforms` says of it."""
        return facts.by("platforms", "platform")[self.name][0]

    @property
    def sets_user(self) -> bool:
        """Whether USER does not decide there who the process is, or the image has to start as root."""
        return "user" in self.row

    @property
    def title(self) -> str:
        """Its name as its makers write it."""
        return self.row["title"]

    @property
    def port(self) -> str:
        """Where it sends requests; empty where it does so nowhere in particular."""
        return self.told_port or self.row.get("port", "")

    @property
    def is_port_sure(self) -> bool:
        """Whether no deployment that nobody sees here can name another port."""
        return bool(self.told_port) or "adjustable" not in self.row

    @property
    def has_own_probes(self) -> bool:
        """Whether HEALTHCHECK is not read there."""
        return self.row.get("probes") == "own"


def platform(build: Build) -> Platform | None:
    """The platform of an image; None where nobody tells one."""
    given = build.settings.platform
    found = next(_found(build), None) if given in (None, "hf-spaces", "lambda", "cloud-run") else None
    if given is not None and (found is None or found.name != given):
        return Platform(given)
    return found


def space(build: Build) -> tuple[Source, Space] | None:
    """The README.md beside a Dockerfile that makes a Space of it."""
    path = _path(build)
    is_there = path.name == "Dockerfile" and _there(build, path.parent, (_README,))
    source = build.context.inputs.text(path.with_name(_README)) if is_there else None
    found = manifests.space(source) if source is not None else None
    return (source, found) if source is not None and found is not None else None


def _found(build: Build) -> Iterator[Platform]:
    readme = space(build)
    if readme is not None:
        source, found = readme
        place = Location(source, found.port_span or found.sdk)
        yield Platform("hf-spaces", place, found.port or facts.by("platforms", "platform")["hf-spaces"][0]["port"])
    for source, each in _deployments(build):
        yield Platform(each.platform, Location(source, each.span), each.port, each.command)
    yield from _own(build)


def _own(build: Build) -> Iterator[Platform]:
    """What the Dockerfile itself is for."""
    final = build.final
    if final is None:
        return
    if final.root.base.text.startswith(_LAMBDA_BASES):
        yield Platform("lambda", Location(build.source, final.root.instruction.span))
    label = final.end.labels.get(_BINDS_TO_PORT)
    if label is not None and label.value == "true" and label.instruction is not None:
        yield Platform("sagemaker", Location(build.source, label.instruction.span))


def _deployments(build: Build) -> Iterator[tuple[Source, Deployment]]:
    """What the manifests in the folders from the Dockerfile's up to the root of the repository make of it."""
    path = _path(build)
    top = git_root(path.parent) or build.context.root
    if not path.is_relative_to(top):
        return
    folders = [path.parent, *path.parent.parents]
    parts = path.parts
    for folder in folders[: folders.index(top) + 1]:
        own = "/".join(parts[len(folder.parts) :])
        for name in _there(build, folder, _MANIFESTS):
            yield from _of(build, folder / name, _MANIFESTS[name], own)
    for name in _there(build, top, _CONFIGS):
        for config in sorted((top / name).glob("*.y*ml")):
            yield from _of(build, config, manifests.build_config, own)


def _of(
    build: Build, path: Path, read: Callable[[Source], tuple[Deployment, ...]], own: str
) -> Iterator[tuple[Source, Deployment]]:
    source = build.context.inputs.text(path)
    if source is not None:
        yield from ((source, each) for each in build.context.inputs.parsed(source, read) if each.dockerfile == own)


def _there(build: Build, folder: Path, names: Iterable[str]) -> list[str]:
    """Which of some names a folder may have: within the context, where folders are looked at anyway, those it has."""
    depth = len(build.context.root.parts)
    if folder.parts[:depth] != build.context.root.parts:
        return list(names)
    inside = "/".join(folder.parts[depth:])
    return [name for name in names if build.context.find(f"{inside}/{name}" if inside else name) is not None]


def _path(build: Build) -> Path:
    return build.context.inputs.cwd / build.source.path
