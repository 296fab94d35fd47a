"""Lock files: which releases a project takes, from where, and with which files.

Reads `uv.lock` (versions 1), `poetry.lock` (all versions from 1.0 on), `pylock.toml` (PEP 751) and `pdm.lock`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mllint.patterns import regex
from mllint.sources.requirements import normalised
from mllint.sources.text import Problem, Source, Span
from mllint.sources.toml_tree import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LockKind = Literal["uv", "poetry", "pylock", "pdm"]
OriginKind = Literal["registry", "url", "git", "path", "editable", "virtual"]


class Origin(NamedTuple):
    """Where a package comes from. `path` is a local folder or archive, `editable` a folder that is installed as its
    source tree, `virtual` one of which only the dependencies are installed."""

    kind: OriginKind
    location: str | None
    """The index, URL, repository or path; None for the default index where the lock does not name it."""


class Archive(NamedTuple):
    """A wheel or source distribution."""

    name: str
    """Its file name."""
    url: str | None
    """None where the lock leaves it to the index."""
    size: int | None
    """Bytes; None where the lock does not tell them."""
    has_hash: bool


class Dependency(NamedTuple):
    """What a package needs."""

    name: str
    """Normalised by PEP 503."""
    extras: tuple[str, ...]
    marker: str | None
    specifier: str | None = None
    """Which versions will do; None where the lock settles that."""
    version: str | None = None
    """The very version, where the lock has several."""
    origin: Origin | None = None
    """The very origin, where the lock has several."""


class Locked(NamedTuple):
    """One package of a lock file; packages that depend on the environment may stand there several times."""

    name: str
    """Normalised by PEP 503."""
    version: str | None
    line: int
    """The line of its name."""
    origin: Origin
    wheels: tuple[Archive, ...]
    sdist: Archive | None
    dependencies: tuple[Dependency, ...]
    optional_dependencies: Mapping[str, tuple[Dependency, ...]]
    """By the extra of this package that brings them."""
    group_dependencies: Mapping[str, tuple[Dependency, ...]]
    """By dependency group, of the projects that `uv.lock` is written for."""
    groups: tuple[str, ...]
    """The groups of the project that need it, as Poetry ("main", …) and PDM ("default", …) note them."""
    markers: Mapping[str, str]
    """When to install it at all, by group; "" stands for any group."""
    is_optional: bool
    """Whether only extras of a Poetry project need it."""
    requires_python: str | None


class LockFile(NamedTuple):
    """A parsed lock file; of one with broken syntax there are no packages."""

    source: Source
    kind: LockKind
    packages: tuple[Locked, ...]
    requires_python: str | None
    default_groups: tuple[str, ...]
    """The groups that a `pylock.toml` installs without being asked."""
    extras: Mapping[str, tuple[str, ...]]
    """The packages that an extra of the project brings, as `poetry.lock` notes them; normalised names."""
    problems: tuple[Problem, ...]
    environments: tuple[str, ...] = ()
    """The markers of the only environments that it is for; empty where it is for all."""

    def named(self, name: str) -> tuple[Locked, ...]:
        """The packages of a name, however written."""
        wanted = normalised(name)
        return tuple(package for package in self.packages if package.name == wanted)


_Table = dict[str, Any]
_NAME_LINE = regex(r"^\[\[packages?\]\][ \t]*\r?\n(?=name = )", re.MULTILINE)
_FILE_NAMES: dict[str, LockKind] = {"uv.lock": "uv", "poetry.lock": "poetry", "pdm.lock": "pdm"}


def parse(source: Source) -> LockFile:
    """Read a lock file; what kind it is its content tells, or its name where the syntax is broken. Never raises."""
    import tomllib

    try:
        content = tomllib.loads(source.text)
    except (ValueError, RecursionError):
        _, problems = read_toml(source.text)
        return _broken(source, problems)
    kind = _kind(content) or _kind_by_name(source)
    key = "packages" if kind == "pylock" else "package"
    packages = content.get(key, [])
    if not isinstance(packages, list):
        return _broken(source, [Problem(Span(0, 0), f'"{key}" must be an array of tables')])
    readers: dict[LockKind, Callable[[_Table, _Table, int], Locked]] = {
        "uv": _of_uv,
        "poetry": _of_poetry,
        "pylock": _of_pylock,
        "pdm": _of_pdm,
    }
    read, problems = [], []
    for table, line in zip(packages, _lines(source, packages, key), strict=True):
        if isinstance(table, dict) and isinstance(table.get("name"), str):
            # PDM writes a package once more for its extras, with the same files.
            if kind == "pdm" and "extras" in table:
                continue
            read.append(readers[kind](table, content, line))
        else:
            problems.append(Problem(source.line_span(line), "a package without a name"))
    about_all = _table(content, "metadata")
    python = _text(content, "requires-python") or _text(about_all, "python-versions", "requires_python")
    defaults = _texts(content, "default-groups")
    extras = {normalised(name): _names(table) for name, table in _table(content, "extras").items()}
    environments = _texts(content, "supported-markers") or _texts(content, "environments")
    return LockFile(source, kind, tuple(read), python, defaults, extras, tuple(problems), environments)


def _broken(source: Source, problems: list[Problem]) -> LockFile:
    return LockFile(source, _kind_by_name(source), (), None, (), {}, tuple(problems))


def _kind(content: _Table) -> LockKind | None:
    about_all = _table(content, "metadata")
    if "lock-version" in content or "packages" in content:
        return "pylock"
    if "lock_version" in about_all:
        return "pdm"
    if "content-hash" in about_all or "lock-version" in about_all:
        return "poetry"
    return "uv" if isinstance(content.get("version"), int) else None


def _kind_by_name(source: Source) -> LockKind:
    return _FILE_NAMES.get(source.path.rpartition("/")[2], "pylock" if source.path.endswith(".toml") else "uv")


def _lines(source: Source, packages: list[Any], key: str) -> Iterator[int]:
    """The line of each package's name; a scan for nodes, which takes far longer, only for what no tool writes."""
    ends = [match.end() for match in _NAME_LINE.finditer(source.text)]
    if len(ends) == len(packages):
        return (source.position(end)[0] for end in ends)
    root, _ = read_toml(source.text)
    assert root
    nodes = root.entries[key][1].items if key in root.entries else ()
    spans = [node.entries["name"][0].span if "name" in node.entries else node.span for node in nodes]
    return (source.position(span.start)[0] for span in spans)


