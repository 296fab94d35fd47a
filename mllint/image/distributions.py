"""What each Python distribution provides and brings along, by the table `distributions`.

A row holds for the releases from `first` to `last`, both included, or for all where it names neither. Rows read from
metadata are asked before those from memory. What no row says is Unknown: a distribution is absent only where the
requirements of all that is installed are known.
"""

from __future__ import annotations

from collections import deque
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mllint import facts
from mllint.image.values import Unknown
from mllint.sources.markers import Environment, holds
from mllint.sources.requirements import normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from mllint.image.values import Value

Root = tuple[str, str | None, frozenset[str]]
"""A distribution that is asked for: its name, the exact version where one is given, and its extras."""

_PYTHONS = tuple(f"3.{minor}" for minor in range(8, 16))
_Limits = dict[str, frozenset[str]]


class Release(NamedTuple):
    """What a range of releases of one distribution provides and requires; None where the row does not say."""

    first: Version | None
    last: Version | None
    imports: frozenset[str] | None
    scripts: frozenset[str] | None
    requires: tuple[str, ...] | None
    extras: Mapping[str, tuple[str, ...]]
    is_verified: bool

    def covers(self, version: Version) -> bool:
        """Whether a version lies in the range."""
        return (self.first is None or self.first <= version) and (self.last is None or version <= self.last)

    def overlaps(self, limits: SpecifierSet) -> bool:
        """Whether the range may hold a version within the limits."""
        from packaging.version import Version

        if self.first is None or self.last is None:
            return True
        named = [Version(limit.version.removesuffix(".*")) for limit in limits if limit.operator != "==="]
        inside = [version for version in named if self.covers(version)]
        return any(limits.contains(version, prereleases=True) for version in (self.first, self.last, *inside))


class Brought(NamedTuple):
    """All distributions that come with the roots, themselves included, by normalised names."""

    via: Mapping[str, str]
    """Each that surely comes, with the root that it comes with."""
    possible: Mapping[str, str]
    """Each that comes with some releases or interpreters only, and why that is open."""
    unknown: tuple[str, ...]
    """Those whose requirements are not known, as `name[extra]` where it is those of an extra."""
    from_memory: tuple[str, ...]
    """Those whose requirements are in the table from memory: an absence that rests on them feeds no error."""

    @property
    def is_complete(self) -> bool:
        """Whether the requirements of everything that comes are known."""
        return not self.unknown

    def brings(self, name: str) -> Literal["present", "absent"] | Unknown:
        """Whether a distribution is among them."""
        name = normalised(name)
        if name in self.via:
            return "present"
        if name in self.possible:
            return Unknown(self.possible[name])
        if self.unknown:
            return Unknown(f"what {self.unknown[0]} requires is not known")
        return "absent"


def imports(name: str, version: Value | None) -> frozenset[str] | Unknown:
    """The names that a distribution lets Python import: top-level ones, and those of its portions of a namespace
    package (`google.protobuf`). A version of None stands for the newest known."""
    rows = [(row, row.imports) for row in releases(name) if row.imports is not None]
    return _agreed(name, version, rows)


def scripts(name: str, version: Value | None) -> frozenset[str] | Unknown:
    """The programs that a distribution puts beside the interpreter. A version of None stands for the newest known."""
    rows = [(row, row.scripts) for row in releases(name) if row.scripts is not None]
    return _agreed(name, version, rows)


def has_script(name: str, version: Value | None, program: str) -> bool | Unknown:
    """Whether a distribution puts a program beside the interpreter. Where no row has the release and the others differ,
    that is known of a program that all of them have or none."""
    given = scripts(name, version)
    if isinstance(given, frozenset):
        return program in given
    answers = {program in row.scripts for row in releases(name) if row.scripts is not None}
    return answers.pop() if len(answers) == 1 else given


def guess_import(name: str) -> str:
    """The import name that a distribution has by convention."""
    return normalised(name).replace("-", "_")


def providers_of_import(module: str) -> tuple[str, ...]:
    """The distributions that provide a module, given by its dotted name, the likeliest first."""
    index = _providers("imports")
    while module:
        if found := index.get(module):
            return found
        module = module.rpartition(".")[0]
    return ()


def providers_of_script(program: str) -> tuple[str, ...]:
    """The distributions that provide a program, the likeliest first."""
    return _providers("scripts").get(program, ())


