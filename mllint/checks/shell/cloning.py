"""DF304: repositories of which the build takes whatever is newest."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location
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
    return Finding(Location(stage.build.source, clone.span), message, repair, is_strict=clone.is_doubtful)


def _pinned(clone: Clone) -> str:
    if clone.variable is not None:
        return f"give {clone.variable} a tag or commit" if clone.takes_commit else f"give {clone.variable} a tag"
    if clone.how == "ADD":
        return f"take a release or commit: ADD {clone.repository}#TAG-OR-COMMIT"
    other = "git fetch --depth 1 origin COMMIT && git checkout" if clone.is_shallow else "git checkout"
    return f"take a release or commit: git clone --branch TAG, or {other} COMMIT behind it in the same RUN"