# --- each tool's form ---------------------------------------------------------------------------------------------


def _of_uv(table: _Table, content: _Table, line: int) -> Locked:
    return Locked(
        *_head(table, line),
        _origin_of_uv(_table(table, "source")) or Origin("registry", None),
        tuple(_archive(wheel) for wheel in _tables(table, "wheels")),
        _archive(table["sdist"]) if isinstance(table.get("sdist"), dict) else None,
        _dependencies_of_uv(table, "dependencies"),
        _by_name(_table(table, "optional-dependencies")),
        _by_name(_table(table, "dev-dependencies")),
        (),
        {},
        False,
        None,
    )


def _by_name(tables: _Table) -> dict[str, tuple[Dependency, ...]]:
    return {normalised(name): _dependencies_of_uv(tables, name) for name in tables}


def _dependencies_of_uv(table: _Table, key: str) -> tuple[Dependency, ...]:
    return tuple(
        Dependency(
            normalised(name),
            _texts(each, "extra"),
            _text(each, "marker"),
            None,
            _text(each, "version"),
            _origin_of_uv(_table(each, "source")),
        )
        for each in _tables(table, key)
        if (name := _text(each, "name"))
    )


_KINDS_OF_UV: dict[str, OriginKind] = {
    "registry": "registry",
    "git": "git",
    "url": "url",
    "path": "path",
    "directory": "path",
    "editable": "editable",
    "virtual": "virtual",
}


def _origin_of_uv(table: _Table) -> Origin | None:
    return next((Origin(_KINDS_OF_UV[key], str(value)) for key, value in table.items() if key in _KINDS_OF_UV), None)


def _of_poetry(table: _Table, content: _Table, line: int) -> Locked:
    # Up to Poetry 1.2 the files of all packages stood together at the end.
    together = _table(_table(content, "metadata"), "files")
    files = _tables(table, "files") or _tables(together, str(table["name"]))
    dependencies = _table(table, "dependencies")
    category = _text(table, "category")
    groups = _texts(table, "groups") or ((category,) if category else ())
    return Locked(
        *_head(table, line),
        _origin_of_poetry(_table(table, "source")),
        *_by_format([_archive(file) for file in files]),
        tuple(each for name, value in dependencies.items() for each in _dependencies_of_poetry(name, value)),
        {},
        {},
        groups,
        _markers(table, "markers"),
        table.get("optional") is True,
        _text(table, "python-versions"),
    )


def _origin_of_poetry(table: _Table) -> Origin:
    kinds: dict[str | None, OriginKind] = {"git": "git", "url": "url", "directory": "path", "file": "path"}
    kind = kinds.get(_text(table, "type"), "registry")
    if kind == "path" and table.get("develop") is True:
        kind = "editable"
    return Origin(kind, _text(table, "url"))


