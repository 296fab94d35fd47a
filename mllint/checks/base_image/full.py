"""ML111: the whole image of Python, where the small one does."""

from collections.abc import Iterator

from mllint import facts
from mllint.checks import check
from mllint.checks.base_image.pinning import defaults
from mllint.checks.base_image.retagging import retagged
from mllint.findings import Finding, Fix, Location, Severity
from mllint.image.compiling import compiling, is_for_development, is_for_more, is_service
from mllint.image.installing.downloads import requested
from mllint.image.installing.fitting import Place, misfit, place
from mllint.image.installing.indexed import Asked, asked
from mllint.image.installing.unbuilt import source_only
from mllint.image.names import common_name, first_row
from mllint.image.published import missing_tag
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources import reference as references
from mllint.sources.reference import Reference
from mllint.wording import enumerated

_FULL = regex(r"(?P<version>3(?:\.\d+){0,2})(?:-(?P<suite>stretch|buster|bullseye|bookworm|trixie))?")
_WORD = regex(r"(?<![\w./-])[a-z][\w+-]*")
_MOST = 3
_BUILT_FOR = (3, 8)


@check("ML111")
def full_python_image(stage: Stage) -> Iterator[Finding]:
    """A service from python:X, the image with compilers and headers, where nothing is compiled."""
    root, base = stage.root, stage.root.base.reference
    small = _small(base) if stage.is_final and base is not None else None
    if base is None or small is None or is_for_development(stage) or is_for_more(stage) or not is_service(stage):
        return
    found = compiling(stage.build)
    if found.at_build or found.at_run is not None or not found.is_known or not _all_wheels(stage):
        return
    smaller = f"{base.familiar}:{small}"
    missing = list(dict.fromkeys((*_programs(stage, smaller), *_libraries(stage))))
    message = (
        f"{root.base.text} brings compilers, headers and version control into the image: nothing it installs is known"
        " to need them"
    )
    repair = f"start from {smaller}"
    if missing:
        message = f"{message}, and {enumerated(missing[:_MOST])} can be installed alone"
        repair = f"{repair}, and install {enumerated(missing[:_MOST])} there"
    fix = None if missing or found.may_run else _smaller(root, smaller)
    word = root.from_word
    related = tuple(defaults(root, word.text))
    yield Finding(Location(stage.build.source, word.span), message, repair, related, fix, severity=Severity.INFO)


def _small(base: Reference) -> str | None:
    """The tag of the same Python and release without compilers, for a tag of the whole image that may have one."""
    match = _FULL.fullmatch(base.tag or "") if common_name(base) == "python" and not base.digest else None
    if match is None:
        return None
    tag = "-".join(filter(None, (match["version"], "slim", match["suite"])))
    other = references.parse(f"{base.familiar}:{tag}")
    return tag if isinstance(other, Reference) and missing_tag(other) is None else None


def _smaller(root: Stage, smaller: str) -> Fix | None:
    edits = retagged(root, _small)
    return Fix("unsafe", f"start from {smaller}", edits) if edits else None


def _all_wheels(stage: Stage) -> bool:
    """Whether no call is known to ask for what has no wheel here."""
    for step in stage.steps_before(None):
        for install in step.installs:
            where = place(stage, install) if install.manager.language == "python" else None
            if where is None and install.manager.language == "python":
                return False
            if where and any(_may_compile(each, where) for each in asked(stage, install)):
                return False
    return True


def _may_compile(each: Asked, where: Place) -> bool:
    # The newest releases for a Python that few makers build for any more may have their source alone.
    is_old = tuple(map(int, where.minor.split("."))) < _BUILT_FOR and each.version is None
    return is_old or bool(misfit(each, where)) or bool(source_only(each, where))


def _programs(stage: Stage, smaller: str) -> Iterator[str]:
    """What the file starts of the programs that the whole image has and the small one has not."""
    other = references.parse(smaller)
    row = (first_row("base_programs", other) if isinstance(other, Reference) else None) or {}
    absent = set(" ".join(row.get("absent", ())).split())
    names = [each.name for step in stage.steps_before(None) for each in step.commands]
    probe, process = stage.last("HEALTHCHECK"), stage.process
    texts = [probe.instruction.rest.text] if probe is not None else []
    if process is not None:
        names += [each.name for each in process.commands]
        texts += [script.source.text for script in process.scripts]
    names += [word for text in texts for word in _WORD.findall(text)]
    for name in names:
        if name in absent and stage.root.base.program(name) == "present":
            yield name


def _libraries(stage: Stage) -> Iterator[str]:
    """The packages with libraries that something installed needs; the whole image has many of them."""
    installs = [each for step in stage.steps_before(None) for each in step.installs]
    there = {word.value for each in installs for word in each.operands}
    names = {name for each in installs for name in requested(stage, each)}
    for row in facts.rows("library_needs"):
        packages = row.get("packages", "").split()
        if row["name"] in names and packages and there.isdisjoint(packages):
            yield packages[0]
