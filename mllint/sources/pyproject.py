"""`pyproject.toml`: what a project is, what it needs, and how it is built (PEP 518, 621, 735; uv, Poetry, setuptools,
Hatch)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from mllint.sources import poetry
from mllint.sources.nodes import Node
from mllint.sources.pip_options import Text
from mllint.sources.requirements import Invalid, Requirement, normalised, parse_requirement
from mllint.sources.toml_tree import logical_string, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.sources.poetry import Poetry
    from mllint.sources.text import Problem, Source

Requirements = tuple[Requirement | Invalid, ...]


class Script(NamedTuple):
    """A command that the installed project brings."""

    name: str
    target: str
    """`package.module:function`."""
    line: int


class Index(NamedTuple):
    """A package index of uv or Poetry."""

    name: str | None
    url: str | None
    """None for Poetry's entry that orders the default index among the others."""
    is_default: bool
    """Whether it takes the place of the default index."""
    is_explicit: bool
    """Whether only packages that name it come from it."""
    line: int


class Override(NamedTuple):
    """Where uv takes a package from (`tool.uv.sources`)."""

    name: str
    """Normalised."""
    kind: Literal["index", "git", "url", "path", "workspace"]
    location: str
    marker: str | None
    extra: str | None
    group: str | None
    line: int


class Group(NamedTuple):
    """A dependency group (PEP 735)."""

    name: str
    requirements: Requirements
    includes: tuple[Text, ...]
    line: int


class BuildSystem(NamedTuple):
    """What builds the project."""

    requires: Requirements
    backend: str | None
    line: int


class Uv(NamedTuple):
    """The table `tool.uv`."""

    indexes: tuple[Index, ...]
    overrides: tuple[Override, ...]
    dev_dependencies: Requirements
    """The old form of the group "dev"."""
    default_groups: tuple[str, ...]
    """What `uv sync` takes without being asked; "*" stands for all."""
    is_package: bool | None
    """None where `package` is not given: then a build system makes it one."""


class Project(NamedTuple):
    """A parsed `pyproject.toml`; with broken syntax everything is absent."""

    source: Source
    name: Text | None
    version: Text | None
    requires_python: Text | None
    """A specifier; that of Poetry translated."""
    dependencies: Requirements
    """Of `project`; those of Poetry's own table are in `poetry`."""
    optional_dependencies: Mapping[str, Requirements]
    """By normalised extra."""
    groups: Mapping[str, Group]
    """By normalised name."""
    dynamic: frozenset[str]
    """Fields of `project` that the build fills in."""
    requirement_files: tuple[Text, ...]
    """The files from which setuptools takes dynamic dependencies and those of extras."""
    scripts: tuple[Script, ...]
    readme: tuple[Text, ...]
    """The files of the description, as paths; the build fails without them."""
    build_system: BuildSystem | None
    packages: tuple[Text, ...]
    """Folders that the build is told to take, as paths below the project."""
    package_roots: tuple[Text, ...]
    """Folders in which setuptools is told to look for packages."""
    modules: tuple[Text, ...]
    """Single modules that setuptools is told to take, as dotted names."""
    uv: Uv | None
    poetry: Poetry | None
    poetry_sources: tuple[Index, ...]
    problems: tuple[Problem, ...]

    def group(self, name: str) -> Requirements | None:
        """The requirements of a dependency group with those of the groups it includes; None where there is none."""
        if normalised(name) not in self.groups:
            return None
        requirements: list[Requirement | Invalid] = []
        waiting, seen = [normalised(name)], set()
        while waiting:
            each = waiting.pop()
            if each in self.groups and each not in seen:
                seen.add(each)
                requirements += self.groups[each].requirements
                waiting += [normalised(include.text) for include in self.groups[each].includes]
        return tuple(requirements)


def parse(source: Source) -> Project:
    """Read a `pyproject.toml`; what has the wrong kind counts as not there. Never raises."""
    root, problems = read_toml(source.text)
    return _Reader(source, root or Node("table", source.line_span(1))).project(tuple(problems))


