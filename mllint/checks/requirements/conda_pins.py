"""ML638: conda packages that are taken in whatever release is the newest."""

from collections.abc import Iterator

from mllint import facts
from mllint.checks import check
from mllint.checks.requirements.calls import is_link
from mllint.checks.requirements.floating import listed
from mllint.findings import Finding, Location, Severity
from mllint.image.choosing import choosable
from mllint.image.content.fetching import fetches, moves
from mllint.image.packages import BUILD_TOOLS, Install
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.shell_tree import Word

_VERBS = ("install", "create", "update")
_CONDAS = frozenset(
    {"conda", "mamba", "micromamba", "conda-libmamba-solver", "conda-build", "conda-lock", "conda-pack"}
)
_INSTALLERS = _CONDAS | BUILD_TOOLS | {"uv", "python"}

_NAME = regex(r"(?:(?P<channel>[\w./-]+)::)?(?P<name>[A-Za-z0-9_][\w.-]*)(?P<rest>.*)")
# A channel of one release, as `nvidia/label/cuda-12.4.0`.
_RELEASE = regex(r"\d+\.\d+")
# The name that conda knows a framework by, where the index of Python has another.
_ELSEWHERE = {"pytorch": "torch", "pytorch-gpu": "torch", "pytorch-cpu": "torch", "py-xgboost": "xgboost"}


@check("ML638")
def unpinned_conda_install(stage: Stage) -> Iterator[Finding]:
    """A conda that takes whatever release is the newest."""
    is_wanted = stage in stage.build.needed or stage in choosable(stage.build)
    asked: set[str] = set()
    for install in (each for step in stage.steps for each in step.installs) if is_wanted else ():
        if install.manager.name not in ("conda", "micromamba") or install.verb not in _VERBS:
            continue
        if install.has("--download-only", "--offline"):
            continue
        everything = next((value for name, value in install.options if name in ("--all", "--update-all")), None)
        if install.verb == "update" and (everything or install.operands):
            yield _updating(stage, install, everything)
        elif found := [word for word in install.operands if _is_open(install, word) and word.value not in asked]:
            names = [word.value.rpartition("::")[2] for word in found]
            is_great = any(_ELSEWHERE.get(name, name) in facts.by("ml_frameworks", "name") for name in names)
            repair = f"write the tested release: {names[0]}=<version>, or create the environment from a lock file"
            where = Location(stage.build.source, found[0].span)
            severity = None if is_great else Severity.INFO
            if not is_link(stage):
                yield Finding(where, listed(names), repair, severity=severity, is_strict=True)
        asked.update(word.value for word in install.operands)


def _updating(stage: Stage, install: Install, everything: Word | None) -> Finding:
    tool = install.executed.words[0].value.rpartition("/")[2]
    names = " ".join(word.text for word in install.operands)
    what = f"{tool} update {names or '--all'}"
    message = f"{what} takes the newest of the day{' of all that is installed' if not names else ''}"
    repair = "leave it out"
    if not _is_fixed(stage, install):
        repair = "take a base or an installer of a fixed release, and leave this out"
    where = Location(stage.build.source, install.span)
    severity = None if everything else Severity.INFO
    message += ": the next build may hold other releases"
    is_own = {word.value for word in install.operands} <= _CONDAS and not everything
    return Finding(where, message, repair, severity=severity, is_strict=not is_own)


def _is_fixed(stage: Stage, install: Install) -> bool:
    """Whether the conda that is updated is of one release: by the tag of its base and the address of an installer."""
    reference = stage.root.base.reference
    if reference is None or not (reference.digest or any(each.isdigit() for each in reference.tag or "")):
        return False
    return not any(moves(each) for step in stage.steps_before(install.step) for each in fetches(step))


def _is_open(install: Install, word: Word) -> bool:
    """Whether a word names a package and leaves the release open."""
    match = _NAME.fullmatch(word.value) if word.is_literal else None
    if match is None or match["name"] in _INSTALLERS or word.value.endswith((".conda", ".bz2")):
        return False
    channels = [match["channel"] or "", *(each.value for each in install.values("-c", "--channel"))]
    return not match["rest"] and not any(_RELEASE.search(channel) for channel in channels)
