"""ML501: a context of which nothing is kept out."""

from collections.abc import Iterator, Sequence

from mllint.checks import check
from mllint.checks.context.copying import MANY, TELLING, is_settled, listed_ballast
from mllint.checks.context.ignore_fixes import asked_for, listed_lines, new_file
from mllint.checks.context.sizes import size
from mllint.findings import Finding, Fix, Location, Severity
from mllint.image.build import Build
from mllint.image.content.ballast import find_ballast
from mllint.image.content.stray import Stray, find_stray, is_only_dockerfiles
from mllint.image.content.weights import WEIGHTS
from mllint.image.context import Context
from mllint.image.copies import Copy, relative
from mllint.image.stage import Stage

_FEW = 30_000
_HEAVY = 10_000_000
_HUGE = 100_000_000
# What the whole weighs is said where so large a part of it need not be sent.
_SHARE = 3
_ALWAYS = ("**/__pycache__", ".venv")
# What tells that the context is the root of a repository.
_ROOT = (".git", ".github", ".gitmodules")


@check("ML501")
def missing_dockerignore(build: Build) -> Iterator[Finding]:
    """The whole folder is copied and no ignore file keeps anything out."""
    context = build.context
    if not is_settled(context) or any(context.find(name) for name in context.ignore_names):
        return
    found = [
        (stage, step.copy) for stage in build.needed for step in stage.steps if step.copy and step.copy.takes_all()
    ]
    if found:
        # That of the image before that of a builder.
        stage, copy = min(found, key=lambda each: not each[0].is_in_image)
        yield from _unfiltered(build, copy) or _with_dockerfile(build, stage, copy)


def _unfiltered(build: Build, copy: Copy) -> list[Finding]:
    """What is sent though nothing in the image reads it, or is large."""
    ballast, stray = list(find_ballast(build)), _unasked(build)
    files = list(build.context.files())
    # What a service does read, however large.
    other = sum(entry.size for entry in files if not WEIGHTS.fullmatch(entry.path))
    if not ballast and not stray and other < _HEAVY:
        return []
    useless = sum(each.size for each in ballast) + sum(each.size for each in stray)
    total = sum(entry.size for entry in files)
    unread = ", ".join(filter(None, (listed_ballast(ballast), _named(stray))))
    nobody = "no service" if _reader(build) == "the service" else "nothing in the image"
    message = f"{copy.written} takes along {size(useless)} that {nobody} reads, as there is no .dockerignore: {unread}"
    if not unread or useless * _SHARE >= total or other >= _HUGE:
        message = f"{copy.written} sends {size(total)} to the build, as there is no .dockerignore"
        message += f": {_largest(build.context)}" if other >= _HEAVY else ""
        message += f"; {nobody} reads {size(useless)} of it: {unread}" if unread else ""
    finding = _finding(build, copy, message, [*(each.pattern for each in ballast), *(each.pattern for each in stray)])
    if useless >= MANY or other >= _HUGE or any(each.what in TELLING for each in ballast):
        return [finding]
    is_served = build.final is not None and build.final.server is not None
    is_mild = (not ballast and not any(each.is_tests for each in stray)) or (useless < _FEW and not is_served)
    return [finding._replace(severity=Severity.INFO, is_strict=is_mild)]


def _finding(build: Build, copy: Copy, message: str, patterns: Sequence[str]) -> Finding:
    history = [".git"] if any(build.context.find(name) is not None for name in _ROOT) else []
    lines = dict.fromkeys((*patterns, *history, *_ALWAYS))
    shown = listed_lines([line for line in lines if f"**/{line}" not in lines])
    repair = f"write a .dockerignore with {shown}, and with what else of it {_reader(build)} does not read"
    made = new_file(build, patterns)
    fix = Fix("unsafe", "write a .dockerignore", made) if made is not None else None
    return Finding(Location(build.source, copy.step.instruction.span), message, repair, fix=fix)


def _reader(build: Build) -> str:
    """What the image is, for all that is known."""
    return "the service" if build.final is not None and build.final.server is not None else "the image"


def _unasked(build: Build) -> list[Stray]:
    """The stray things of the context that nothing names."""
    stray = list(find_stray(build))
    asked = asked_for(build) if stray else ()
    return [each for each in stray if not any(relative(path, each.entry.path) is not None for path in asked)]


def _named(stray: Sequence[Stray]) -> str:
    return ", ".join(f"{each.entry.path}{'/' if each.entry.is_folder else ''}" for each in stray[:3])


def _largest(context: Context) -> str:
    """The three largest things right below the root."""
    weights: dict[str, int] = {}
    for entry in context.files():
        name, slash, _ = entry.path.partition("/")
        weights[name + slash] = weights.get(name + slash, 0) + entry.size
    largest = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:3]
    return ", ".join(f"{name} {size(weight)}" for name, weight in largest) or "no file"


def _with_dockerfile(build: Build, stage: Stage, copy: Copy) -> Iterator[Finding]:
    """A copy that brings the Dockerfile itself, with RUN behind it. Where a folder holds Dockerfiles alone, it is
    another one that builds are given."""
    context = build.context
    own = relative(str(context.inputs.cwd / build.source.path), str(context.root))
    behind = stage.steps[stage.steps.index(copy.step) + 1 :]
    count = sum(step.instruction.keyword == "RUN" for step in behind)
    if not own or context.find(own) is None or is_only_dockerfiles(context) or not count:
        return
    message = (
        f"{copy.written} takes {own} along, as there is no .dockerignore: each edit of it, whatever line, runs the"
        f" {f'{count} RUN' if count > 1 else 'RUN'} behind this again"
    )
    yield _finding(build, copy, message, [own])._replace(severity=Severity.INFO, is_strict=True)
