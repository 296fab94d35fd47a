"""What stands in front of the program that is really run: `sudo`, `env`, `nohup`, `conda run` … and `sh -c`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mllint.image.values import Unknown, Value
from mllint.patterns import regex
from mllint.sources.shell_tree import Word

if TYPE_CHECKING:
    from mllint.sources.shell_tree import Command

POSIX_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
# Programs that run the command behind their own options; the value tells which options take a word of their own.
_WRAPPERS = {
    "catatonit": "",
    "command": "",
    "ddtrace-run": "",
    "doas": "uC",
    "dumb-init": "r",
    "eatmydata": "",
    "env": "uCS",
    "exec": "a",
    "gosu": "",
    "nice": "n",
    "nohup": "",
    "runuser": "u",
    "setsid": "",
    "setuidgid": "",
    "stdbuf": "ioe",
    "su-exec": "",
    "sudo": "ugpCDhrtTR",
    "time": "fo",
    "timeout": "ks",
    "tini": "pe",
    "xvfb-run": "efnps",
}
# Those whose first operand, a user or a duration, stands in front of the command.
_WITH_OPERAND = frozenset({"gosu", "setuidgid", "su-exec", "timeout"})
_ASSIGNMENT = regex(r"[A-Za-z_][A-Za-z0-9_]*=")
_ENVIRONMENT_RUNNERS = {
    "conda": "run",
    "mamba": "run",
    "micromamba": "run",
    "uv": "run",
    "poetry": "run",
    "pipenv": "run",
}
_RUNNER_VALUES = frozenset(
    "-n --name -p --prefix --cwd --with --python --env-file --project --directory --extra --group"
    " --with-requirements".split()
)
# The option that says as whom.
_USER_OPTIONS = {"sudo": ("-u", "--user"), "doas": ("-u",), "runuser": ("-u", "--user")}


@dataclass(slots=True)
class Prefix:
    """What was taken off the front."""

    assignments: dict[str, Word] = field(default_factory=dict)
    wrappers: list[str] = field(default_factory=list)
    user: Value | None = None
    runner: tuple[str, ...] = ()


def unwrap(command: Command) -> tuple[tuple[Word, ...], Prefix]:
    """The words of the program itself, which may be a shell with a script, and what stood in front of them."""
    prefix = Prefix({each.name: each.value for each in command.assignments if each.value})
    words = command.words
    while words and shell_script(words) is None:
        name = words[0].value.rpartition("/")[2]
        if name in _WRAPPERS:
            words = _behind_options(words, prefix)
        elif name in _ENVIRONMENT_RUNNERS and [word.value for word in words[1:2]] == ["run"]:
            rest = _behind_runner(words[2:])
            prefix.runner = tuple(word.value for word in words[: len(words) - len(rest)])
            words = rest
        elif name == "su" and (script := _script_of_su(words, prefix)):
            words = script
        else:
            break
        prefix.wrappers.append(name)
    return words, prefix


def _script_of_su(words: tuple[Word, ...], prefix: Prefix) -> tuple[Word, ...]:
    """`su [-] USER -c TEXT` as `sh -c TEXT`."""
    values = [word.value for word in words]
    if "-c" not in values[:-1]:
        return ()
    at = values.index("-c")
    users = [word for word in words[1:at] if not word.value.startswith("-")]
    prefix.user = _said(users[0]) if users else "root"
    return (words[0]._replace(text="sh", value="sh"), *words[at : at + 2])


def _said(word: Word) -> Value:
    return word.value if word.is_literal else Unknown(f"the shell computes {word.text}")


def shell_script(words: tuple[Word, ...]) -> Word | None:
    """The text of `sh -c TEXT` (also `-lc`, `-euo pipefail -c` …); None for any other command."""
    if words[0].value.rpartition("/")[2] not in POSIX_SHELLS:
        return None
    before = ""
    for index, word in enumerate(words[1:], start=1):
        value = word.value
        if value.startswith("-") and not value.startswith("--") and "c" in value[1:]:
            return words[index + 1] if index + 1 < len(words) else None
        if not value.startswith(("-", "+")) and not before.endswith("o"):
            return None
        before = value
    return None


def _behind_options(words: tuple[Word, ...], prefix: Prefix) -> tuple[Word, ...]:
    name = words[0].value.rpartition("/")[2]
    with_value, needs_operand = _WRAPPERS[name], name in _WITH_OPERAND
    if name in ("sudo", "doas"):
        prefix.user = "root"
    at = 1
    while at < len(words):
        value = words[at].value
        if value.startswith("-") and len(value) > 1:
            takes_next = not value.startswith("--") and value[-1] in with_value and len(value) == 2
            if value in _USER_OPTIONS.get(name, ()) and at + 1 < len(words):
                prefix.user, takes_next = _said(words[at + 1]), True
            at += 2 if takes_next else 1
        elif _ASSIGNMENT.match(value):
            variable, _, text = value.partition("=")
            prefix.assignments[variable] = Word(words[at].text, text, words[at].is_literal, words[at].span)
            at += 1
        elif needs_operand:
            needs_operand = False
            if name != "timeout":
                prefix.user = _said(words[at])
            at += 1
        else:
            break
    return words[at:]


def _behind_runner(words: tuple[Word, ...]) -> tuple[Word, ...]:
    at = 0
    while at < len(words) and words[at].value.startswith("-"):
        at += 2 if words[at].value in _RUNNER_VALUES else 1
    return words[at:]
