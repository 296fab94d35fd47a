"""The configuration: `[tool.mllint]` in pyproject.toml, or the same options in .mllint.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mllint.findings import Severity
from mllint.globs import ancestry, glob_covers, glob_matches
from mllint.sources.text import Problem, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from mllint.sources.nodes import Node

    Read = Callable[["_Reader", Node, Node], Any]

YAML_FILES = (".mllint.yaml", ".mllint.yml")
PRESETS = ("default", "strict", "all")
PLATFORMS = (
    "docker",
    "compose",
    "swarm",
    "kubernetes",
    "openshift",
    "kserve",
    "knative",
    "sagemaker",
    "vertex",
    "cloud-run",
    "lambda",
    "azure-ml",
    "hf-spaces",
)
"""Where the image will run, which decides what reads HEALTHCHECK, who the user is, which signals and ports count."""
ACCELERATORS = ("auto", "cpu", "cuda", "rocm", "xpu", "hpu", "tpu", "neuron")
"""What computes; `auto` lets the files tell."""

_FILLED = re.compile(r"^(?!---\s*$|\.\.\.\s*$)[ \t]*[^\s#]", re.MULTILINE)


class ConfigError(Exception):
    """A configuration that cannot be used; its str() is one line with the place, counted from 1."""

    def __init__(self, path: Path, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(path, message, line, column)
        self.path = path
        self.line = line
        self.column = column
        self.message = message

    def __str__(self) -> str:
        here = Path.cwd()
        path = self.path.relative_to(here) if self.path.is_relative_to(here) else self.path
        return f"{path.as_posix()}:{self.line}:{self.column}: {self.message}".replace("\n", "\\n")


@dataclass(frozen=True, slots=True)
class Base:
    """What the user says about a base image nobody can look into; None where nothing is said."""

    like: str | None = None
    """A public image that it resembles in everything the other fields leave open."""
    distro: str | None = None
    suite: str | None = None
    architectures: tuple[str, ...] | None = None
    user: str | None = None
    home: str | None = None
    workdir: str | None = None
    python: str | None = None
    """Version of the interpreter that `python` starts."""
    env: Mapping[str, str] | None = None
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    programs: tuple[str, ...] | None = None
    """Names of programs on PATH."""
    libraries: tuple[str, ...] | None = None
    """Names of shared libraries: `libGL.so.1`."""
    distributions: Mapping[str, str] | None = None
    """Installed Python distributions and their versions, empty where only the name is given."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What `dockerfiles` says about some Dockerfiles; None where it says nothing."""

    context: str | None = None
    target: str | None = None
    build_args: Mapping[str, str] | None = None
    platform: str | None = None
    accelerator: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """The options with their defaults. Paths and globs are relative to `root`, the folder of the configuration."""

    root: Path = Path()
    select: tuple[str, ...] | None = None
    """Rules to run instead of those of the preset."""
    extend_select: tuple[str, ...] = ()
    ignore: Mapping[str, str] = field(default_factory=dict)
    """Rules not to run, each with the reason given for it, which may be empty."""
    preset: str = "default"
    severity: Mapping[str, Severity] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    per_path_ignores: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Like `ignore`, by glob."""
    context: str | None = None
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    platform: str | None = None
    accelerator: str = "auto"
    bases: Mapping[str, Base] = field(default_factory=dict)
    """By image pattern, as `registry.example/ml-py311:*`."""
    dockerfiles: Mapping[str, Overrides] = field(default_factory=dict)
    """By glob; where several match, the later ones win."""

    def for_dockerfile(self, path: str) -> Settings:
        """The settings for a Dockerfile, given by its path relative to `root` with forward slashes."""
        settings = self
        for glob, overrides in self.dockerfiles.items():
            if not glob_covers(glob, path):
                continue
            given = {f.name: value for f in fields(overrides) if (value := getattr(overrides, f.name)) is not None}
            given["build_args"] = {**settings.build_args, **given.get("build_args", {})}
            settings = replace(settings, **given)
        return settings

    def ignored_at(self, path: str) -> dict[str, str]:
        """The rules that `per-path-ignores` ignores for a file, with their reasons."""
        ignored: dict[str, str] = {}
        for glob, rules in self.per_path_ignores.items():
            if glob_covers(glob, path):
                ignored |= rules
        return ignored

    def excludes(self, path: str) -> bool:
        """Whether `exclude` leaves out a file, or a folder if its path ends in a slash, as .gitignore would: the last
        matching glob decides, `!` takes back in, and nothing comes back out of a folder that is left out."""
        return any(self._excludes_itself(place) for place in ancestry(path))

    def _excludes_itself(self, path: str) -> bool:
        for glob in reversed(self.exclude):
            if glob_matches(glob.removeprefix("!"), path):
                return not glob.startswith("!")
        return False


def find(directory: Path) -> Path | None:
    """The nearest configuration from a directory upwards, not above the root of its git repository.

    In one folder .mllint.yaml comes before pyproject.toml, which counts only with a table `tool.mllint`. Raises
    ConfigError where a folder has two configurations with content, or one that cannot be read.
    """
    folder = directory.resolve()
    for parent in (folder, *folder.parents):
        try:
            found = _configuration_in(parent)
            is_root = (parent / ".git").exists()
        except PermissionError:
            return None
        if found or is_root:
            return found
    return None


def _configuration_in(folder: Path) -> Path | None:
    """The configuration in a folder; of an empty one and one with content, that with content."""
    candidates = [path for name in YAML_FILES if (path := folder / name).is_file()]
    filled = [path for path in candidates if _FILLED.search(_source(path, _content(path)).text)]
    pyproject = folder / "pyproject.toml"
    if pyproject.is_file() and (found := _tool_table(pyproject)):
        candidates.append(pyproject)
        if found[1].kind != "table" or found[1].entries:
            filled.append(pyproject)
    if len(filled) > 1:
        raise ConfigError(filled[0], f"{filled[1].name} beside it configures mllint too: keep one of the two")
    return next(iter(filled or candidates), None)


def load(path: Path, known: Callable[[str], bool] | None = None, names: Iterable[str] = ()) -> Settings:
    """The settings in a file: those of `tool.mllint` if it is TOML, else all of a YAML file.

    `known` tells whether a text selects rules (by id, name, family, prefix or a peer's code; without it any text
    does), `names` are what to suggest for one that does not. Raises ConfigError at the first thing that is wrong.
    """
    is_toml = path.suffix == ".toml"
    found = _tool_table(path) if is_toml else _yaml_root(path)
    if found is None and is_toml:
        raise ConfigError(path, "no [tool.mllint] in this file")
    root = path.parent.resolve()
    if found is None:
        return Settings(root)
    source, table = found
    reader = _Reader(path, source, known, names)
    return Settings(root, **reader.options(replace(table, text="mllint"), table, _OPTIONS))


def _tool_table(path: Path) -> tuple[Source, Node] | None:
    """The table `tool.mllint` of a TOML file."""
    content = _content(path)
    if b"mllint" not in content:
        return None
    source = _source(path, content)
    node = _sound(path, source, *_read_toml(source.text))
    for name in ("tool", "mllint"):
        _, node = node.entries.get(name, (None, None)) if node else (None, None)
    return (source, node) if node else None


@lru_cache(maxsize=1)
def _read_toml(text: str) -> tuple[Node | None, list[Problem]]:
    """Kept, because what `find` has read `load` reads again."""
    from mllint.sources.toml_tree import read_toml

    return read_toml(text)


def _yaml_root(path: Path) -> tuple[Source, Node] | None:
    from mllint.sources.yaml_tree import read_yaml

    source = _source(path, _content(path))
    root = _sound(path, source, *read_yaml(source.text))
    return (source, root) if root and root.kind != "null" else None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror}") from error


def _source(path: Path, content: bytes) -> Source:
    try:
        return Source(path.as_posix(), content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        raise ConfigError(path, "not UTF-8", *Source("", before).position(len(before))) from error


def _sound(path: Path, source: Source, root: Node | None, problems: list[Problem]) -> Node | None:
    """The root of a file that has no problems."""
    if problems:
        first = min(problems, key=lambda problem: problem.span.start)
        refusal = "" if root else f"invalid {'TOML' if path.suffix == '.toml' else 'YAML'}: "
        raise ConfigError(path, refusal + first.message, *source.position(first.span.start))
    return root


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """`, did you mean "…"?` with the name most like a word, or nothing."""
    import difflib

    by_lower_case = {name.lower(): name for name in names}
    close = difflib.get_close_matches(word.lower(), by_lower_case, n=1)
    return f', did you mean "{by_lower_case[close[0]]}"?' if close else ""


class _Reader:
    """Reads options; most methods take the key and the value of one, and all raise ConfigError where it is wrong."""

    def __init__(self, path: Path, source: Source, known: Callable[[str], bool] | None, names: Iterable[str]) -> None:
        self.path = path
        self.source = source
        self.known = known
        self.names = names

    def fail(self, node: Node, message: str) -> NoReturn:
        raise ConfigError(self.path, message, *self.source.position(node.span.start))

    def expect(self, kinds: tuple[str, ...], key: Node, node: Node, wanted: str) -> None:
        if node.kind not in kinds:
            given = {"null": "nothing", "tagged": "a value with a tag"}.get(node.kind, f"a {node.kind}")
            self.fail(node, f'"{key.text}" must be {wanted}, not {given}')

    def options(self, key: Node, node: Node, readers: Mapping[str, Read]) -> dict[str, Any]:
        """A table of known options, as keyword arguments."""
        self.expect(("table",), key, node, "a table")
        values = {}
        for name, (option, value) in node.entries.items():
            if name not in readers:
                self.fail(option, f'unknown option "{name}"{did_you_mean(name, readers)}')
            values[name.replace("-", "_")] = readers[name](self, option, value)
        return values

    def table(self, key: Node, node: Node, read: Callable[[Node, Node], Any]) -> dict[str, Any]:
        """A table whose keys are the user's own."""
        self.expect(("table",), key, node, "a table")
        return {name: read(*entry) for name, entry in node.entries.items()}

    def string(self, key: Node, node: Node) -> str:
        self.expect(("string",), key, node, "a string")
        return node.text

    def scalar(self, key: Node, node: Node) -> str:
        """A string, or whatever else as it is written."""
        self.expect(("string", "number", "boolean", "date"), key, node, "a string")
        return node.text

    def scalars(self, key: Node, node: Node) -> dict[str, str]:
        return self.table(key, node, self.scalar)

    def strings(self, key: Node, node: Node) -> tuple[str, ...]:
        for item in (node, *node.items):
            self.expect(("list",) if item is node else ("string",), key, item, "a list of strings")
        return tuple(item.text for item in node.items)

    def choice(self, key: Node, node: Node, choices: Collection[str]) -> str:
        text = self.string(key, node)
        if text not in choices:
            meant = did_you_mean(text, choices)
            self.fail(node, f'"{key.text}" must be one of {", ".join(choices)}, not "{text}"{meant}')
        return text

    def check_selectors(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if self.known and not self.known(node.text):
                self.fail(node, f'unknown rule "{node.text}"{did_you_mean(node.text, self.names)}')

    def selectors(self, key: Node, node: Node) -> tuple[str, ...]:
        texts = self.strings(key, node)
        self.check_selectors(node.items)
        return texts

    def reasons(self, key: Node, node: Node) -> dict[str, str]:
        """Rules in a list, or in a table with the reason for each."""
        self.expect(("list", "table"), key, node, "a list of rules, or a table of rules and reasons")
        if node.kind == "list":
            return dict.fromkeys(self.selectors(key, node), "")
        self.check_selectors(rule for rule, _ in node.entries.values())
        return self.table(key, node, self.string)

    def ignores(self, key: Node, node: Node) -> dict[str, dict[str, str]]:
        return self.table(key, node, self.reasons)

    def severities(self, key: Node, node: Node) -> dict[str, Severity]:
        choices = [severity.value for severity in Severity]
        severities = self.table(key, node, lambda rule, value: Severity(self.choice(rule, value, choices)))
        self.check_selectors(rule for rule, _ in node.entries.values())
        return severities

    def distributions(self, key: Node, node: Node) -> dict[str, str]:
        return dict.fromkeys(self.strings(key, node), "") if node.kind == "list" else self.scalars(key, node)

    def bases(self, key: Node, node: Node) -> dict[str, Base]:
        return self.table(key, node, lambda image, base: Base(**self.options(image, base, _BASE)))

    def dockerfiles(self, key: Node, node: Node) -> dict[str, Overrides]:
        return self.table(key, node, lambda glob, table: Overrides(**self.options(glob, table, _OVERRIDES)))


def _one_of(choices: Collection[str]) -> Read:
    return lambda reader, key, node: reader.choice(key, node, choices)


_OVERRIDES: dict[str, Read] = {
    "context": _Reader.string,
    "target": _Reader.scalar,
    "build-args": _Reader.scalars,
    "platform": _one_of(PLATFORMS),
    "accelerator": _one_of(ACCELERATORS),
}
_OPTIONS: dict[str, Read] = {
    "select": _Reader.selectors,
    "extend-select": _Reader.selectors,
    "ignore": _Reader.reasons,
    "preset": _one_of(PRESETS),
    "severity": _Reader.severities,
    "exclude": _Reader.strings,
    "per-path-ignores": _Reader.ignores,
    **_OVERRIDES,
    "bases": _Reader.bases,
    "dockerfiles": _Reader.dockerfiles,
}
_BASE: dict[str, Read] = {
    "like": _Reader.string,
    "distro": _Reader.string,
    "suite": _Reader.scalar,
    "architectures": _Reader.strings,
    "user": _Reader.scalar,
    "home": _Reader.string,
    "workdir": _Reader.string,
    "python": _Reader.scalar,
    "env": _Reader.scalars,
    "entrypoint": _Reader.strings,
    "command": _Reader.strings,
    "programs": _Reader.strings,
    "libraries": _Reader.strings,
    "distributions": _Reader.distributions,
}
