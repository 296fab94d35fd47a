"""The calls of pip and uv that a check of releases looks at, and where it reports what they ask for."""

from collections.abc import Iterator

from mllint.engine import Requirements, Use
from mllint.findings import Location, Related
from mllint.image.installing import indexed
from mllint.image.installing.indexed import Asked
from mllint.image.stage import Stage
from mllint.sources.text import Source


def uses_of(subject: Stage | Requirements) -> list[Use]:
    """The calls of pip and uv that the image needs and that surely run, and must not fail."""
    if isinstance(subject, Requirements):
        found = [] if subject.is_constraints else list(subject.uses)
    else:
        found = [Use(subject, call, subject.closure(call)) for step in subject.steps for call in step.installs]
    return [
        use
        for use in found
        if use.install.manager.name in ("pip", "uv pip")
        and use.install.executed.is_sure
        and use.stage in use.stage.build.needed
    ]


def asked_in(subject: Stage | Requirements, use: Use) -> Iterator[Asked]:
    """What a call asks for in a requirements file, or outside of them: each is reported once, at its place."""
    files = [file.source for file in (*use.read.files.values(), *use.read.constraints.values())]
    for each in indexed.asked(use.stage, use.install):
        if isinstance(subject, Requirements):
            if each.source is subject.file.source:
                yield each
        elif not any(each.source is source for source in files):
            yield each


def is_own(subject: Stage | Requirements, use: Use, source: Source) -> bool:
    """Whether a subject is the one to report what a call asks for in a source: a requirements file what stands in it, a
    stage all else."""
    if isinstance(subject, Requirements):
        return source is subject.file.source
    return all(source is not file.source for file in use.read.files.values())


def place_of(use: Use, each: Asked) -> tuple[Location, Related | None]:
    """Where to report a requirement: in the Dockerfile those of a project, which several images may install."""
    call = Location(use.stage.build.source, use.install.span)
    if each.source is use.stage.build.source:
        return Location(each.source, each.span), None
    if each.source.path.endswith("pyproject.toml"):
        return call, Related(Location(each.source, each.span), "asked for here")
    return Location(each.source, each.span), Related(call, "installed here")
