"""What package managers are asked to install, read off the commands of a RUN."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.copies import context_path
from mllint.image.paths import joined
from mllint.image.shell.commands import inner_start
from mllint.image.values import Unknown
from mllint.patterns import regex
from mllint.sources import requirements
from mllint.sources.requirements import Constraint, Include, Invalid, Options, Requirement, RequirementsFile
from mllint.sources.shell_tree import Word
from mllint.sources.text import Logical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step
    from mllint.image.values import Value
    from mllint.sources.text import Span


class Manager(NamedTuple):
    """A package manager and how it is called."""

    name: str
    programs: frozenset[str]
    installs: tuple[tuple[str, ...], ...]
    language: str
    values: frozenset[str]
    """The options that take a value."""
    flags: frozenset[str]
    """The long ones that take none, where the beginning of a long option stands for all of it."""

    def full_name(self, written: str) -> str:
        """The long option that a call means."""
        if not self.flags or written in self.flags or written in self.values:
            return written
        fitting = [name for name in self.flags | self.values if name.startswith(written)]
        return fitting[0] if len(fitting) == 1 else written


@dataclass(frozen=True, eq=False)
class Install:
    """One call that installs: `operands` are the words that name what, `options` every option with its value."""

    manager: Manager
    step: Step
    executed: Executed
    verb: str
    operands: tuple[Word, ...]
    options: tuple[tuple[str, Word], ...]

    @property
    def directory(self) -> Value:
        """The working directory at that point of the RUN."""
        return self.executed.directory

    @property
    def span(self) -> Span:
        """The command in the Dockerfile."""
        return self.executed.span

    @property
    def is_certain(self) -> bool:
        """Whether it surely runs."""
        return self.executed.is_certain

    def has(self, *names: str) -> bool:
        """Whether one of these options is given."""
        return any(name in names for name, _ in self.options)

    def values(self, *names: str) -> tuple[Word, ...]:
        """The values of these options, in order."""
        return tuple(value for name, value in self.options if name in names)

    @property
    def files(self) -> tuple[Word, ...]:
        """The requirements files it names."""
        if self.manager.name not in ("pip", "uv pip", "pipenv"):
            return ()
        return tuple(word for word in self._named if word not in self.projects)

    @property
    def projects(self) -> tuple[Word, ...]:
        """The lock files (`pylock.toml`) that it names as requirements files, which pip takes from 26.1 on, and for uv
        the projects."""
        if self.manager.name not in ("pip", "uv pip"):
            return ()
        is_uv = self.manager.name == "uv pip"
        return tuple(
            word
            for word in self._named
            if _PYLOCK.search(word.value) or (is_uv and word.value.endswith((".toml", ".cfg", ".py")))
        )

    @property
    def _named(self) -> tuple[Word, ...]:
        named = self.values("-r", "--requirement", "--requirements")
        return named + self.operands if self.verb == "pip sync" else named

    @property
    def constraints(self) -> tuple[Word, ...]:
        """The constraints files it names."""
        if self.manager.name not in ("pip", "uv pip"):
            return ()
        return self.values("-c", "--constraint", "--constraints", "--override", "--overrides")

    def variable(self, name: str) -> Value | None:
        """The value of an environment variable when the call runs; None where nothing in the file sets it."""
        if name in self.executed.environment:
            return self.executed.environment[name]
        state = self.step.before
        return state.get(name) if name in state.env or name in state.args else None

    @cached_property
    def requirements(self) -> tuple[Requirement | Invalid, ...]:
        """What the command line of pip or uv pip itself asks for."""
        if self.manager.name not in ("pip", "uv pip") or self.verb == "pip sync":
            return ()
        return tuple(_requirement(word) for word in self.operands)


BUILD_TOOLS = frozenset({"pip", "setuptools", "wheel"})
"""What an environment begins with: the newest of these is what people want, and the image does not run them."""
_PYLOCK = regex(r"(?:^|/)pylock(?:\.[^./]+)?\.toml$")
_SHELL_VARIABLE = regex(r"\$\{[^}]*\}|\$\([^)]*\)|`[^`]*`|\$\w+")


def _requirement(word: Word) -> Requirement | Invalid:
    unknown = [] if word.is_literal else [match.span() for match in _SHELL_VARIABLE.finditer(word.value)]
    return requirements.parse_requirement(Logical(word.value, (0,), (inner_start(word),)), unknown)


@cache
def managers() -> tuple[Manager, ...]:
    """The table `package_managers`."""
    return tuple(
        Manager(
            row["manager"],
            frozenset(row["programs"].split()),
            tuple(tuple(verb.split()) for verb in row["installs"]),
            row["language"],
            frozenset(row["values"].split()),
            frozenset(row.get("flags", "").split()),
        )
        for row in facts.rows("package_managers")
    )


def installs(step: Step) -> tuple[Install, ...]:
    """Every install a RUN makes, in order."""
    found = (install_of(step, each) for each in step.commands)
    return tuple(install for install in found if install is not None)


def install_of(step: Step, each: Executed) -> Install | None:
    """The install that one command makes."""
    words = _without_module(each.words)
    name = words[0].value.rpartition("/")[2].rstrip("0123456789.")
    for manager in managers():
        if name not in manager.programs:
            continue
        operands, options = _split(words[1:], manager)
        for verb in manager.installs:
            if tuple(word.value for word in operands[: len(verb)]) == verb:
                rest = tuple(operands[len(verb) :])
                found = Install(manager, step, each, " ".join(verb), rest, tuple(options))
                return None if found.has("--dry-run") else found
    return None


def run_of_uv(step: Step, each: Executed) -> Install | None:
    """The sync that `uv run` makes in front of its program, as a call with the options of both; None for another
    command."""
    program, verb = (*each.runner, "", "")[:2]
    if program.rpartition("/")[2] != "uv" or verb != "run":
        return None
    manager = next(manager for manager in managers() if manager.name == "uv")
    words = tuple(Word(text, text, True, each.command.span) for text in each.runner[2:])
    _, options = _split(words, manager)
    return Install(manager, step, each, "run", (), tuple(options))


def _without_module(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """`python -m pip install` is `pip install`."""
    if re.fullmatch(r"python[0-9.]*|pypy[0-9.]*", words[0].value.rpartition("/")[2]):
        for index, word in enumerate(words[1:-1], start=1):
            if word.value == "-m":
                return words[index + 1 :]
            if word.value.startswith("-m"):
                return (word._replace(text=word.value[2:], value=word.value[2:]), *words[index + 1 :])
            if not word.value.startswith("-"):
                break
    return words


def _split(words: tuple[Word, ...], manager: Manager) -> tuple[list[Word], list[tuple[str, Word]]]:
    operands: list[Word] = []
    options: list[tuple[str, Word]] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        text = word.value
        if not text.startswith("-") or text == "-":
            operands.append(word)
            continue
        if not text.startswith("--"):
            at += _short_options(word, words[at : at + 1], manager.values, options)
            continue
        written, equals, _ = text.partition("=")
        name = manager.full_name(written)
        if equals:
            options.append((name, _tail(word, len(written) + 1)))
        elif name not in manager.values:
            options.append((name, word))
        else:
            options += [(name, value) for value in words[at : at + 1]]
            at += 1
    return operands, options


def _short_options(
    word: Word, following: tuple[Word, ...], with_value: frozenset[str], options: list[tuple[str, Word]]
) -> int:
    """Add the options of `-qr FILE`, `-rFILE` or `-q`; returns how many of the following words their value takes."""
    for index in range(1, len(word.value)):
        name = f"-{word.value[index]}"
        if name not in with_value:
            options.append((name, word))
        elif index + 1 < len(word.value):
            options.append((name, _tail(word, index + 1)))
            return 0
        else:
            options += [(name, value) for value in following]
            return 1
    return 0


def _tail(word: Word, at: int) -> Word:
    return word._replace(text=word.value[at:], value=word.value[at:])


class Closure(NamedTuple):
    """All that a resolver call reads: the files with their nesting, by path in the context."""

    files: Mapping[str, RequirementsFile]
    constraints: Mapping[str, RequirementsFile]
    """Of options, of lines in the files and of the environment; for uv also those that override."""
    is_complete: bool
    """Whether every file was found."""
    has_unread_constraints: bool
    """Whether a constraints file was not."""
    lost: tuple[str, ...]
    """The requirements files that were not found or cannot be read: absolute in the image, or in the context where
    another file names it, or as written."""

    def lines(self) -> Iterator[tuple[RequirementsFile, Requirement]]:
        """Every named requirement of the files."""
        for file in self.files.values():
            for line in file.lines:
                if isinstance(line, Requirement):
                    yield file, line

    @property
    def options(self) -> frozenset[str]:
        """The names of the global options in the files."""
        return frozenset(
            option.name
            for file in self.files.values()
            for line in file.lines
            if isinstance(line, Options)
            for option in line.options
        )


def closure(stage: Stage, install: Install) -> Closure:
    """Follow the requirements and constraints files of a call through the copies into the context."""
    walk = _Walk(stage, install)
    for word in install.files:
        walk.file(word, walk.files)
    for word in install.constraints:
        walk.file(word, walk.constraints)
    walk.environment()
    is_complete = not walk.lost_files and not walk.lost_constraints
    return Closure(walk.files, walk.constraints, is_complete, walk.lost_constraints > 0, tuple(walk.lost_files))


_CONSTRAINT_VARIABLES = {"pip": ("PIP_CONSTRAINT",), "uv pip": ("UV_CONSTRAINT", "UV_OVERRIDE")}


class _Walk:
    def __init__(self, stage: Stage, install: Install) -> None:
        self.stage = stage
        self.install = install
        self.files: dict[str, RequirementsFile] = {}
        self.constraints: dict[str, RequirementsFile] = {}
        self.lost_files: list[str] = []
        self.lost_constraints = 0

    def environment(self) -> None:
        """Read the constraints files that variables name, blanks between them."""
        for name in _CONSTRAINT_VARIABLES.get(self.install.manager.name, ()):
            value = self.install.variable(name)
            if isinstance(value, Unknown):
                self._lose(name, self.constraints)
            else:
                for path in (value or "").split():
                    self._find(path, self.constraints)

    def file(self, word: Word, into: dict[str, RequirementsFile]) -> None:
        if word.is_literal:
            self._find(word.value, into)
        else:
            self._lose(word.text, into)

    def _find(self, written: str, into: dict[str, RequirementsFile]) -> None:
        path = joined(self.install.directory, written)
        found = context_path(self.stage, self.install.step, path) if isinstance(path, str) else None
        if found is None:
            self._lose(path if isinstance(path, str) and "://" not in written else written, into)
        else:
            self._read(found, into)

    def _lose(self, path: str, into: dict[str, RequirementsFile]) -> None:
        if into is self.constraints:
            self.lost_constraints += 1
        else:
            self.lost_files.append(path)

    def _read(self, path: str, into: dict[str, RequirementsFile]) -> None:
        if path in into:
            return
        context = self.stage.build.context
        file = context.inputs.requirements(context.root / path)
        if file is None:
            self._lose(path, into)
            return
        into[path] = file
        for line in file.lines:
            if isinstance(line, Include | Constraint):
                below = into if isinstance(line, Include) else self.constraints
                inner = joined("/" + path.rpartition("/")[0], line.path)
                target = inner.lstrip("/") if isinstance(inner, str) else ""
                if "://" in line.path or context.find(target) is None:
                    self._lose(line.path if "://" in line.path else target, below)
                else:
                    self._read(target, below)