def closure(roots: Iterable[Root], python: str | None, *, newest: bool = False) -> Brought:
    """Everything that comes with the roots on Linux, for a version of Python (`3.11`) or, with None, for any.

    Of a distribution without a version, each release of the table that the requirements admit is weighed; with
    `newest` only the newest of them, which a resolver takes unless something else holds it back.
    """
    return _closure(tuple(roots), python, newest)


@cache
def _closure(given: tuple[Root, ...], python: str | None, newest: bool) -> Brought:
    limits: _Limits = {}
    while True:
        walk = _Walk(given, python, newest, limits)
        walk.run()
        # What one requirement shuts out does not come with another's either. Limits only grow, so this ends.
        grown = {name: limits.get(name, frozenset()) | found for name, found in walk.found.items()}
        if all(limits.get(name) == limit for name, limit in grown.items()):
            return Brought(walk.via, walk.possible, tuple(sorted(walk.unknown)), tuple(sorted(walk.from_memory)))
        limits |= grown


@cache
def _rows() -> dict[str, tuple[dict[str, Any], ...]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in facts.rows("distributions"):
        grouped.setdefault(row["name"], []).append(row)
    return {name: tuple(rows) for name, rows in grouped.items()}


@cache
def releases(name: str) -> tuple[Release, ...]:
    """The rows of a distribution: those read from metadata by falling versions, then those from memory."""
    rows = [_release(row) for row in reversed(_rows().get(normalised(name), ()))]
    return tuple(sorted(rows, key=lambda row: not row.is_verified))


def _release(row: Mapping[str, Any]) -> Release:
    return Release(
        _version(row.get("first")),
        _version(row.get("last")),
        frozenset(row["imports"].split()) if "imports" in row else None,
        frozenset(row.get("scripts", "").split()) if "scripts" in row or "imports" in row else None,
        _listed(row["requires"]) if "requires" in row else None,
        {extra: _listed(text) for extra, text in row.get("extras", {}).items()},
        row["status"] == "verified",
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split(", ")) if text else ()


def _version(text: str | None) -> Version | None:
    """A version without its local part; None for a text that is none."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(Version(text).public) if text is not None else None
    except InvalidVersion:
        return None


def _agreed(name: str, version: Value | None, rows: list[tuple[Release, frozenset[str]]]) -> frozenset[str] | Unknown:
    """What the row of a version says; where no row has it, what all rows say alike, as such names change seldom."""
    if not rows:
        return Unknown(f"what {name} provides is not known")
    if version is None:
        return rows[0][1]
    exact = _version(version) if isinstance(version, str) else None
    for row, names in rows:
        if exact is not None and row.covers(exact):
            return names
    if len({names for _, names in rows}) == 1:
        return rows[0][1]
    return Unknown(f"what {name} provides differs between its releases")


@cache
def _providers(column: Literal["imports", "scripts"]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for name, rows in _rows().items():
        for row in rows:
            for provided in row.get(column, "").split():
                found.setdefault(provided, set()).add(name)
    return {
        provided: tuple(sorted(names, key=partial(_rank, provided)) if len(names) > 1 else names)
        for provided, names in found.items()
    }


def _rank(provided: str, name: str) -> tuple[bool, int, str]:
    """What is called like the thing it provides first, then the plainest name: opencv-python before its variants."""
    return name != normalised(provided), len(name), name


class _Edge(NamedTuple):
    """A distribution that another requires, with one extra of it or none."""

    name: str
    extra: str | None
    specifier: str
    why_open: str | None
    """Why it may not come; None where it surely does."""


class _Item(NamedTuple):
    """A distribution to carry in."""

    name: str
    extras: frozenset[str]
    root: str
    why_open: str | None


class _Walk:
    """One walk over the graph from the roots, under the limits that requirements are known to set."""

    def __init__(self, roots: tuple[Root, ...], python: str | None, newest: bool, limits: _Limits) -> None:
        self.certain = deque(_Item(normalised(name), extras, normalised(name), None) for name, _, extras in roots)
        self.open: deque[_Item] = deque()
        self.pins = {normalised(name): version for name, version, _ in roots if version is not None}
        self.pythons = _PYTHONS if python is None else (python,)
        self.newest = newest
        self.limits = limits
        self.via: dict[str, str] = {}
        self.possible: dict[str, str] = {}
        self.unknown: set[str] = set()
        self.from_memory: set[str] = set()
        self.found: _Limits = {}
        self.done: set[tuple[str, str | None]] = set()

    def run(self) -> None:
        """Walk: first along what surely comes, then along what may."""
        while self.certain or self.open:
            item = self.certain.popleft() if self.certain else self.open.popleft()
            if item.why_open is None:
                self.via.setdefault(item.name, item.root)
            elif item.name not in self.via:
                self.possible.setdefault(item.name, item.why_open)
            for edge in self._edges(item):
                why = item.why_open or edge.why_open
                extras = frozenset() if edge.extra is None else frozenset([edge.extra])
                (self.certain if why is None else self.open).append(_Item(edge.name, extras, item.root, why))
                if why is None:
                    self.found[edge.name] = self.found.get(edge.name, frozenset()) | {edge.specifier}

    def _edges(self, item: _Item) -> Iterator[_Edge]:
        fresh = [each for each in (None, *sorted(map(normalised, item.extras))) if (item.name, each) not in self.done]
        self.done.update((item.name, extra) for extra in fresh)
        rows = self._releases(item.name) if fresh else []
        self.from_memory.update(item.name for row in rows if not row.is_verified)
        for extra in fresh:
            lists = [row.requires if extra is None else row.extras.get(extra) for row in rows]
            if None in lists or not lists:
                self.unknown.add(item.name if extra is None else f"{item.name}[{extra}]")
            yield from _merged(item.name, tuple(listed or () for listed in lists), self.pythons)

    def _releases(self, name: str) -> list[Release]:
        """The rows of what may be installed, the newest first; none where none is known."""
        if name in self.pins:
            pinned = _version(self.pins[name])
            return [row for row in _known(name) if pinned is not None and row.covers(pinned)][:1]
        ranged = _fitting(name, ",".join(sorted(filter(None, self.limits.get(name, ())))))
        return ranged[:1] if self.newest else ranged


def _known(name: str) -> list[Release]:
    return [row for row in releases(name) if row.requires is not None]


@cache
def _fitting(name: str, specifier: str) -> list[Release]:
    """The rows with a list of requirements that a specifier admits."""
    limits = _specifiers(specifier)
    fitting = [row for row in _known(name) if row.overlaps(limits)]
    # What holds for all releases from memory speaks only where nothing else does.
    return [row for row in fitting if row.is_verified or row.last is not None] or fitting


@cache
def _merged(name: str, lists: tuple[tuple[str, ...], ...], pythons: tuple[str, ...]) -> tuple[_Edge, ...]:
    """What the releases of these lists require, sure only where each of them does for each Python."""
    found: dict[tuple[str, str | None], set[tuple[int, str]]] = {}
    specifiers: dict[str, set[str]] = {}
    for number, listed in enumerate(lists):
        for each in map(_required, listed):
            places = {(number, python) for python in pythons if each.holds(python)}
            for extra in (None, *each.extras):
                found.setdefault((each.name, extra), set()).update(places)
            if places:
                specifiers.setdefault(each.name, set()).add(each.specifier)
    edges = []
    for (target, extra), places in found.items():
        if not places:
            continue
        common = specifiers[target].copy().pop() if len(specifiers[target]) == 1 else ""
        why = None
        if len({number for number, _ in places}) < len(lists):
            why = f"only some releases of {name} require {target}"
        elif len(places) < len(lists) * len(pythons):
            why = f"{name} requires {target} with some versions of Python only"
        edges.append(_Edge(target, extra, common, why))
    return tuple(edges)


class _Required(NamedTuple):
    """A requirement that a release has."""

    name: str
    extras: tuple[str, ...]
    specifier: str
    marker: str | None

    def holds(self, python: str) -> bool:
        """Whether it is one for a version of Python."""
        return self.marker is None or _holds(self.marker, python)


@cache
def _required(text: str) -> _Required:
    from packaging.requirements import Requirement

    found = Requirement(text)
    marker = str(found.marker) if found.marker is not None else None
    return _Required(normalised(found.name), tuple(found.extras), str(found.specifier), marker)


@cache
def _holds(marker: str, python: str) -> bool:
    return holds(marker, Environment(python))


@cache
def _specifiers(text: str) -> SpecifierSet:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(text)