def _dependencies_of_poetry(name: str, value: object) -> Iterator[Dependency]:
    """One entry of `[package.dependencies]`: a constraint, a table, or several of these for several environments."""
    for each in value if isinstance(value, list) else [value]:
        table = each if isinstance(each, dict) else {"version": each}
        specifier = _text(table, "version")
        yield Dependency(normalised(name), _texts(table, "extras"), _text(table, "markers"), specifier)


def _of_pylock(table: _Table, content: _Table, line: int) -> Locked:
    return Locked(
        *_head(table, line),
        _origin_of_pylock(table),
        tuple(_archive(wheel) for wheel in _tables(table, "wheels")),
        _archive(table["sdist"]) if isinstance(table.get("sdist"), dict) else None,
        _dependencies_of_uv(table, "dependencies"),
        {},
        {},
        (),
        _markers(table, "marker"),
        False,
        _text(table, "requires-python"),
    )


def _origin_of_pylock(table: _Table) -> Origin:
    if vcs := _table(table, "vcs"):
        return Origin("git", _text(vcs, "url", "path"))
    if folder := _table(table, "directory"):
        return Origin("editable" if folder.get("editable") is True else "path", _text(folder, "path"))
    if archive := _table(table, "archive"):
        return Origin("url", _text(archive, "url")) if "url" in archive else Origin("path", _text(archive, "path"))
    return Origin("registry", _text(table, "index"))


def _of_pdm(table: _Table, content: _Table, line: int) -> Locked:
    origin = Origin("registry", None)
    if git := _text(table, "git"):
        origin = Origin("git", git)
    elif path := _text(table, "path"):
        origin = Origin("editable" if table.get("editable") is True else "path", path)
    elif url := _text(table, "url"):
        origin = Origin("url", url)
    return Locked(
        *_head(table, line),
        origin,
        *_by_format([_archive(file) for file in _tables(table, "files")]),
        _requirements(_texts(table, "dependencies")),
        {},
        {},
        _texts(table, "groups"),
        _markers(table, "marker"),
        False,
        _text(table, "requires_python"),
    )


# --- parts of them ------------------------------------------------------------------------------------------------


def _head(table: _Table, line: int) -> tuple[str, str | None, int]:
    return normalised(table["name"]), _text(table, "version"), line


_REQUIREMENT = regex(
    r"\s*(?P<name>[\w.-]+)\s*(?:\[(?P<extras>[^\]]*)\])?\s*(?P<specifier>[^;@]*?)\s*(?:@[^;]*)?(?:;\s*(?P<marker>.*\S))?\s*"
)


def _requirements(texts: tuple[str, ...]) -> tuple[Dependency, ...]:
    """Requirements as PDM writes them, and Poetry those of extras: `name[extras] (specifier) ; marker`."""
    return tuple(
        Dependency(
            normalised(match["name"]),
            tuple((match["extras"] or "").replace(",", " ").split()),
            match["marker"],
            match["specifier"].strip("()") or None,
        )
        for text in texts
        if (match := _REQUIREMENT.fullmatch(text))
    )


def _names(listed: object) -> tuple[str, ...]:
    texts = tuple(each for each in listed if isinstance(each, str)) if isinstance(listed, list) else ()
    return tuple(each.name for each in _requirements(texts))


def _markers(table: _Table, key: str) -> dict[str, str]:
    value = table.get(key)
    if isinstance(value, str):
        return {"": value}
    return {name: text for name, text in _table(table, key).items() if isinstance(text, str)}


def _archive(table: _Table) -> Archive:
    url = _text(table, "url")
    where = _text(table, "name", "filename", "file") or url or _text(table, "path") or ""
    size = table.get("size")
    has_hash = bool(_text(table, "hash") or _table(table, "hashes"))
    name = where.partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2]
    return Archive(name, url, size if isinstance(size, int) else None, has_hash)


def _by_format(archives: list[Archive]) -> tuple[tuple[Archive, ...], Archive | None]:
    wheels = tuple(archive for archive in archives if archive.name.endswith(".whl"))
    return wheels, next((archive for archive in archives if not archive.name.endswith(".whl")), None)


def _text(table: _Table, *keys: str) -> str | None:
    return next((value for key in keys if isinstance(value := table.get(key), str)), None)


def _texts(table: _Table, key: str) -> tuple[str, ...]:
    value = table.get(key)
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _table(table: _Table, key: str) -> _Table:
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def _tables(table: _Table, key: str) -> list[_Table]:
    value = table.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
