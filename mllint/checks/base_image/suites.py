"""ML107: a base that moves to another distribution release or Python, in a file that is written for one of them."""

from collections.abc import Iterator, Sequence

from mllint import facts
from mllint.checks import check
from mllint.checks.base_image.pinning import defaults, is_first_use, pinned
from mllint.checks.base_image.retagging import retagged
from mllint.checks.os_packages.names import adds_sources, suite_of
from mllint.findings import Finding, Fix, Location
from mllint.image import end_of_life
from mllint.image.names import common_name, is_built_here
from mllint.image.published import exact_tag
from mllint.image.stage import Stage
from mllint.image.values import Unknown
from mllint.patterns import regex
from mllint.sources import reference as references
from mllint.sources.reference import Reference

# Packages that have the number of their release in the name, and are in one or two releases of Debian or Ubuntu each.
_NUMBERED = regex(
    r"(?:gcc|g\+\+|gfortran|clang|llvm|lld|openjdk|postgresql|postgresql-client|postgresql-server-dev)-\d+(?:-[a-z-]+)?"
    r"|(?:lib)?python3\.\d+(?:-[a-z]+)?|libicu\d+|libavcodec\d+|libssl[\d.]+|libllvm\d+"
)
_SUITES = {"debian": ("bullseye", "bookworm", "trixie"), "ubuntu": ("focal", "jammy", "noble")}
"""The releases that the table `apt_names` was read for."""
_NO_MINOR = regex(r"(?:3|latest|slim|3-slim|(?:3-)?(?:slim-)?(?:bullseye|bookworm|trixie))")


@check("ML107")
def floating_suite(stage: Stage) -> Iterator[Finding]:
    """A base whose distribution release or Python changes under packages that need the one of today."""
    reference = stage.base.reference
    if reference is None or reference.digest or is_built_here(reference) or not is_first_use(stage):
        return
    found = _python_of_pins(stage, reference) or _suite_of_names(stage, reference)
    if found is not None:
        written = stage.from_word
        name = f"{stage.base.text} (from {written.text})" if "$" in written.text else stage.base.text
        where = Location(stage.build.source, written.span)
        yield found._replace(
            location=where, message=f"{name} {found.message}", related=tuple(defaults(stage, written.text))
        )


def _suite_of_names(stage: Stage, reference: Reference) -> Finding | None:
    """An open release of the distribution under names of packages that not all releases have."""
    base = stage.base
    if not isinstance(base.suite, Unknown) or base.family not in ("debian", "ubuntu") or not base.is_plain:
        return None
    now = suite_of(stage)[0]
    names = [name for name in _apt_names(stage) if _is_of_some(name, now, _SUITES[base.family])]
    if not names:
        return None
    system = "Debian" if base.family == "debian" else "Ubuntu"
    message = f"is on whichever {system} is current, and apt-get installs {names[0]}, which not every release has"
    where = Location(stage.build.source, stage.from_word.span)
    exact = exact_tag(reference)
    repair = f"name the release, as in {reference.familiar}:{exact}" if exact else "name the release in the tag"
    return Finding(where, f"{message}: a rebuild can fail", repair, fix=pinned(stage, reference))


def _apt_names(root: Stage) -> Iterator[str]:
    stages = (stage for stage in root.on_top if not adds_sources(stage.steps))
    for call in (call for stage in stages for step in stage.steps for call in step.installs):
        if call.manager.name == "apt" and call.executed.is_sure:
            yield from (word.value.partition("=")[0] for word in call.operands if word.is_literal)


def _is_of_some(name: str, now: str, suites: Sequence[str]) -> bool:
    """Whether a package is in some releases only, and not known to be missing in that of today."""
    row = next(iter(facts.by("apt_names", "name").get(name, ())), None)
    if row is None:
        return _NUMBERED.fullmatch(name) is not None
    gone = row.get("gone", "").split()
    return now not in gone and any(suite in gone for suite in suites)


def _python_of_pins(stage: Stage, reference: Reference) -> Finding | None:
    """An open minor release of Python under pins that have wheels for some."""
    if common_name(reference) != "python" or not _NO_MINOR.fullmatch(reference.tag or "latest"):
        return None
    newest = end_of_life.supported()[-1]
    pin = next(((name, each) for name, each in end_of_life.pins(stage) if each and newest not in each), None)
    if pin is None:
        return None
    last = pin[1][-1]
    message = f"names no minor release of Python, and {pin[0]} has wheels up to Python {last} only"
    where = Location(stage.build.source, stage.from_word.span)
    suited = end_of_life.suited(stage)
    if not suited.minors:
        return Finding(
            where, f"{message}: a later build finds no wheel", f"name the minor release, as in python:{last}"
        )

    def tag_of(each: Reference) -> str | None:
        return _with_minor(each, suited.minors[-1])

    edits = retagged(stage, tag_of) if reference.tag else None
    fix = Fix("unsafe", f"start from {reference.familiar}:{tag_of(reference)}", edits) if edits else None
    repair = (
        f"start from {reference.familiar}:{tag_of(reference)}, the newest Python that all pins here have wheels for"
    )
    return Finding(where, f"{message}: a later build finds no wheel", repair, fix=fix)


def _with_minor(reference: Reference, minor: str) -> str | None:
    """The exact tag of the same variant with a minor release."""
    variant = (reference.tag or "").removeprefix("latest").removeprefix("3").removeprefix("-")
    tag = f"{minor}-{variant}" if variant else minor
    found = references.parse(f"{reference.familiar}:{tag}")
    return exact_tag(found) if isinstance(found, Reference) else None
