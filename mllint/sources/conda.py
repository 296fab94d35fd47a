"""Conda's `environment.yml` and its explicit lists of packages (`@EXPLICIT`).

After "Creating an environment file manually" and "Package match specifications" in conda's documentation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex
from mllint.sources.pip_options import Text
from mllint.sources.requirements import Line, parse_line
from mllint.sources.text import Logical, Problem, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.sources.nodes import Node
    from mllint.sources.text import Source


class MatchSpec(NamedTuple):
    """A package that conda is asked for."""

    text: str
    span: Span
    line: int
    name: str
    """Lower case, as conda compares it; "*" where only a URL or brackets tell it."""
    channel: str | None
    """With its platform, if any: `conda-forge/linux-64`."""
    version: str | None
    """As written with its operator, a fuzzy `=3.11` too; None where any version will do."""
    build: str | None
    brackets: Mapping[str, str]
    """What stands in brackets: `[version='>=1', build_number=2]`; version, build and channel also in their fields."""

    @property
    def exact_version(self) -> str | None:
        """The one version this admits; a single `=` admits `1.2.3` for `=1.2` and is none, except with a build."""
        match = _EXACT.fullmatch(self.version or "")
        if match is None or (match["operator"] == "=" and self.build is None):
            return None
        return match["version"]


class Environment(NamedTuple):
    """A parsed `environment.yml`; with broken syntax everything is absent."""

    source: Source
    name: Text | None
    prefix: Text | None
    channels: tuple[Text, ...]
    dependencies: tuple[MatchSpec, ...]
    pip: tuple[Line, ...]
    """The lines of a requirements file that conda hands to pip."""
    variables: Mapping[str, Text]
    problems: tuple[Problem, ...]


class ExplicitPackage(NamedTuple):
    """A package of an explicit list, by its URL."""

    url: str
    line: int
    channel: str
    """The URL up to the name of the platform."""
    platform: str
    name: str
    version: str
    build: str
    has_hash: bool


class Explicit(NamedTuple):
    """An explicit list of packages, which conda installs without solving."""

    source: Source
    packages: tuple[ExplicitPackage, ...]
    problems: tuple[Problem, ...]


# --- match specifications -----------------------------------------------------------------------------------------

_EXACT = regex(r"(?P<operator>==?|)(?P<version>[^\s=<>!~^|,*]+)")
_BRACKETS = regex(r"\[(?P<fields>[^\[\]]*)\]\s*$")
_FIELD = regex(r"""\s*(?P<key>\w+)\s*=\s*(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<plain>[^,\s'"]*))\s*(?:,|$)""")
_NAME = regex(r"(?P<name>[\w.*-]+?)\s*(?P<rest>(?:[=<>!~^\s].*)?)", re.DOTALL)


def parse_match_spec(text: str, span: Span, line: int) -> MatchSpec | None:
    """Read one specification; None where it has no name that conda would take."""
    spec = text.partition(" #")[0].strip()
    fields: dict[str, str] = {}
    while brackets := _BRACKETS.search(spec):
        for field in _FIELD.finditer(brackets["fields"]):
            fields[field["key"]] = field["single"] or field["double"] or field["plain"] or ""
        spec = spec[: brackets.start()].strip()
    before, colons, after = spec.rpartition("::")
    channel = before.partition(":")[0] if colons and "://" not in before else before or None
    match = _NAME.fullmatch(after)
    if match is None:
        return None
    version, build = _version_and_build(match["rest"])
    return MatchSpec(
        text,
        span,
        line,
        match["name"].lower(),
        fields.get("channel", channel),
        fields.get("version", version),
        fields.get("build", build),
        fields,
    )


def _version_and_build(rest: str) -> tuple[str | None, str | None]:
    """Divide what follows a name: `=1.2=py_0` and `1.2 py_0` have a build, `>=1,<2` and `==1.2` have not."""
    rest = rest.strip()
    if not rest:
        return None, None
    # Spaces behind operators and commas divide nothing.
    joined = re.sub(r"(?<=[=<>!~,|])\s+|\s+(?=[,|])", "", rest)
    words = joined.split()
    if len(words) > 1:
        return words[0], words[1]
    with_build = re.fullmatch(r"(=?=?[^=<>!~,|]+)=([^=<>!~,|]+)", joined)
    return (with_build[1], with_build[2]) if with_build else (joined, None)


# --- environment.yml ----------------------------------------------------------------------------------------------


def parse(source: Source) -> Environment:
    """Read an `environment.yml`; what conda would refuse is in `problems`, and the rest is read on. Never raises."""
    from mllint.sources.yaml_tree import read_yaml

    root, problems = read_yaml(source.text)
    reader = _Reader(source, problems)
    if root is None or root.kind != "table":
        if root is not None and root.kind != "null":
            problems.append(Problem(root.span, "an environment must be a table"))
        return Environment(source, None, None, (), (), (), {}, tuple(problems))
    variables = root.at("variables")
    dependencies, pip = reader.dependencies(root.at("dependencies"))
    return Environment(
        source,
        reader.text(root.at("name")),
        reader.text(root.at("prefix")),
        tuple(reader.texts(root.at("channels"))),
        dependencies,
        pip,
        {name: Text(node.text, node.span) for name, (_, node) in variables.entries.items()} if variables else {},
        tuple(reader.problems),
    )


class _Reader:
    def __init__(self, source: Source, problems: list[Problem]) -> None:
        self.source = source
        self.problems = problems

    def text(self, node: Node | None) -> Text | None:
        return Text(node.text, node.span) if node is not None and node.kind not in ("null", "list", "table") else None

    def texts(self, node: Node | None) -> Iterator[Text]:
        """The strings of a list, where anything else is a problem."""
        for item in node.items if node is not None else ():
            if item.kind == "string":
                yield Text(item.text, item.span)
            else:
                self.problems.append(Problem(item.span, f"must be a string, not a {item.kind}"))

    def dependencies(self, node: Node | None) -> tuple[tuple[MatchSpec, ...], tuple[Line, ...]]:
        """The list of dependencies, in which a table holds those of pip."""
        specs: list[MatchSpec] = []
        pip: list[Line] = []
        for item in node.items if node is not None else ():
            if item.kind == "table":
                for name, (key, value) in item.entries.items():
                    if name == "pip":
                        pip += self.pip(value)
                    else:
                        self.problems.append(Problem(key.span, f'conda knows no section "{name}" of dependencies'))
            elif item.kind == "string" and (spec := self.match_spec(item)):
                specs.append(spec)
            else:
                self.problems.append(Problem(item.span, "no package specification"))
        return tuple(specs), tuple(pip)

    def match_spec(self, item: Node) -> MatchSpec | None:
        return parse_match_spec(item.text, item.span, self.source.position(item.span.start)[0])

    def pip(self, node: Node) -> Iterator[Line]:
        for item in node.items:
            if item.kind == "string" and item.text.strip():
                yield parse_line(self.logical(item), item.span)

    def logical(self, item: Node) -> Logical:
        """What a scalar says, with its places; all at its start where that is not written there plainly."""
        at = self.source.text.find(item.text, *item.span)
        if at >= 0:
            return Logical(item.text, (0,), (at,))
        return Logical(item.text, tuple(range(len(item.text))), (item.span.start,) * len(item.text))


# --- explicit lists -----------------------------------------------------------------------------------------------

_FILE = regex(r"(?P<name>.+)-(?P<version>[^-]+)-(?P<build>[^-]+)\.(?:conda|tar\.bz2)")
_MARK = regex(r"^[ \t]*@EXPLICIT[ \t]*\r?$", re.MULTILINE)


def is_explicit(source: Source) -> bool:
    """Whether a text is an explicit list."""
    return _MARK.search(source.text) is not None


def parse_explicit(source: Source) -> Explicit:
    """Read an explicit list; lines that are no URL of a package are in `problems`. Never raises."""
    packages, problems = [], []
    for number, _ in enumerate(source.line_starts, 1):
        span = source.line_span(number)
        line = source.slice(span).strip()
        if not line or line.startswith(("#", "@EXPLICIT")):
            continue
        url, _, checksum = line.partition("#")
        folder, _, file = url.rpartition("/")
        channel, _, platform = folder.rpartition("/")
        if match := _FILE.fullmatch(file):
            name, version, build = match["name"].lower(), match["version"], match["build"]
            packages.append(ExplicitPackage(url, number, channel, platform, name, version, build, bool(checksum)))
        else:
            problems.append(Problem(span, "no URL of a conda package"))
    return Explicit(source, tuple(packages), tuple(problems))
