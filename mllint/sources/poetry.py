"""The table `tool.poetry` of a `pyproject.toml`, its constraints translated into the specifiers of PEP 440.

After "Dependency specification" in Poetry's manual and poetry-core 2.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex
from mllint.sources.pip_options import Text
from mllint.sources.requirements import Requirement, normalised

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.sources.nodes import Node


class PoetryDependency(NamedTuple):
    """One dependency, as pip would be asked for it."""

    requirement: Requirement
    """Its specifier is empty where PEP 440 has none for the constraint; name, specifier and URL stand where key and
    value do."""
    constraint: str
    """As written, empty where there is none (Git, URL, path)."""
    is_optional: bool
    """Whether only an extra brings it."""
    is_editable: bool
    source: str | None
    """The name of the index it must come from."""


class PoetryGroup(NamedTuple):
    """A group of dependencies; "main" stands outside all groups."""

    name: str
    dependencies: tuple[PoetryDependency, ...]
    is_optional: bool
    """Whether it is installed only when asked for."""


class Poetry(NamedTuple):
    """What `tool.poetry` says beside names, versions and scripts."""

    dependencies: tuple[PoetryDependency, ...]
    groups: Mapping[str, PoetryGroup]
    """By normalised name, "dev" also from the old `dev-dependencies`."""
    extras: Mapping[str, tuple[str, ...]]
    """The names of optional dependencies, normalised, by extra."""
    requires_python: Text | None
    """As a specifier of PEP 440, empty where there is none for the constraint."""
    is_package: bool
    """Whether the project itself is installed (`package-mode`)."""


def read(table: Node) -> Poetry:
    """Read the table `tool.poetry`; parts of the wrong kind count as not there."""
    main = table.at("dependencies")
    python = table.at("dependencies", "python")
    if python is not None and python.kind == "table":
        python = python.at("version")
    groups = {}
    if old := _group("dev", table.at("dev-dependencies"), None):
        groups["dev"] = old
    for name, (_, node) in _entries(table.at("group")):
        if group := _group(name, node.at("dependencies"), node.at("optional")):
            groups[normalised(name)] = group
    return Poetry(
        tuple(_dependencies(main)),
        groups,
        {
            normalised(name): tuple(normalised(item.text) for item in node.items if item.kind == "string")
            for name, (_, node) in _entries(table.at("extras"))
        },
        Text(specifier(python.text) or "", python.span) if python is not None and python.kind == "string" else None,
        not _says(table.at("package-mode"), "false"),
    )


def _entries(table: Node | None) -> list[tuple[str, tuple[Node, Node]]]:
    return list(table.entries.items()) if table else []


def _says(node: Node | None, word: str) -> bool:
    return node is not None and node.kind == "boolean" and node.text == word


def _group(name: str, table: Node | None, optional: Node | None) -> PoetryGroup | None:
    return PoetryGroup(name, tuple(_dependencies(table)), _says(optional, "true")) if table else None


def _dependencies(table: Node | None) -> Iterator[PoetryDependency]:
    for name, (key, value) in _entries(table):
        if name == "python":
            continue
        # A list holds one constraint for each of several environments.
        for each in value.items if value.kind == "list" else (value,):
            yield _dependency(name, key, each)


def _dependency(name: str, key: Node, value: Node) -> PoetryDependency:
    version = value.at("version") if value.kind == "table" else value
    constraint = version.text if version is not None and version.kind == "string" else ""
    translated = specifier(constraint) or ""
    extras_node = value.at("extras")
    extras = tuple(item.text for item in extras_node.items if item.kind == "string") if extras_node else ()
    marker = _marker(value)
    direct = _direct(value)
    text = name + (f"[{','.join(extras)}]" if extras else "")
    text += f" @ {direct.text}" if direct else translated
    requirement = Requirement(
        span=key.span._replace(end=max(key.span.end, value.span.end)),
        comment=None,
        variables=(),
        ignored=(),
        text=text + (f" ; {marker}" if marker else ""),
        options=(),
        name=name,
        name_span=key.span,
        extras=extras,
        specifier="" if direct else translated,
        specifier_span=version.span if version is not None and not direct else None,
        marker=marker,
        marker_span=value.span if marker else None,
        url=direct.text if direct else None,
        url_span=direct.span if direct else None,
    )
    source = _string(value, "source")
    optional, editable = _says(value.at("optional"), "true"), _says(value.at("develop"), "true")
    return PoetryDependency(requirement, constraint, optional, editable, source.text if source else None)


def _string(table: Node, *keys: str) -> Node | None:
    node = table.at(*keys)
    return node if node is not None and node.kind == "string" else None


def _direct(value: Node) -> Text | None:
    """A dependency that comes by URL, path or from a repository, as pip takes it."""
    if git := _string(value, "git"):
        revision = next((node.text for key in ("rev", "tag", "branch") if (node := _string(value, key))), None)
        return Text(f"git+{git.text}" + (f"@{revision}" if revision else ""), git.span)
    for key in ("url", "path", "file"):
        if node := _string(value, key):
            return Text(node.text, node.span)
    return None


def _marker(value: Node) -> str | None:
    """The environment that a dependency is for: of `markers`, `python` and `platform`."""
    parts = []
    if written := _string(value, "markers"):
        parts.append(f"({written.text})")
    if (python := _string(value, "python")) and (clauses := specifier(python.text)):
        for operator, version in _OPERATOR.findall(clauses):
            variable = "python_full_version" if _FULL.fullmatch(version) else "python_version"
            parts.append(f"{variable} {operator} '{version}'")
    if platform := _string(value, "platform"):
        parts.append(f"sys_platform == '{platform.text}'")
    if len(parts) == 1 and written:
        return written.text
    return " and ".join(parts) or None


_SUFFIX = r"(?:[-_.]?(?:alpha|beta|preview|pre|rc|post|rev|dev|a|b|c|r)[-_.]?\d*){0,3}(?:\+[\w.-]+)?"
_VERSION = rf"\*|v?(?P<version>(?:\d+!)?\d+(?:\.\d+)*(?:\.\*|{_SUFFIX}))"
_CLAUSE = regex(rf"\s*(?P<operator>===?|!=|<=|>=|~=|[<>^~=])?\s*(?:{_VERSION})\s*(?:,|$|(?<=\s))", re.IGNORECASE)
_OPERATOR = regex(r"([=!<>~]+)([^,]+)")
_FULL = regex(r"\d+\.\d+\.\d+.*")
_RELEASE = regex(r"(?P<epoch>\d+!)?(?P<numbers>\d+(?:\.\d+)*)")


def specifier(constraint: str) -> str | None:
    """A constraint of Poetry as a specifier of PEP 440, empty for any version; None where PEP 440 has none for it
    (`||`) or it is no constraint."""
    clauses: list[str] = []
    at = 0
    constraint = constraint.strip()
    while at < len(constraint):
        match = _CLAUSE.match(constraint, at)
        if match is None:
            return None
        if match["version"]:
            clauses.append(_clause(match["operator"] or "", match["version"]))
        at = match.end()
    return ",".join(clauses)


def _clause(operator: str, version: str) -> str:
    release = _RELEASE.match(version)
    if operator in ("^", "~") and release:
        numbers = [int(number) for number in release["numbers"].split(".")]
        return f">={version},<{release['epoch'] or ''}{_next(numbers, caret=operator == '^')}"
    return ("==" if operator in ("", "=") else operator) + version


def _next(numbers: list[int], *, caret: bool) -> str:
    """The first release beyond: a caret raises the leftmost number that is not zero, a tilde the second."""
    raised = min(1, len(numbers) - 1)
    if caret:
        raised = next((at for at, number in enumerate(numbers) if number), len(numbers) - 1)
    kept = [*numbers[:raised], numbers[raised] + 1, *[0] * (len(numbers) - raised - 1)]
    return ".".join(str(number) for number in kept)
