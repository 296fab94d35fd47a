"""The calls of pip and uv that a check of releases looks at, and where it reports what they ask for."""

from collections.abc import Iterator

from mllint.checks.base_image.pinning import defaults
from mllint.engine import Requirements, Use
from mllint.findings import Location, Related
from mllint.image.installing import indexed
from mllint.image.installing.indexed import Asked
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.text import Source

# In the name of a file or of its folder: what is not there for the service that runs.
_WORKSHOP = regex(
    r"(?:^|[-_./])(?:dev|develop|developers?|development|tests?|testing|docs?|lint|linting|typing|ci)[-_./]"
    r"|requirements[-_]build|build[-_]requirements"
)
# What stands for a whole image.
_VARIABLE = regex(r"\$\w+|\$\{\w+\}")


def is_link(stage: Stage) -> bool:
    """Whether a stage stands on an image that an argument puts together from others, as those of a chain do, all of
    which are built anew together."""
    written = stage.root.from_word.text
    if _VARIABLE.fullmatch(written) is None:
        return False
    return any("$" in each.location.source.slice(each.location.span) for each in defaults(stage.root, written))


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


def of_image(requirements: Requirements) -> list[Use]:
    """The installs that decide what the image holds."""
    is_aside = is_workshop(requirements)
    return [
        use
        for use in requirements.uses
        if use.stage in use.stage.build.needed and (use.install.is_certain or not is_aside)
    ]


def is_workshop(requirements: Requirements, is_by_name: bool = False) -> bool:
    """Whether the name of a file says that those who work on the service need it, and not the service; or that of its
    folder, unless the name alone is to count."""
    folder_and_name = requirements.file.source.path.lower().split("/")[-1 if is_by_name else -2 :]
    return _WORKSHOP.search("/".join(folder_and_name)) is not None


def is_of_library(requirements: Requirements) -> bool:
    """Whether a project that others install takes what it requires from a file: a pin there would bind them all."""
    name = requirements.file.source.path.rpartition("/")[2]
    for use in requirements.uses:
        context = use.stage.build.context
        texts = (context.text(each) for each in ("setup.py", "setup.cfg", "pyproject.toml"))
        if any(text is not None and name in text.text for text in texts):
            return True
    return False


def asked_in(subject: Stage | Requirements, use: Use) -> Iterator[Asked]:
    """What a call asks for in a requirements file, or outside of them: each is reported once, at its place."""
    files = [file.source for file in (*use.read.files.values(), *use.read.constraints.values())]
    for each in indexed.asked(use.stage, use.install):
        if isinstance(subject, Requirements):
            if each.source is subject.file.source:
                yield each
        elif not any(each.source is source for source in files):
            yield each


def obtained(subject: Stage | Requirements) -> Iterator[tuple[Use, Asked]]:
    """What calls take by name from the public package index, and by lock files from whatever index these name."""
    for use in uses_of(subject):
        if indexed.is_public(use.stage, use.install):
            yield from ((use, each) for each in asked_in(subject, use))
    if isinstance(subject, Stage) and subject in subject.build.needed:
        for call in (call for step in subject.steps for call in step.installs if call.executed.is_sure):
            taken = indexed.locked(subject, call)
            yield from ((Use(subject, call, subject.closure(call)), each) for each in taken)


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
    if each.locked is not None:
        return call, Related(Location(each.source, each.span), "locked here")
    if each.source.path.endswith("pyproject.toml"):
        return call, Related(Location(each.source, each.span), "asked for here")
    return Location(each.source, each.span), Related(call, "installed here")
