"""Credentials that a RUN writes into a file, where they stay in its layer."""

from __future__ import annotations

import posixpath
import re
from fnmatch import fnmatchcase, translate
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mllint import facts, masking
from mllint.image.copies import relative
from mllint.image.paths import joined
from mllint.image.values import Unknown
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step
    from mllint.sources.shell_tree import Word
    from mllint.sources.text import Span

_PRINTS = frozenset({"echo", "printf", "cat", "tee"})
_VARIABLE = regex(r"\$\{?(\w+)")
_USER_INFO = regex(r"://([^\s/@]*)@")
_LEAVES = frozenset({"logout", "unset", "--unset", "--unset-all", "--remove-section", "--unset-section"})
_SHORTEST = 6


class Kept(NamedTuple):
    """A credential in a file of a layer."""

    span: Span
    """The command that writes it."""
    call: str
    """`huggingface-cli login`, `echo` …"""
    variable: str | None
    """Where the credential comes from; None for a literal, and for what a command prints."""
    file: str
    path: str = ""
    """The absolute path of that file, where it is known."""
    reads: str | None = None
    """The variable that the program takes the credential from without a login."""


def kept(stage: Stage, step: Step) -> Iterator[Kept]:
    """The credentials that a RUN leaves in files of its layer."""
    calls = step.commands
    for at, each in enumerate(calls):
        found = _login(step, each) or _printed(step, each)
        if found is not None and not _is_gone(stage, step, found, each, calls[at + 1 :]):
            yield found._replace(path=_absolute(stage, step, each, found.file) or found.file)


def _login(step: Step, each: Executed) -> Kept | None:
    """What a call by the table `logins` writes."""
    for row in _rows().get(each.name, ()):
        words = [word for word in each.words[1:] if not word.value.startswith("-")]
        wanted = row["call"].split()[1:]
        behind = [word.value for word in words[: len(wanted)]]
        if len(behind) < len(wanted) or not all(map(fnmatchcase, behind, wanted)):
            continue
        for word in _credentials(each, words[len(wanted) :] or _assigned(words), row["given"]):
            variable = _given(step, each, word, row["given"] == "url")
            if variable is not None:
                return Kept(
                    each.span,
                    " ".join((each.name, *behind)).partition("=")[0],
                    variable or None,
                    _file(step, each, row),
                    reads=row.get("reads"),
                )
    return None


@cache
def _rows() -> dict[str, list[dict[str, Any]]]:
    """The rows by program."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in facts.rows("logins"):
        found.setdefault(row["call"].split()[0], []).append(row)
    return found


def _credentials(each: Executed, operands: list[Word], given: str) -> Iterator[Word]:
    """The words in which the credential of a call stands."""
    if given == "operand":
        yield from operands[-1:]
    elif given == "url":
        yield from (word for word in each.words if "://" in word.value)
    else:
        names = given.split()
        for word, following in zip(each.words, (*each.words[1:], None), strict=True):
            name, equals, value = word.value.partition("=")
            if name in names and equals:
                yield word._replace(value=value)
            elif name in names and following is not None:
                yield following


def _assigned(words: list[Word]) -> list[Word]:
    """The value of a last word that is `NAME=VALUE`."""
    _, equals, value = words[-1].value.partition("=")
    return [words[-1]._replace(value=value)] if equals else []


def _given(step: Step, each: Executed, word: Word, is_url: bool) -> str | None:
    """The variable that a word takes a credential from, empty for one that it holds itself or that a command prints;
    None where it holds none, or only a variable that nothing in this file sets."""
    text = "".join(_USER_INFO.findall(word.value)) if is_url else word.value
    name = next((name for name in _VARIABLE.findall(text) if _is_set(step, each, name)), None)
    if name is not None:
        return name if not is_url or masking.looks_secret_name(name) else None
    if "$(" in text or "`" in text:
        return ""
    is_literal = masking.is_literal(text) and len(text) >= _SHORTEST
    return "" if (masking.secret_value(word.value) if is_url else is_literal) else None


def _is_set(step: Step, each: Executed, name: str) -> bool:
    """Whether this file gives a variable, or takes it as an argument, a secret or from a command."""
    if name in step.before.args or name in step.before.env or name in each.environment:
        return True
    if any(mount.variable == name for mount in step.mounts):
        return True
    return re.search(rf"\b{name}=", step.instruction.rest.text) is not None


def _file(step: Step, each: Executed, row: dict[str, Any]) -> str:
    home = row.get("home")
    folder = each.environment.get(home, step.before.get(home)) if home else None
    name = str(row["file"])
    return posixpath.join(folder, posixpath.basename(name)) if isinstance(folder, str) and folder else name


def _printed(step: Step, each: Executed) -> Kept | None:
    """What echo and its like write into a file that is known to hold credentials."""
    if each.name not in _PRINTS:
        return None
    targets = [r.target.value for r in each.command.redirects if r.target is not None and r.operator in (">", ">>")]
    targets += each.arguments if each.name == "tee" else ()
    file = next((target for target in targets if _holds_credentials().fullmatch(target)), None)
    if file is None:
        return None
    text = " ".join((*(word.text for word in each.words), *(heredoc.content for heredoc in step.instruction.heredocs)))
    if each.name == "tee":
        text = step.instruction.rest.text
    names = (name for name in _VARIABLE.findall(text) if masking.looks_secret_name(name))
    variable = next((name for name in names if _is_set(step, each, name)), None)
    if variable is None and not masking.secrets(text):
        return None
    return Kept(each.span, each.name, variable, file)


@cache
def _holds_credentials() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:.*/)?{translate(row['file'])}" for row in facts.rows("credential_files")))


def _is_gone(stage: Stage, step: Step, found: Kept, each: Executed, later: tuple[Executed, ...]) -> bool:
    """Whether the file is in no layer: in a mount, or removed by the same RUN."""
    if found.file == ".git/config":
        folder = posixpath.basename(each.arguments[-1]).removesuffix(".git") if each.arguments else ""
        return any(posixpath.basename(path.rstrip("/")) in (folder, ".git") for path in _removed(later)) or any(
            call.name == "git" and call.arguments[:1] == ("remote",) for call in later
        )
    if any(call.name == each.name and not _LEAVES.isdisjoint(call.arguments) for call in later):
        return True
    file = _absolute(stage, step, each, found.file)
    if file is None or any(mount.covers(file) is not False for mount in step.mounts):
        return True
    gone = (_absolute(stage, step, call, path) for call in later if call.name == "rm" for path in call.arguments)
    return any(path is not None and relative(file, path) is not None for path in gone)


def _removed(later: tuple[Executed, ...]) -> Iterator[str]:
    return (path for call in later if call.name == "rm" for path in call.arguments)


def _absolute(stage: Stage, step: Step, each: Executed, path: str) -> str | None:
    """A path in the image; None where nobody knows it."""
    if path.startswith(("~", "$HOME", "${HOME}")):
        home = stage.view_before(step).home(step.before)
        if isinstance(home, Unknown):
            return None
        path = re.sub(r"^(?:~|\$HOME|\$\{HOME\})", home, path)
    whole = joined(each.directory, path.removesuffix("/*"))
    return whole if isinstance(whole, str) else None
