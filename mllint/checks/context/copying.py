"""Rules about what a COPY names, and what it brings along."""

from collections.abc import Iterator, Sequence

from mllint.checks import check
from mllint.checks.context.copy_fixes import renamed
from mllint.checks.context.ignore_fixes import keeping_out, listed_lines
from mllint.checks.context.sizes import size
from mllint.findings import Finding, Fix, Location, Severity
from mllint.image.build import Build
from mllint.image.content.ballast import Ballast, find_ballast
from mllint.image.content.missing import fits_context, is_expected, is_plain, looks_written, near_path
from mllint.image.context import Context
from mllint.image.copies import Copy, CopySource, arrives_in_image
from mllint.image.stage import Stage, Step
from mllint.wording import enumerated

MANY = 1_000_000
"""The bytes of what no service reads from which on they are a burden."""
# Beside so many times its size, what is light changes nothing.
_SHARE = 10
TELLING = frozenset({"version control data", "virtual environment", "conda environment"})
"""What is one whatever it weighs: it makes another image on each machine, or tells more than anybody wants."""


def is_settled(context: Context) -> bool:
    """Whether the context is known, or at least the folder in which a lone `COPY . .` stands."""
    return context.is_certain or context.holds_dockerfile


@check("ML502")
def unignored_context_files(build: Build) -> Iterator[Finding]:
    """A COPY brings version control data, environments, notebooks or caches into the image."""
    yield from _history(build)
    seen: set[str] = set()
    for stage in build.needed if is_settled(build.context) else ():
        for step in stage.steps:
            if step.copy is not None and step.copy.origin == "context":
                found = [each for each in _brought(stage, step.copy) if each.entry.path not in seen]
                seen.update(each.entry.path for each in found)
                if found and not _is_negligible(build, step.copy, found):
                    yield _useless(build, step.copy, found)


def _history(build: Build) -> Iterator[Finding]:
    """A COPY that names the history itself, for what asks git during the build."""
    removed = (each for stage in build.needed for step in stage.steps for each in step.commands if each.name == "rm")
    if any(word.value.rstrip("/").endswith(".git") for each in removed for word in each.words):
        return
    for step in build.final.steps_before(None) if build.final is not None else ():
        for source in step.copy.sources if step.copy is not None and step.copy.origin == "context" else ():
            if source.is_remote or source.path != ".git" or build.context.excludes(".git"):
                continue
            message = "the history of the repository stays in the image: whoever pulls it has all commits"
            repair = "build what asks git in an earlier stage, and copy the outcome from there"
            yield Finding(Location(build.source, source.word.span), message, repair)


def _brought(stage: Stage, copy: Copy) -> Iterator[Ballast]:
    """The ballast that a copy carries into the image along with what it names."""
    for source in copy.sources:
        for match in source.matches(stage.build.context):
            for each in find_ballast(stage.build, match.path) if match.is_folder else ():
                if not source.leaves_out(match, each.entry.path) and _arrives(stage, copy, source, each):
                    yield each


def _arrives(stage: Stage, copy: Copy, source: CopySource, ballast: Ballast) -> bool:
    if ballast.is_shallow and not copy.takes_all():
        return False
    if stage.is_in_image:
        return True
    removed = (word.value for step in stage.steps for each in step.commands if each.name == "rm" for word in each.words)
    is_removed = any(ballast.entry.name in word.split("/") for word in removed)
    return not is_removed and arrives_in_image(stage, copy, source, ballast.entry.path)


def _useless(build: Build, copy: Copy, ballast: Sequence[Ballast]) -> Finding:
    weight = size(sum(each.size for each in ballast))
    message = f"{copy.written} brings {listed_ballast(ballast)} into the image, {weight} that no service reads"
    lines = list(dict.fromkeys(each.pattern for each in ballast))
    repair = f"add to .dockerignore {listed_lines(lines)}"
    edits = keeping_out(build, lines, [each.entry.path for each in ballast])
    fix = Fix("unsafe", f"keep {enumerated(lines, 3)} out of the build", edits) if edits is not None else None
    severity = Severity.INFO if _is_light(ballast) else None
    return Finding(Location(build.source, copy.step.instruction.span), message, repair, fix=fix, severity=severity)


def _is_light(ballast: Sequence[Ballast]) -> bool:
    """Whether it is no burden, as a few notebooks are; an environment or a history is one, whatever it weighs."""
    return sum(each.size for each in ballast) < MANY and not any(each.what in TELLING for each in ballast)


def _is_negligible(build: Build, copy: Copy, ballast: Sequence[Ballast]) -> bool:
    """Whether it is light, and next to nothing beside what else the copy brings."""
    total = sum(entry.size for source in copy.sources for entry in source.entries(build.context))
    return _is_light(ballast) and sum(each.size for each in ballast) * _SHARE < total


def listed_ballast(ballast: Sequence[Ballast]) -> str:
    """The first of each kind, and how many more of it there are."""
    kinds: dict[str, list[str]] = {}
    for each in ballast:
        kinds.setdefault(each.what, []).append(each.entry.path)
    named = [
        f"{paths[0]} ({what})" if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more ({what})"
        for what, paths in kinds.items()
    ]
    return ", ".join(named[:3]) + (" and more" if len(named) > 3 else "")


@check("ML503")
def copy_source_missing(stage: Stage) -> Iterator[Finding]:
    """A COPY names a file that the context does not have."""
    if stage not in stage.build.needed:
        return
    for step in stage.steps:
        for source in step.copy.sources if step.copy and step.copy.origin == "context" else ():
            if is_plain(source) and not source.matches(stage.build.context) and _is_telling(stage, source):
                yield _missing(stage, step, source)


def _is_telling(stage: Stage, source: CopySource) -> bool:
    """Whether the absence is a mistake of the Dockerfile rather than of the context that was guessed."""
    assert isinstance(source.path, str)
    context = stage.build.context
    if is_expected(stage.build, source.path):
        return False
    if context.is_certain or fits_context(stage.build, source.path):
        return True
    near = near_path(context, source.path)
    return near is not None and near.rpartition("/")[0] == source.path.rpartition("/")[0]


def _missing(stage: Stage, step: Step, source: CopySource) -> Finding:
    assert isinstance(source.path, str)
    context = stage.build.context
    near = near_path(context, source.path)
    place = context.inputs.display(context.root)
    message = f"{source.path} is not in the build context {place}: {step.instruction.keyword} fails"
    if source.word.text.startswith("../"):
        message = f"{source.word.text} leaves the build context {place}: {step.instruction.keyword} fails"
    where = Location(stage.build.source, source.word.span)
    if near is not None:
        return Finding(where, f"{message}; {near} is there", f"write {near}", fix=renamed(stage, step, source))
    repair = "commit it; where something makes it before the build, switch this rule off here"
    return Finding(where, message, repair, severity=Severity.INFO, is_strict=not looks_written(source.path))
