"""What the commands of a RUN do."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from mllint import facts
from mllint.image.copies import context_path
from mllint.image.effects import accounts, environments, files, installers, resolving, system
from mllint.image.events import EVERYTHING, Cause, Unsure
from mllint.image.events import Scope as About
from mllint.image.paths import UNKNOWN_FOLDER
from mllint.image.shell.commands import from_text, shell_text
from mllint.image.shell.scope import Scope
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.values import Unknown, Value
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.sources.text import Logical, Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllint.image.effects.work import Work
    from mllint.image.shell.commands import Executed
    from mllint.sources.shell_tree import Word

    Effect = Callable[[Work, Executed], None]

_EFFECTS: dict[str, Effect] = {
    **files.EFFECTS,
    **accounts.EFFECTS,
    **system.EFFECTS,
    **environments.EFFECTS,
    **installers.EFFECTS,
}
_MAX_DEPTH = 4
_BIN = regex(r"(?:^|/)s?bin/[^/]+$")
_PROGRAMS_ALONE = regex(r"(?:bazel|cmake|cuda|NVIDIA)[-_][\w.+-]*\.(?:sh|run)")
"""Installers that carry what they install and touch no Python."""
_SETTINGS = regex(
    r"(?:^|/)(?:activate|conda\.sh|\.?bashrc|\.?profile|env(?:ironment)?|os-release|\.env|setup\.(?:ba)?sh)$"
)
_ABOUT: dict[str, frozenset[About]] = {
    "nothing": frozenset(),
    "files": frozenset({"files"}),
    "programs": frozenset({"files", "programs"}),
    "all": EVERYTHING,
}


def carry_out(work: Work) -> None:
    """Write what a RUN does into the log."""
    instruction = work.step.instruction
    if not work.step.has_posix_shell or (not instruction.is_exec_form and shell_text(instruction) is None):
        _opaque(work)
    for each in work.step.commands:
        _carry_out(work, each, 0)


def _opaque(work: Work) -> None:
    """A RUN whose shell nobody reads: PowerShell, or a heredoc for another interpreter."""
    instruction = work.step.instruction
    if instruction.rest.text.strip():
        about = frozenset[About]({"files"}) if instruction.heredocs else EVERYTHING
        work.events.append(Unsure(Cause(work.step, instruction.span), "a RUN is no shell script", about))


def _carry_out(work: Work, each: Executed, depth: int) -> None:
    for redirect in each.command.redirects:
        if redirect.operator in (">", ">>", ">|") and redirect.target is not None:
            work.put(each, work.path(each, redirect.target), "file")
    install = work.install(each)
    if install is not None and install.manager.language == "python":
        resolving.install(work, install)
        return
    effect = installers.of_script(each) or _EFFECTS.get(_plain_name(each.name))
    if effect is not None:
        effect(work, each)
    elif not _is_script(work, each, depth) and not installers.script_of_conda(work, each):
        _as_in_table(work, each)


def _plain_name(name: str) -> str:
    """`python3.11` and `pip3` are `python` and `pip`."""
    return re.sub(r"^(python|pip|pypy)[0-9.]+$", r"\1", name)


def _is_script(work: Work, each: Executed, depth: int) -> bool:
    """Whether a command runs a shell script of the build context, which is then carried out as well."""
    path = _script(each)
    if path is None:
        return False
    place = _place(work, each, path)
    found = context_path(work.stage, work.step, place) if isinstance(place, str) else None
    source = work.stage.build.context.text(found) if found else None
    if source is None or depth >= _MAX_DEPTH or not _is_shell(source.text):
        return False
    scope = Scope(work.state, each.directory)
    scope.variables |= each.environment
    scope.variables |= scope.arguments(each.words[each.words.index(path) + 1 :])
    for inner in from_text(Logical.of(source, Span(0, len(source.text))), scope):
        sure = inner.is_certain and each.is_certain
        _carry_out(work, inner._replace(span=each.span, is_certain=sure, may_fail=each.may_fail), depth + 1)
    return True


def _script(each: Executed) -> Word | None:
    """The word that names the script a command runs, which may be the program itself; None where it runs none."""
    if each.name in POSIX_SHELLS or each.name in (".", "source"):
        return next((word for word in each.words[1:] if not word.value.startswith("-")), None)
    path = each.words[0]
    return None if "/" not in path.value and _plain_name(each.name) in _changes() else path


def _place(work: Work, each: Executed, path: Word) -> Value | None:
    """Where the script of a command lies; None where it is a program that no COPY brought."""
    return work.path(each, path) if "/" in path.value or path is not each.words[0] else _on_path(work, each)


def _on_path(work: Work, each: Executed) -> str | None:
    """Where a program lies that a COPY brought."""
    path = work.variable(each, "PATH")
    for folder in () if isinstance(path, Unknown) else work.view.search(path):
        node = work.view.find(f"{folder}/{each.name}")
        if isinstance(node, Node):
            return node.path if node.origin else None
    return None


def _is_shell(text: str) -> bool:
    return not text.startswith("#!") or any(name in text.partition("\n")[0] for name in POSIX_SHELLS)


def _as_in_table(work: Work, each: Executed) -> None:
    if each.words[0].value in (".", "source"):
        # Scripts that are read in set variables; those of an environment or a profile set nothing else.
        if each.arguments and not _SETTINGS.search(each.arguments[0]):
            work.unsure(each, f"nobody can follow {each.arguments[0]}", "files")
        return
    path, script = each.words[0].value, _script(each)
    # A program that lies on PATH is no installer of Python packages, or it would have a row; a script may do anything.
    is_script = each.name in POSIX_SHELLS or ("/" in path and not _BIN.search(path))
    unlisted = "all" if is_script else "programs"
    table = _changes()
    named = script.value if script is not None else path
    own, folder_too = _plain_name(named.rpartition("/")[2]), "/".join(named.split("/")[-2:])
    if _PROGRAMS_ALONE.fullmatch(own):
        unlisted = "programs"
    changes = table.get(folder_too, table.get(own, unlisted))
    if _is_question(each):
        changes = "nothing"
    if _ABOUT[changes]:
        place = _place(work, each, script) if script is not None else None
        shown = place if isinstance(place, str) and not place.startswith(UNKNOWN_FOLDER) else path
        work.unsure(each, f"nobody can follow what {shown} does", *sorted(_ABOUT[changes]))


def _is_question(each: Executed) -> bool:
    """`x --version` and `x --help` change nothing."""
    return each.arguments in (("--version",), ("-V",), ("-v",), ("--help",), ("-h",), ("version",))


@cache
def _changes() -> dict[str, str]:
    return {name: row["changes"] for row in facts.rows("commands") for name in row["programs"].split()}
