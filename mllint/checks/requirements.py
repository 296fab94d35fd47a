"""ML6: what is installed, and whether the next build installs the same."""

from collections.abc import Iterator, Sequence

from mllint import facts
from mllint.checks import check
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.installing import indexed, offered
from mllint.image.installing.fitting import Misfit, lacks_compiler, misfit, place
from mllint.image.installing.indexed import Asked
from mllint.image.installing.managed import refused
from mllint.image.installing.pins import Settled, is_for_linux, settled, settled_alone
from mllint.image.packages import Install
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.requirements import Requirement

# In the name of a file or of its folder: what is not there for the service that runs.
_WORKSHOP = regex(r"(?:^|[-_./])(?:dev|develop|development|tests?|testing|docs?|lint|linting|typing|ci)[-_./]")
# The newest of these is what people want, and the image does not run them.
_BUILD_TOOLS = frozenset({"pip", "setuptools", "wheel"})


@check("ML601")
def unpinned_requirement(requirements: Requirements) -> Iterator[Finding]:
    """A line of a requirements file that takes whatever release is the newest."""
    file, uses = requirements.file, _of_image(requirements)
    if requirements.is_constraints or (requirements.uses and not uses):
        return
    if not uses and file.source.path.endswith(".in"):
        return
    places = [settled(use.stage, use.install, use.read) for use in uses] or [settled_alone(file)]
    is_aside = not uses and _is_workshop(requirements)
    for line in file.lines:
        if isinstance(line, Requirement) and any(_floats(line, place) for place in places):
            assert line.name_span is not None
            where = Location(file.source, line.specifier_span or line.name_span)
            repair = f"pin the tested release: {_with_extras(line)}==<version>"
            yield Finding(where, _floating_message(line), repair, is_strict=line.has_upper_bound or is_aside)


def _of_image(requirements: Requirements) -> list[Use]:
    """The installs that decide what the image holds."""
    is_workshop = _is_workshop(requirements)
    return [
        use
        for use in requirements.uses
        if use.stage in use.stage.build.needed and (use.install.is_certain or not is_workshop)
    ]


def _is_workshop(requirements: Requirements) -> bool:
    folder_and_name = requirements.file.source.path.lower().split("/")[-2:]
    return _WORKSHOP.search("/".join(folder_and_name)) is not None


def _floats(line: Requirement, place: Settled) -> bool:
    if line.key is None or line.url is not None or line.pinned or line.key in place:
        return False
    return line.marker is None or is_for_linux(line.marker)


def _floating_message(line: Requirement) -> str:
    named = f"{line.name}{line.specifier}"
    if line.has_upper_bound:
        return f"{named} admits more than one release: the next build may install another one"
    if line.specifier:
        return f"{named} admits every later release: the next build may install another one"
    return f"{named} has no version: the next build may install another release"


def _with_extras(line: Requirement) -> str:
    return f"{line.name}[{','.join(line.extras)}]" if line.extras else f"{line.name}"


@check("ML602")
def unpinned_pip_install(stage: Stage) -> Iterator[Finding]:
    """A RUN that installs whatever release is the newest."""
    if stage not in stage.build.needed:
        return
    for step in stage.steps:
        for install in step.installs:
            if install.manager.name in ("pip", "uv pip"):
                yield from _unpinned_words(stage, install)


def _unpinned_words(stage: Stage, install: Install) -> Iterator[Finding]:
    place = settled(stage, install, stage.closure(install))
    asked = [each for each in install.requirements if isinstance(each, Requirement)]
    floating = [each for each in asked if _floats(each, place) and each.key not in _BUILD_TOOLS]
    frameworks = {row["name"] for row in facts.rows("ml_frameworks")}
    wants_newest = install.has("--pre", "--prerelease")
    serious = [each for each in floating if each.key in frameworks and not each.has_upper_bound and not wants_newest]
    others = [each for each in floating if each not in serious]
    if serious:
        yield _unpinned_call(stage, serious)
    if others:
        yield _unpinned_call(stage, others, is_strict=True)


def _unpinned_call(stage: Stage, floating: Sequence[Requirement], is_strict: bool = False) -> Finding:
    first = floating[0]
    if len(floating) == 1:
        message = _floating_message(first)
    else:
        names = [f"{each.name}{each.specifier}" for each in floating]
        shown = names if len(names) < 5 else [*names[:3], f"{len(names) - 3} more"]
        message = f"{', '.join(shown[:-1])} and {shown[-1]} are not pinned: the next build may install other releases"
    repair = f'pin the tested release: "{_with_extras(first)}==<version>"'
    severity = Severity.INFO if is_strict else None
    return Finding(Location(stage.build.source, first.span), message, repair, severity=severity, is_strict=is_strict)


