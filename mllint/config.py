"""The configuration: `[tool.mllint]` in pyproject.toml, or the same options in .mllint.yaml."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from mllint.globs import ancestry, glob_covers, glob_matches
from mllint.patterns import regex
from mllint.sources.text import Problem, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mllint.findings import Severity
    from mllint.sources.nodes import Node
    from mllint.verification.configuration import Verify

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

LIBCS = ("glibc", "musl")

_FILLED = regex(r"^(?!---\s*$|\.\.\.\s*$)[ \t]*[^\s#]", re.MULTILINE)


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


class Base(NamedTuple):
    """What the user says about a base image nobody can look into; None where nothing is said."""

    like: str | None = None
    """A public image that it resembles in everything the other fields leave open."""
    distro: str | None = None
    suite: str | None = None
    architectures: tuple[str, ...] | None = None
    libc: str | None = None
    user: str | None = None
    uid: str | None = None
    home: str | None = None
    """The home folder of `user`."""
    root_home_mode: str | None = None
    """Mode of /root in octal digits, which decides who else may read it."""
    workdir: str | None = None
    python: str | None = None
    """Version of the interpreter that `python3`, or else `python`, starts; `none` where there is none."""
    python_prefix: str | None = None
    externally_managed: bool | None = None
    """Whether pip refuses to install into it outside a virtual environment."""
    env: Mapping[str, str] | None = None
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    healthcheck: tuple[str, ...] | None = None
    """The test of its health check: `CMD` and words, or `CMD-SHELL` and a text; empty where it has none."""
    ports: tuple[str, ...] | None = None
    """What it exposes: `8000/tcp`."""
    onbuild: tuple[str, ...] | None = None
    """The instructions that a build from it carries out first."""
    programs: tuple[str, ...] | None = None
    """Names of programs on PATH."""
    libraries: tuple[str, ...] | None = None
    """Names of shared libraries: `libGL.so.1`."""
    distributions: Mapping[str, str] | None = None
    """Installed Python distributions and their versions, empty where only the name is given."""
    complete: bool = False
    """Whether `env`, `programs`, `libraries` and `distributions`, where they are given, name all that the image has."""


class Overrides(NamedTuple):
    """What `dockerfiles` says about some Dockerfiles; None where it says nothing."""

    context: str | None = None
    target: str | None = None
    build_args: Mapping[str, str] | None = None
    platform: str | None = None
    accelerator: str | None = None
    driver: str | None = None
    gpus: tuple[str, ...] | None = None


class Settings(NamedTuple):
    """The options with their defaults. Paths and globs are relative to `root`, the folder of the configuration."""

    root: Path = Path()
    select: tuple[str, ...] | None = None
    """Rules to run instead of those of the preset."""
    extend_select: tuple[str, ...] = ()
    ignore: Mapping[str, str] = MappingProxyType({})
    """Rules not to run, each with the reason given for it, which may be empty."""
    preset: str = "default"
    severity: Mapping[str, Severity] = MappingProxyType({})
    exclude: tuple[str, ...] = ()
    per_path_ignores: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    """Like `ignore`, by glob."""
    context: str | None = None
    target: str | None = None
    build_args: Mapping[str, str] = MappingProxyType({})
    platform: str | None = None
    accelerator: str = "auto"
    driver: str | None = None
    """The oldest driver of NVIDIA on the machines that images run on: `535` or `535.183.01`."""
    gpus: tuple[str, ...] = ()
    """The GPUs of these machines, by the names of the table `gpus`."""
    bases: Mapping[str, Base] = MappingProxyType({})
    """By image pattern, as `registry.example/ml-py311:*`."""
    dockerfiles: Mapping[str, Overrides] = MappingProxyType({})
    """By glob; where several match, the later ones win."""
    verify: Verify | None = None
    """What `mllint verify` builds and runs, where the configuration says it."""

    def for_dockerfile(self, path: str) -> Settings:
        """The settings for a Dockerfile, given by its path relative to `root` with forward slashes."""
        settings = self
        for glob, overrides in self.dockerfiles.items():
            if not glob_covers(glob, path):
                continue
            given = {name: value for name, value in overrides._asdict().items() if value is not None}
            given["build_args"] = {**settings.build_args, **given.get("build_args", {})}
            settings = settings._replace(**given)
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
    from dataclasses import replace

    from mllint.config_reader import OPTIONS, Reader

    source, table = found
    reader = Reader(path, source, known, names)
    return Settings(root, **reader.options(replace(table, text="mllint"), table, OPTIONS))


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
