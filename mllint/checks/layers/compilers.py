"""Rules about tools of the build that stay in the image."""

from collections.abc import Iterator

from mllint import facts
from mllint.checks import check
from mllint.edits import delete
from mllint.findings import Finding, Fix, Location
from mllint.image.compiling import Compiling, compiling, is_for_development, is_for_more, is_service
from mllint.image.installing.downloads import requested
from mllint.image.packages import Install
from mllint.image.service import PYTHON
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.shell_tree import Word
from mllint.sources.text import Source, Span
from mllint.wording import enumerated

_COMPILERS = regex(
    r"build-essential|build-base|base-devel|(?:gcc|g\+\+|clang|gfortran)(?:-[\d.]+)?|gcc-c\+\+|gcc-toolset-\d+|cargo|rustc"
    r"|cmake|ninja-build|nvidia-cuda-toolkit|cuda-(?:toolkit|nvcc|compiler)-\d+-\d+"
)
_OPENMP = "libgomp1"
_REMOVES = frozenset({"purge", "remove", "autoremove", "del", "erase", "autopurge"})


@check("ML404")
def compiler_left_in_final_stage(stage: Stage) -> Iterator[Finding]:
    """Compilers are installed in the stage that the image is made of, and stay."""
    final = stage.build.final
    if (
        final is None
        or not stage.is_in_image
        or is_for_development(final)
        or stage.root.base.program("gcc") == "present"
    ):
        return
    found = compiling(stage.build)
    if found.at_run is not None or found.may_run or not is_service(final) or is_for_more(final):
        return
    left = [
        (call, word)
        for step in stage.steps
        for call in step.installs
        for word in _compilers(call)
        if not _removes(stage, step, call, word)
    ]
    if left and not _needs_library(stage):
        yield _left(stage, found, left)


def _needs_library(stage: Stage) -> bool:
    """Whether something installed needs the library of OpenMP, which an image has by its gcc alone."""
    packages = {word.value for step in stage.steps_before(None) for each in step.installs for word in each.operands}
    if _OPENMP in packages:
        return False
    process, is_built = stage.process, any(step.copy and step.copy.origin == "stage" for step in stage.steps)
    if process is not None and is_built and stage.server is None and not PYTHON.fullmatch(process.commands[-1].name):
        return True
    needs = {row["name"] for row in facts.rows("library_needs") if _OPENMP in row.get("packages", "").split()}
    return any(needs.intersection(requested(stage, each)) for step in stage.steps for each in step.installs)


def _name(word: Word) -> str:
    return word.value.partition("=")[0]


def _compilers(install: Install) -> list[Word]:
    if install.manager.language or not install.is_certain:
        return []
    return [word for word in install.operands if _COMPILERS.fullmatch(word.value.partition("=")[0])]


def _removes(stage: Stage, step: Step, install: Install, word: Word) -> bool:
    """Whether a later command removes it, by its name or by that of its group. In another RUN that frees nothing, but
    the image has no compiler then."""
    names = {word.value.partition("=")[0], *(each.value for each in install.values("-t", "--virtual"))}
    at = next(index for index, each in enumerate(step.commands) if each is install.executed)
    later = [each for other in stage.steps[stage.steps.index(step) + 1 :] for each in other.commands]
    for each in (*step.commands[at + 1 :], *later):
        removed = {argument.rstrip("*-") for argument in each.arguments}
        if not _REMOVES.isdisjoint(each.arguments) and (names & {*each.arguments} or removed & names):
            return True
    return False


def _left(stage: Stage, found: Compiling, left: list[tuple[Install, Word]]) -> Finding:
    words = [word for _, word in left]
    unique = list(dict.fromkeys(map(_name, words)))
    verb = "stay" if len(unique) > 1 else "stays"
    message = f"{enumerated(unique)} {verb} in the image: build tools that nothing is known to use once it is built"
    repair = "install what needs them in a builder stage and copy the result, or purge them in the RUN that compiles"
    fix = None
    if not found.at_build:
        repair = "leave them out, as nothing here is known to compile"
        fix = without(stage.build.source, left)
    where = Location(stage.build.source, words[0].span)
    return Finding(where, message, repair, fix=fix, is_strict=found.at_build)


def without(source: Source, left: list[tuple[Install, Word]]) -> Fix | None:
    """The calls without these packages; None where one installs nothing else, or a name is not written out."""
    words = [word for _, word in left]
    if any(all(word in words for word in install.operands) for install, _ in left):
        return None
    if any(source.slice(word.span) != word.value or install.step.trigger is not None for install, word in left):
        return None
    rooms = [_room(source, word) for word in words]
    if None in rooms:
        return None
    names = " and ".join(dict.fromkeys(word.value for word in words))
    edits = dict.fromkeys(delete(source, room) for room in rooms if room is not None)
    return Fix("unsafe", f"leave {names} out", tuple(edits))


def _room(source: Source, word: Word) -> Span | None:
    """A word with the blank in front of it, or with its line where it has one of its own; None where that line has a
    comment above, or is the last of the call."""
    number = source.position(word.span.start)[0]
    line = source.line_span(number)
    front, behind = source.text[line.start : word.span.start], source.text[word.span.end : line.end]
    if front.strip():
        return Span(line.start + len(front.rstrip()), word.span.end)
    above = source.slice(source.line_span(number - 1))
    if behind.strip() not in ("\\", "`") or above.lstrip().startswith("#"):
        return None
    return Span(line.start, source.line_starts[number])
