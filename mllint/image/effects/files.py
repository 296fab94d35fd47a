"""Commands that make, move and remove files."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mllint.image.events import FromElsewhere, Gone, Moded, Owned, Unsure
from mllint.image.programs import Program, program
from mllint.image.values import Unknown, Value
from mllint.image.view import Node, View
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mllint.image.effects.work import Work
    from mllint.image.events import Scope
    from mllint.image.shell.commands import Executed
    from mllint.sources.shell_tree import Word

_MODE = regex(r"[0-7]{3,4}|[ugoa]*[-+=](?:[rwxXst]+|[ugo])(?:,[ugoa]*[-+=](?:[rwxXst]+|[ugo]))*")

_FOLDERS_OF_PROGRAMS = frozenset({"/", "/usr", "/usr/local", "/usr/local/bin", "/usr/bin"})
_WHICH = regex(r"\$\((?:which|command -v) (?:(?P<name>[\w.+-]+)|\$\{?(?P<variable>\w+)\}?)\)")
_PYTHONS = regex(r"python|conda|mamba|env", re.IGNORECASE)
_SOURCES = regex(r"Python-[\w.${}]+?\.(?:tgz|tar\.\w+)$")
"""The sources of CPython."""
_ARCHIVE = regex(r"\.(?:tar(?:\.\w+)?|t[gbx]z2?|zip)$")


def split(each: Executed, with_value: str = "", long_values: tuple[str, ...] = ()) -> tuple[list[Word], dict[str, str]]:
    """The operands of a command and its options with their values; short options in a bundle count one by one."""
    operands: list[Word] = []
    options: dict[str, str] = {}
    words = iter(each.words[1:])
    only_operands = False
    for word in words:
        value = word.value
        if only_operands or not value.startswith("-") or value == "-":
            operands.append(word)
        elif value == "--":
            only_operands = True
        elif value.startswith("--"):
            name, equals, given = value.partition("=")
            options[name] = given if equals else _following(words) if name in long_values else ""
        else:
            _bundle(value, words, with_value, options)
    return operands, options


def _following(words: Iterator[Word]) -> str:
    word = next(words, None)
    return word.value if word is not None else ""


def _bundle(value: str, words: Iterator[Word], with_value: str, options: dict[str, str]) -> None:
    for at, letter in enumerate(value[1:], start=1):
        if letter in with_value:
            options[f"-{letter}"] = value[at + 1 :] or _following(words)
            return
        options[f"-{letter}"] = ""


def _mkdir(work: Work, each: Executed) -> None:
    operands, options = split(each, "m", ("--mode",))
    mode = options.get("-m", options.get("--mode", ""))
    for word in operands:
        path = work.path(each, word)
        if isinstance(path, Unknown) or not isinstance(work.view.find(path), Node):
            work.put(each, path, "folder", int(mode, 8) if re.fullmatch(r"[0-7]{3,4}", mode) else 0o755)


def _touch(work: Work, each: Executed) -> None:
    for word in split(each, "dtr")[0]:
        path = work.path(each, word)
        if isinstance(path, Unknown) or not isinstance(work.view.find(path), Node):
            work.put(each, path, "file", 0o644)


def _remove(work: Work, each: Executed) -> None:
    for word in split(each)[0]:
        path = work.path(each, word)
        if isinstance(path, str) and not work.is_mounted(path):
            work.events.append(Gone(work.cause(each), path))


def _copy(work: Work, each: Executed) -> None:
    operands, options = split(each, "tSm", ("--target-directory",))
    target = options.get("-t", options.get("--target-directory"))
    if len(operands) < (1 if target else 2):
        return
    sources, last = (operands, target) if target else (operands[:-1], operands[-1])
    into = work.path(each, last)
    if isinstance(into, Unknown):
        work.unsure(each, into.reason, "files")
        return
    found = work.view.find(into)
    written = last if isinstance(last, str) else last.value
    is_folder = bool(target) or written.endswith("/") or (isinstance(found, Node) and found.kind == "folder")
    before = View(work.base, work.stage.build.context, work.events, len(work.events))
    for word in sources:
        _copy_one(work, each, before, word, into, is_folder or len(sources) > 1)


def _copy_one(work: Work, each: Executed, before: View, word: Word, into: str, is_folder: bool) -> None:
    source = work.path(each, word)
    is_contents = word.value.endswith(("/.", "/*"))
    if isinstance(source, Unknown) or (not is_contents and any(mark in source for mark in "*?[")):
        work.unsure(each, f"nobody knows which files {word.text} are", "files", below=into)
        return
    source = source.removesuffix("/*")
    place = into if is_contents or not is_folder else posixpath.join(into, posixpath.basename(source))
    if not work.is_mounted(place):
        work.events.append(FromElsewhere(work.cause(each), before, source, place, False, work.owner(each), True))


def _move(work: Work, each: Executed) -> None:
    _copy(work, each)
    for word in split(each, "tS")[0][:-1]:
        source = work.path(each, word)
        if isinstance(source, str):
            work.events.append(Gone(work.cause(each), source))


def _link(work: Work, each: Executed) -> None:
    operands, options = split(each, "tS")
    if not operands:
        return
    if len(operands) == 1:
        operands = [*operands, operands[0]._replace(value=".")]
    for word in operands[:-1]:
        place = work.path(each, operands[-1])
        found = work.view.find(place) if isinstance(place, str) else None
        is_folder = isinstance(found, Node) and found.kind == "folder" and "-n" not in options and "-T" not in options
        if isinstance(place, str) and (is_folder or operands[-1].value.endswith("/")):
            place = posixpath.join(place, posixpath.basename(word.value))
        target = word.value if word.is_literal else _found_on_path(work, each, word)
        work.put(each, place, "link", 0o777, target)


def _found_on_path(work: Work, each: Executed, word: Word) -> Value:
    """What `$(which NAME)` gives."""
    asked = _WHICH.fullmatch(word.value)
    name: Value | None = asked["name"] if asked is not None else None
    if asked is not None and asked["variable"]:
        name = work.variable(each, asked["variable"])
    found = program(work.view, name, work.variable(each, "PATH")) if isinstance(name, str) else None
    path = found.path if isinstance(found, Program) else None
    return path or Unknown(f"the shell computes {word.text}")


def _install(work: Work, each: Executed) -> None:
    operands, options = split(each, "mogtS", ("--mode", "--owner", "--group"))
    mode = options.get("-m", options.get("--mode", "755"))
    bits = int(mode, 8) if re.fullmatch(r"[0-7]{3,4}", mode) else None
    owner = options.get("-o", options.get("--owner"))
    if "-d" in options:
        for word in operands:
            work.put(each, work.path(each, word), "folder", bits)
    else:
        _copy(work, each)
    for word in operands if "-d" in options else operands[-1:]:
        path = work.path(each, word)
        if owner and isinstance(path, str):
            work.events.append(Owned(work.cause(each), path, work.view.uid(owner), False))


def _chmod(work: Work, each: Executed) -> None:
    words = [word for word in each.words[1:] if not word.value.startswith("-") or _MODE.fullmatch(word.value)]
    is_recursive = any(word.value in ("-R", "--recursive", "-Rf", "-fR", "-vR") for word in each.words)
    for word in words[1:]:
        path = work.path(each, word)
        if isinstance(path, str):
            work.events.append(Moded(work.cause(each), path, words[0].value, is_recursive))


def _chown(work: Work, each: Executed) -> None:
    operands, options = split(each)
    if not operands:
        return
    who = operands[0]
    owner = work.view.uid(who.value if who.is_literal else Unknown(f"the shell computes {who.text}"))
    is_recursive = "-R" in options or "--recursive" in options
    for word in operands[1:]:
        path = work.path(each, word)
        if isinstance(path, str) and not who.value.startswith(":"):
            work.events.append(Owned(work.cause(each), path, owner, is_recursive))


def _fetch(work: Work, each: Executed) -> None:
    """curl and wget: the file they are told to write, or the one the URL names."""
    is_curl = each.name == "curl"
    operands, options = split(each, "oHXduAebTmw" if is_curl else "OPoUte", ("--output", "--output-document"))
    named = options.get("-o" if is_curl else "-O", options.get("--output", options.get("--output-document")))
    folder = options.get("--output-dir", options.get("-P", options.get("--directory-prefix", ".")))
    if named:
        if named != "-" and not named.startswith("/dev/"):
            work.put(each, work.path(each, _literal(work, each, named)), "file", 0o644)
        return
    if is_curl and not {"-O", "--remote-name", "-J"} & options.keys():
        return
    for word in operands:
        name = posixpath.basename(urlsplit(word.value).path) if word.is_literal else ""
        path = work.path(each, posixpath.join(folder, name)) if name else Unknown(f"the shell computes {word.text}")
        work.put(each, path, "file", 0o644)


def _literal(work: Work, each: Executed, value: str) -> str | Unknown:
    return Unknown(f"the shell computes {value}") if "$" in value else value


def _git(work: Work, each: Executed) -> None:
    operands, options = split(each, "bCc", ("--branch", "--depth", "--config", "--origin", "--jobs", "--filter"))
    if not operands or operands[0].value != "clone":
        if [word.value for word in operands[:2]] == ["remote", "add"] and len(operands) > 3:
            _cloned(work, each, operands[3].value, work.path(each, options.get("-C", ".")))
        elif operands and operands[0].value in ("submodule", "checkout", "pull", "lfs", "apply", "reset"):
            work.unsure(each, "git changes files", "files")
        return
    if len(operands) < 2:
        return
    url = operands[1].value.rstrip("/")
    place = operands[2] if len(operands) > 2 else posixpath.basename(url).removesuffix(".git")
    path = work.path(each, place)
    if isinstance(path, str) and not work.is_mounted(path):
        work.put(each, path, "folder", 0o755)
    _cloned(work, each, url, path)


def _cloned(work: Work, each: Executed, url: str, path: Value) -> None:
    reason, below = f"nobody knows what {url} holds", path if isinstance(path, str) else "/"
    work.events.append(Unsure(work.cause(each), reason, frozenset({"files"}), below, url))


def _unpack(work: Work, each: Executed) -> None:
    operands, options = split(each, "Cfdo", ("--directory",))
    folder = options.get("-C", options.get("-d", options.get("--directory", ".")))
    path = work.path(each, _literal(work, each, folder))
    letters = operands[0].value if operands and each.arguments[0] == operands[0].value and each.name == "tar" else ""
    if {"-t", "-l", "-c", "--create", "--list"} & options.keys() or set(letters) & set("ct"):
        return
    below = path if isinstance(path, str) else "/"
    about: list[Scope] = ["files"]
    if below in _FOLDERS_OF_PROGRAMS:
        about.append("programs")
    if _may_hold_python(each, below):
        about.append("interpreters")
    work.unsure(each, f"nobody knows what {each.name} unpacks", *about, below=below)


def _may_hold_python(each: Executed, below: str) -> bool:
    """Whether an interpreter may lie in an archive: where its name says so, or nobody knows its name."""
    archives = [value for value in each.arguments if _ARCHIVE.search(value) and not _SOURCES.search(value)]
    if any(_ARCHIVE.search(value) for value in each.arguments) and "$" not in "".join(archives):
        return any(_PYTHONS.search(value) for value in archives)
    return below not in _FOLDERS_OF_PROGRAMS


EFFECTS: dict[str, Callable[[Work, Executed], None]] = {
    "mkdir": _mkdir,
    "touch": _touch,
    "tee": _touch,
    "rm": _remove,
    "rmdir": _remove,
    "unlink": _remove,
    "cp": _copy,
    "mv": _move,
    "ln": _link,
    "install": _install,
    "chmod": _chmod,
    "chown": _chown,
    "curl": _fetch,
    "wget": _fetch,
    "git": _git,
    "tar": _unpack,
    "unzip": _unpack,
    "bsdtar": _unpack,
}
