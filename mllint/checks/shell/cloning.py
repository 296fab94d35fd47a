"""DF304: repositories of which the build takes whatever is newest."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Related
from mllint.image.content.cloning import Clone, clones
from mllint.image.stage import Stage


@check("DF304")
def unpinned_git_clone(stage: Stage) -> Iterator[Finding]:
    """A clone of a repository at the head of a branch."""
    for each in clones(stage) if stage in stage.build.needed else ():
        yield _finding(stage, each)


def _finding(stage: Stage, clone: Clone) -> Finding:
    head = f"the head of its branch {clone.branch}" if clone.branch else "the head of its default branch"
    message = f"{clone.how} takes {clone.repository} at {head}: each build may get other source, unseen"
    repair = _pinned(clone)
    related = tuple(_setting(stage, clone.variable)) if clone.variable is not None else ()
    return Finding(Location(stage.build.source, clone.span), message, repair, related, is_strict=clone.is_doubtful)


def _setting(stage: Stage, variable: str) -> Iterator[Related]:
    """Where a variable has its value from."""
    settings = []
    for step in stage.steps_before(None):
        instruction = step.instruction
        if instruction.keyword == "ENV":
            settings += [pair.key.span for pair in instruction.pairs if pair.key.text == variable]
        elif instruction.keyword == "ARG":
            settings += [word.span for word in instruction.words if word.text.partition("=")[0] == variable]
    if settings:
        yield Related(Location(stage.build.source, settings[-1]), f"sets {variable}")


def _pinned(clone: Clone) -> str:
    if clone.variable is not None:
        return f"give {clone.variable} a tag or commit" if clone.takes_commit else f"give {clone.variable} a tag"
    if clone.how == "ADD":
        return f"take a release or commit: ADD {clone.repository}#TAG-OR-COMMIT"
    if clone.is_recursive:
        # A checkout behind it would leave the submodules at what the head asks for.
        return "take a release: git clone --branch TAG"
    git = f"git -C {clone.folder}"
    fetch = f"{git} fetch --depth 1 origin COMMIT && " if clone.is_shallow else ""
    return f"take a release or commit: git clone --branch TAG, or {fetch}{git} checkout COMMIT right behind it"
