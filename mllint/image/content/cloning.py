"""Repositories that a build takes at the head of a branch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import relative
from mllint.image.effects.files import split
from mllint.image.paths import joined
from mllint.image.values import Unknown
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.copies import CopySource
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step
    from mllint.image.values import Value
    from mllint.sources.shell_tree import Word
    from mllint.sources.text import Span

_VALUES = "bCcjou"
_LONG_VALUES = tuple(
    "--branch --depth --config --origin --jobs --filter --reference --server-option --shallow-since --upload-pack"
    " --separate-git-dir --template --revision --recurse-submodules".split()
)
_CHOOSING = frozenset({"checkout", "switch", "reset", "fetch", "worktree"})
_RECURSIVE = frozenset({"--recursive", "--recurse-submodules"})
_COMMIT = regex(r"[0-9a-f]{7,40}")
# The heads of a repository, in which nothing fetches a release; names with a digit may be those of a release.
_BRANCH = regex(r"(?:origin/|refs/heads/)?[A-Za-z][A-Za-z/_-]*")
# Branches that are kept for releases, or that are asked for to have what is newest.
_FOLLOWED = ("stable", "release", "nightly")
_WANTED = regex(r"\b(?:latest|nightly|newest|head of)\b", re.IGNORECASE)
_VARIABLE = regex(r"\$\{?(\w+)")
_HEADS = regex(r"api\.github\.com/repos/.+/(?:git/refs/heads|commits)/")


class Clone(NamedTuple):
    """A repository that is taken at the head of a branch."""

    how: str
    """`git clone` or `ADD`."""
    repository: str
    branch: str | None
    """None for the default branch."""
    span: Span
    variable: str | None = None
    """The one that names the branch, or what is checked out."""
    takes_commit: bool = True
    """Whether that may be a commit: `--branch` takes none."""
    is_shallow: bool = False
    """Whether no other commit than that of the branch comes along."""
    folder: str = "DIR"
    """Where it is cloned to, as a shell reads it there."""
    is_recursive: bool = False
    """Whether its submodules come along."""
    is_doubtful: bool = False
    """Whether the files show that it is meant, or may be pinned by what nobody sees."""


def clones(stage: Stage) -> Iterator[Clone]:
    """The clones of a stage that no tag or commit holds, in order."""
    is_nightly = "nightly" in stage.build.source.path
    for at, step in enumerate(stage.steps):
        if step.copy is not None and step.instruction.keyword == "ADD":
            yield from filter(None, map(_added, step.copy.sources))
        calls = [each for each in step.commands if each.name == "git"]
        for index, each in enumerate(calls):
            later = [*calls[index + 1 :], *(call for step in stage.steps[at + 1 :] for call in step.commands)]
            found = _cloned(each, [call for call in later if call.name == "git"])
            is_meant = _follows_head(stage, step) or _is_told(step, each)
            if found is not None and not is_meant and not _is_again(calls[:index], each):
                yield found._replace(is_doubtful=found.is_doubtful or is_nightly)


def _added(source: CopySource) -> Clone | None:
    if source.kind != "git" or isinstance(source.path, Unknown) or "$" in source.path:
        return None
    repository, _, fragment = source.path.partition("#")
    reference = fragment.partition(":")[0]
    if "?" in repository or not _moves(reference):
        return None
    return Clone("ADD", repository, reference or None, source.word.span)


def _cloned(each: Executed, later: list[Executed]) -> Clone | None:
    operands, options = split(each, _VALUES, _LONG_VALUES)
    words = [word.value for word in operands]
    if words[:1] != ["clone"] or len(words) < 2 or "--revision" in options or "--mirror" in options:
        return None
    branch = options.get("-b", options.get("--branch", ""))
    if not _moves(branch) or not _is_remote(words[1]):
        return None
    chosen = [word for call in later if _may_be_in(_folder(each, words), call) for word in _chosen(call)]
    if any(not _moves(word.value) for word in chosen):
        return None
    named = _variable([word for word in each.words if branch and word.value == branch])
    variable = named or _variable(chosen)
    is_by_variable = variable is not None or any("$" in word.text for word in each.words if word.value == words[1])
    is_doubtful = is_by_variable or bool(chosen) or branch in _FOLLOWED or not each.is_certain
    taken = branch or next((word.value for word in chosen if word.value), "")
    is_recursive = any(word.value in _RECURSIVE for word in each.words)
    folder = operands[2].text if len(operands) > 2 else _name(words)
    if set(folder) & set("$`\"' ") or "$" in operands[1].text:
        folder = "DIR"
    return Clone(
        "git clone",
        words[1],
        taken or None,
        each.span,
        variable,
        named is None,
        "--depth" in options,
        folder,
        is_recursive,
        is_doubtful,
    )


def cloned_to(each: Executed) -> Value | None:
    """Where a `git clone` or `git init` makes a repository; None for other commands."""
    words = [word.value for word in split(each, _VALUES, _LONG_VALUES)[0]] if each.name == "git" else []
    if words[:1] == ["init"]:
        return joined(each.directory, words[1] if len(words) > 1 else ".")
    return _folder(each, words) if words[:1] == ["clone"] and len(words) > 1 else None


def _folder(clone: Executed, words: list[str]) -> Value:
    """Where a repository is cloned to."""
    return joined(clone.directory, words[2] if len(words) > 2 else _name(words))


def _name(words: list[str]) -> str:
    """The folder that git names after a repository."""
    return words[1].rstrip("/").rpartition("/")[2].removesuffix(".git")


def _may_be_in(folder: Value, call: Executed) -> bool:
    """Whether a call of git may be about what was cloned to a folder: not where it surely works in another."""
    _, options = split(call, "bBCc", ("--depth",))
    place = joined(call.directory, options.get("-C", "."))
    if isinstance(folder, Unknown) or isinstance(place, Unknown) or "$" in folder + place:
        return True
    return "--git-dir" in options or relative(place, folder) is not None


def _variable(words: list[Word]) -> str | None:
    return next((match[1] for word in words if (match := _VARIABLE.search(word.text))), None)


def _is_remote(repository: str) -> bool:
    return "://" in repository or repository.startswith(("git@", "$"))


def _chosen(call: Executed) -> Iterator[Word]:
    """What a later call of git says is to be taken."""
    operands, _ = split(call, "bBCc", ("--depth",))
    if operands and operands[0].value in _CHOOSING:
        yield from operands[1:]


def _moves(reference: str) -> bool:
    """Whether a reference is that of a branch; one that holds a variable or a digit may be anything else."""
    if not reference:
        return True
    return _BRANCH.fullmatch(reference) is not None and _COMMIT.fullmatch(reference) is None


def _is_told(step: Step, each: Executed) -> bool:
    """Whether a comment above says that the newest is wanted."""
    return any(map(_WANTED.search, step.instruction.source.comments_above(each.span.start)))


def _is_again(before: list[Executed], each: Executed) -> bool:
    """Whether the same repository is cloned by the command in front of it, which may have failed."""
    repository = next((word.value for word in each.words if _is_remote(word.value)), None)
    return any(repository in other.arguments for other in before if other.arguments[:1] == ("clone",))


def _follows_head(stage: Stage, step: Step) -> bool:
    """Whether an ADD in front of it asks for the head of the branch, so that the cache follows it."""
    before = stage.steps[: stage.steps.index(step)]
    return any(_HEADS.search(each.instruction.rest.text) for each in before if each.instruction.keyword == "ADD")