@check("ML603")
def pin_no_such_release(subject: Stage | Requirements) -> Iterator[Finding]:
    """A pin on a release that the package index does not have."""
    uses = _uses(subject)
    for use in uses:
        for each in _asked_in(subject, use):
            if (
                each.version
                and offered.is_missing(each.name, each.version)
                and indexed.is_public(use.stage, use.install)
            ):
                yield _missing_release(each, *_where(use, each), tool=indexed.tool(use.install))
    if isinstance(subject, Requirements) and not subject.uses and indexed.is_public_alone(subject.file):
        for line in subject.file.lines:
            if isinstance(line, Requirement) and line.key and line.url is None and line.marker is None:
                pin = Asked(line.key, line.exact_version, line.specifier, subject.file.source, line.span)
                if pin.version and offered.is_missing(pin.name, pin.version):
                    yield _missing_release(pin, Location(pin.source, line.specifier_span or line.span))


def _uses(subject: Stage | Requirements) -> list[Use]:
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


def _asked_in(subject: Stage | Requirements, use: Use) -> Iterator[Asked]:
    """What a call asks for in a requirements file, or outside of them: each is reported once, at its place."""
    files = [file.source for file in (*use.read.files.values(), *use.read.constraints.values())]
    for each in indexed.asked(use.stage, use.install):
        if isinstance(subject, Requirements):
            if each.source is subject.file.source:
                yield each
        elif not any(each.source is source for source in files):
            yield each


def _where(use: Use, each: Asked) -> tuple[Location, Related | None]:
    """Where to report a requirement: in the Dockerfile those of a project, which several images may install."""
    call = Location(use.stage.build.source, use.install.span)
    if each.source is use.stage.build.source:
        return Location(each.source, each.span), None
    if each.source.path.endswith("pyproject.toml"):
        return call, Related(Location(each.source, each.span), "asked for here")
    return Location(each.source, each.span), Related(call, "installed here")


def _missing_release(each: Asked, where: Location, other: Related | None = None, tool: str = "pip") -> Finding:
    assert each.version is not None
    near = offered.nearest(each.name, each.version)
    hint = f" ({near[0]} is)" if near[0].startswith(each.version) else ""
    message = (
        f"{each.name} {each.version} is not on the package index{hint}: {tool} finds no matching distribution and the"
        " build fails"
    )
    repair = f"pin {' or '.join(f'{each.name}=={version}' for version in near)}"
    return Finding(where, message, repair, (other,) if other else ())


@check("ML604")
def no_wheel_for_python(subject: Stage | Requirements) -> Iterator[Finding]:
    """A release without a wheel for the interpreter that it is installed for."""
    for use in _uses(subject):
        where = place(use.stage, use.install)
        if where is None or not indexed.is_public(use.stage, use.install):
            continue
        for each in _asked_in(subject, use):
            found = misfit(each, where)
            if found is not None:
                yield _without_wheel(use, each, found)


def _without_wheel(use: Use, each: Asked, found: Misfit) -> Finding:
    location, other = _where(use, each)
    tool, base = indexed.tool(use.install), use.stage.root.base.text
    severity = None if found.fails and found.is_certain else Severity.WARNING
    if found.fails:
        effect = f"{tool} finds no matching distribution and the build fails"
    elif lacks_compiler(use.stage, use.install):
        effect = f"{tool} builds it from source, and there is no compiler in {base}"
    else:
        effect = f"{tool} builds it from source"
    message = f"{found.release} {found.reason}: {effect}"
    return Finding(location, message, found.repair, (other,) if other else (), severity=severity)


@check("ML605")
def externally_managed_python(stage: Stage) -> Iterator[Finding]:
    """An install into a Python that belongs to the packages of the operating system."""
    for use in _uses(stage):
        if refused(stage, use.install) is not None:
            tool, base = indexed.tool(use.install), stage.root.base.text
            message = (
                f"{tool} refuses to install into the Python of {base} (externally-managed-environment): the build fails"
            )
            repair = (
                "make a virtual environment, RUN python3 -m venv /opt/venv and ENV PATH=/opt/venv/bin:$PATH, or add"
                " --break-system-packages"
            )
            yield Finding(Location(stage.build.source, use.install.span), message, repair)
