"""The source and objects of what a RUN builds and installs elsewhere, where nothing removes them."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import relative
from mllint.image.effects.files import split
from mllint.image.paths import UNKNOWN_FOLDER, joined
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step

_MAKES = frozenset({"make", "ninja", "gmake", "bazel", "cmake", "meson"})
_PYTHONS = regex(r"python[0-9.]*")
_UNPACKS = frozenset({"tar", "unzip", "bsdtar"})
_REMOVES = frozenset({"rm", "find", "mv", "rmdir"})
_TEMPORARY = ("/tmp", "/var/tmp", "/usr/src", "/usr/local/src")
_NO_LETTER = regex(r"\W")
_PROJECT = frozenset({".", "./"})


class Leftover(NamedTuple):
    """A folder that only the build needed."""

    folder: str
    install: Executed
    """What put its outcome elsewhere."""
    is_cloned: bool
    missed: tuple[Executed, str] | None
    """An `rm` behind the install, and the path it removes where the folder seems to be meant."""


def leftover(stage: Stage, step: Step) -> Leftover | None:
    """The first folder that a RUN gets, installs from and leaves, and that nothing behind it names."""
    commands = step.commands
    for at, each in enumerate(commands):
        directory = each.directory
        if not each.is_sure or not isinstance(directory, str) or directory.startswith(UNKNOWN_FOLDER):
            continue
        roots = [root for root in _roots(commands[:at], directory) if _installs(each, root)]
        if not roots:
            continue
        folder, is_cloned = roots[0][0], roots[0][1]
        is_gone = any(_may_remove(other, folder) for other in commands[at + 1 :])
        if is_gone or any(mount.covers(folder) is not False for mount in step.mounts):
            return None
        if _is_wanted(stage, step, folder):
            return None
        missed = next(_near(folder, commands[at + 1 :]), None)
        return Leftover(folder, each, is_cloned, missed)
    return None


def _roots(before: Sequence[Executed], directory: str) -> Iterator[tuple[str, bool]]:
    """The folders around a directory that the commands in front brought from elsewhere, and whether by a clone."""
    for each in before:
        if each.name == "git" and each.is_sure:
            words = [word.value for word in split(each, "bBCcjou", ("--branch", "--depth", "--jobs"))[0]]
            if words[:1] == ["clone"] and len(words) > 1:
                name = words[2] if len(words) > 2 else posixpath.basename(words[1].rstrip("/")).removesuffix(".git")
                path = joined(each.directory, name)
                if isinstance(path, str) and "$" not in path and relative(directory, path) is not None:
                    yield path, True
        if each.name in _UNPACKS and each.is_sure:
            place = joined(each.directory, _into(each))
            inside = relative(directory, place) if isinstance(place, str) else None
            if inside and isinstance(place, str):
                yield posixpath.join(place, inside.partition("/")[0]), False


def _into(each: Executed) -> str:
    """The folder that an archive is unpacked to, as written."""
    words = each.arguments
    for option in ("-C", "--directory", "-d"):
        if option in words[:-1]:
            return words[words.index(option) + 1]
    return next((word.partition("=")[2] for word in words if word.startswith("--directory=")), ".")


def _installs(each: Executed, root: tuple[str, bool]) -> bool:
    """Whether a command puts what was built somewhere else: with make anywhere, with pip out of a folder that is there
    for the build alone."""
    words = each.arguments
    if each.name in _MAKES:
        return "install" in words or "--install" in words
    if not any(relative(root[0], folder) for folder in _TEMPORARY):
        return False
    is_module = _PYTHONS.fullmatch(each.name) is not None
    if is_module and words[:2] == ("setup.py", "install"):
        return True
    is_pip = each.name.rstrip("0123456789.") == "pip" or (is_module and words[:2] == ("-m", "pip"))
    is_editable = {"-e", "--editable"} & {*words}
    return is_pip and "install" in words and not is_editable and not _PROJECT.isdisjoint(words)


def _may_remove(each: Executed, folder: str) -> bool:
    if each.name not in _REMOVES:
        return False
    for word in each.arguments:
        path = joined(each.directory, word.rstrip("/") or word)
        if not isinstance(path, str) or "$" in path:
            return True
        part = path.partition("*")[0].partition("?")[0].partition("[")[0].partition("{")[0]
        is_pattern = part != path
        if relative(folder, path) is not None or (is_pattern and folder.startswith(part)):
            return True
    return False


def _near(folder: str, behind: Sequence[Executed]) -> Iterator[tuple[Executed, str]]:
    """The paths that are removed and differ from a folder by what is above it or by their punctuation alone."""
    letters = _NO_LETTER.sub("", folder)
    for each in behind:
        for word in each.arguments if each.name == "rm" else ():
            path = joined(each.directory, word.rstrip("/"))
            if not word.startswith("-") and isinstance(path, str) and path != "/":
                is_name = posixpath.basename(path) == posixpath.basename(folder)
                if is_name or _NO_LETTER.sub("", path) == letters:
                    yield each, path


def _is_wanted(stage: Stage, step: Step, folder: str) -> bool:
    """Whether something is installed into the folder, taken from it, or told about it."""
    texts = [word for each in step.commands for word in each.arguments]
    if any(f"{folder}/" in word for word in texts) or any(word.endswith(f"={folder}") for word in texts):
        return True
    own = [other for other in stage.build.stages if stage in other.lineage]
    steps = [each for other in own for each in other.steps_before(None)]
    at = next(index for index, each in enumerate(steps) if each is step)
    for each in steps[at + 1 :]:
        if folder in each.instruction.text:
            return True
        if any(
            isinstance(other.directory, str) and relative(other.directory, folder) is not None
            for other in each.commands
        ):
            return True
    return False