class _Reader:
    def __init__(self, source: Source, root: Node) -> None:
        self.source = source
        self.root = root

    def project(self, problems: tuple[Problem, ...]) -> Project:
        table = self.root.at("tool", "poetry")
        of_poetry = poetry.read(table) if table else None
        python = self.text("project", "requires-python") or (of_poetry.requires_python if of_poetry else None)
        return Project(
            self.source,
            self.text("project", "name") or self.text("tool", "poetry", "name"),
            self.text("project", "version") or self.text("tool", "poetry", "version"),
            python,
            self.requirements("project", "dependencies"),
            {
                normalised(extra): self.requirements("project", "optional-dependencies", extra)
                for extra in self.entries("project", "optional-dependencies")
            },
            {normalised(name): self.group(name, key) for name, (key, _) in self.entries("dependency-groups").items()},
            frozenset(each.text for each in self.texts("project", "dynamic")),
            tuple(self.requirement_files()),
            tuple(self.scripts()),
            tuple(self.readme()),
            self.build_system(),
            tuple(self.packages()),
            self.texts("tool", "setuptools", "packages", "find", "where"),
            self.texts("tool", "setuptools", "py-modules"),
            self.uv(),
            of_poetry,
            tuple(self.poetry_sources()),
            problems,
        )

    def text(self, *keys: str) -> Text | None:
        node = self.root.at(*keys)
        return Text(node.text, node.span) if node is not None and node.kind == "string" else None

    def texts(self, *keys: str) -> tuple[Text, ...]:
        """A list of strings, or one string alone."""
        node = self.root.at(*keys)
        items = (node.items if node.kind == "list" else (node,)) if node is not None else ()
        return tuple(Text(item.text, item.span) for item in items if item.kind == "string")

    def entries(self, *keys: str) -> dict[str, tuple[Node, Node]]:
        node = self.root.at(*keys)
        return node.entries if node is not None else {}

    def tables(self, *keys: str) -> list[Node]:
        """A list of tables, or one table alone."""
        node = self.root.at(*keys)
        items = (node.items if node.kind == "list" else (node,)) if node is not None else ()
        return [item for item in items if item.kind == "table"]

    def line(self, node: Node) -> int:
        return self.source.position(node.span.start)[0]

    def requirements(self, *keys: str) -> Requirements:
        node = self.root.at(*keys)
        return self.requirements_of(node.items if node is not None else ())

    def requirements_of(self, items: tuple[Node, ...]) -> Requirements:
        return tuple(
            parse_requirement(logical_string(self.source.text, item))
            for item in items
            if item.kind == "string" and item.text.strip()
        )

    def group(self, name: str, key: Node) -> Group:
        node = self.root.at("dependency-groups", name)
        assert node
        includes = [item.at("include-group") for item in node.items]
        texts = tuple(Text(each.text, each.span) for each in includes if each is not None and each.kind == "string")
        return Group(name, self.requirements_of(node.items), texts, self.line(key))

    def requirement_files(self) -> Iterator[Text]:
        dynamic = ("tool", "setuptools", "dynamic")
        yield from self.texts(*dynamic, "dependencies", "file")
        for extra in self.entries(*dynamic, "optional-dependencies"):
            yield from self.texts(*dynamic, "optional-dependencies", extra, "file")

    def scripts(self) -> Iterator[Script]:
        for keys in (("project", "scripts"), ("project", "gui-scripts"), ("tool", "poetry", "scripts")):
            for name, (key, value) in self.entries(*keys).items():
                # Poetry writes a script of several parts as a table.
                target = value.at("reference") if value.kind == "table" else value
                if target is not None and target.kind == "string":
                    yield Script(name, target.text, self.line(key))

    def readme(self) -> Iterator[Text]:
        yield from self.texts("project", "readme")
        yield from self.texts("project", "readme", "file")
        yield from self.texts("tool", "poetry", "readme")

    def build_system(self) -> BuildSystem | None:
        node = self.root.at("build-system")
        if node is None:
            return None
        backend = self.text("build-system", "build-backend")
        return BuildSystem(
            self.requirements("build-system", "requires"), backend.text if backend else None, self.line(node)
        )

    def packages(self) -> Iterator[Text]:
        folders = {name: value.text for name, (_, value) in self.entries("tool", "setuptools", "package-dir").items()}
        for name in self.texts("tool", "setuptools", "packages"):
            yield Text(folder_of_package(name.text, folders), name.span)
        for target in ("wheel", ""):
            for key in ("packages", "only-include", "include"):
                keys = ("targets", target, key) if target else (key,)
                yield from self.texts("tool", "hatch", "build", *keys)
        for table in self.tables("tool", "poetry", "packages"):
            include, below = table.at("include"), table.at("from")
            if include is not None:
                yield Text(f"{below.text}/{include.text}" if below else include.text, include.span)

    def uv(self) -> Uv | None:
        if self.root.at("tool", "uv") is None:
            return None
        package = self.root.at("tool", "uv", "package")
        has_defaults = self.root.at("tool", "uv", "default-groups") is not None
        defaults = tuple(each.text for each in self.texts("tool", "uv", "default-groups"))
        if defaults == ("all",):
            defaults = ("*",)
        return Uv(
            tuple(self.uv_indexes()),
            tuple(self.overrides()),
            self.requirements("tool", "uv", "dev-dependencies"),
            defaults if has_defaults else ("dev",),
            package.text == "true" if package is not None and package.kind == "boolean" else None,
        )

    def uv_indexes(self) -> Iterator[Index]:
        for table in self.tables("tool", "uv", "index"):
            name, url = table.at("name"), table.at("url")
            if url is not None:
                default, explicit = (_is_true(table.at(key)) for key in ("default", "explicit"))
                yield Index(name.text if name else None, url.text, default, explicit, self.line(url))
        for key in ("index-url", "extra-index-url"):
            for each in self.texts("tool", "uv", key):
                line = self.source.position(each.span.start)[0]
                yield Index(None, each.text, key == "index-url", is_explicit=False, line=line)

    def poetry_sources(self) -> Iterator[Index]:
        for table in self.tables("tool", "poetry", "source"):
            name, url, priority = (table.at(key) for key in ("name", "url", "priority"))
            # Any source with the priority "primary", which is the default, takes the place of the default index.
            order = priority.text if priority is not None else "primary"
            is_default = order in ("primary", "default") and not _is_true(table.at("secondary"))
            place = next((node for node in (url, name) if node is not None), table)
            yield Index(
                name.text if name else None,
                url.text if url else None,
                is_default,
                order == "explicit",
                self.line(place),
            )

    def overrides(self) -> Iterator[Override]:
        for name, (key, _) in self.entries("tool", "uv", "sources").items():
            for table in self.tables("tool", "uv", "sources", name):
                for kind in _OVERRIDES:
                    if (value := table.at(kind)) is not None:
                        marker, extra, group = (
                            node.text if (node := table.at(each)) else None for each in ("marker", "extra", "group")
                        )
                        line = self.line(key)
                        yield Override(normalised(name), kind, value.text, marker, extra, group, line)


_OVERRIDES: tuple[Literal["index", "git", "url", "path", "workspace"], ...]
_OVERRIDES = ("index", "git", "url", "path", "workspace")


def _is_true(node: Node | None) -> bool:
    return node is not None and node.kind == "boolean" and node.text == "true"


def folder_of_package(name: str, folders: Mapping[str, str]) -> str:
    """Where setuptools looks for a package by dotted name, `folders` being its `package_dir`."""
    tail: list[str] = []
    parts = name.split(".")
    while parts:
        if (found := folders.get(".".join(parts))) is not None:
            return "/".join([part for part in [found.strip("/"), *tail] if part])
        tail.insert(0, parts.pop())
    return "/".join([part for part in [folders.get("", "").strip("/"), *tail] if part])
