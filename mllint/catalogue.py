"""The catalogue of rules: one Markdown file a rule under `rules/<family>/`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mllint.facts import root
from mllint.findings import Severity
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

FAMILIES = {
    "input": "ML0",
    "base_image": "ML1",
    "security": "ML2",
    "runtime": "ML3",
    "layers": "ML4",
    "context": "ML5",
    "requirements": "ML6",
    "frameworks": "ML7",
    "models": "ML8",
    "system": "ML9",
    "syntax": "DF1",
    "os_packages": "DF2",
    "shell": "DF3",
    "labels": "DF4",
    "style": "DF5",
}
"""The families (folders of `rules/`) with the prefix of their ids."""

PRESETS = ("default", "strict", "all")
"""Each holds the one before it; `all` is every rule."""

_KEYS = ("id", "name", "severity", "presets", "fix", "supersedes", "peers")
_PROOFS = ["engine"]
_PEERS = ["hadolint", "buildkit", "trivy", "checkov", "kics", "tally"]
_SEVERITIES = [severity.value for severity in Severity]
_PRESET_LISTS = [["default", "strict"], ["strict"], []]
_FIXES = ["none", "sometimes", "always"]
_ID = regex(r"[A-Z]{2}\d{3}")
_NAME = regex(r"[a-z0-9]+(-[a-z0-9]+)*")


class Rule(NamedTuple):
    """A rule's entry in the catalogue, from the front matter and the title of its Markdown file."""

    id: str
    name: str
    title: str
    severity: Severity
    family: str
    presets: tuple[str, ...]
    fix: str
    supersedes: tuple[str, ...]
    aliases: tuple[str, ...]
    """The peers' names for it: `hadolint:DL3006`, `buildkit:FromAsCasing` …"""
    proof: str | None = None
    """Who shows that what it says comes true: `engine`, on which an example of its own fails, and works once fixed."""

    @property
    def url(self) -> str:
        """Where the rule is documented."""
        return f"https://github.com/mllint/mllint-docker/blob/main/rules/{self.family}/{self.id}-{self.name}.md"


class CatalogueError(Exception):
    """A rule file that breaks the format; the message begins with file and line."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule by its id, in order of the ids.

    Raises CatalogueError in a checkout with a broken rule file; an installed catalogue was compiled and is not checked.
    """
    compiled = root() / "catalogue.json"
    if not compiled.is_file():
        return read(root())
    import json

    return {entry["id"]: _rule(entry) for entry in json.loads(compiled.read_bytes())}


def text(rule: Rule) -> str:
    """The Markdown of a rule from its title on: what it finds, why, and its examples."""
    path = root() / rule.family / f"{rule.id}-{rule.name}.md"
    return _split(path.read_text(encoding="utf-8"))[1]


def select(selectors: Collection[str], preset: str) -> frozenset[str]:
    """The ids of the rules the selectors name, or those of the preset where there are no selectors.

    An unknown selector selects nothing: whoever takes selectors from a user asks `resolve` for each of them first.
    """
    return frozenset[str]().union(*map(resolve, selectors or [preset]))


def resolve(selector: str) -> frozenset[str]:
    """The ids of the rules a selector names, in any case of letters; empty where it is unknown.

    A selector is an id (`ML302`), a prefix of ids (`ML3`), a name, a family (`base_image`, `base-image`), a preset, or
    a peer's code with or without its namespace (`hadolint:DL3006`, `DL3006`).
    """
    return _index().get(selector.lower(), frozenset())


def suggest(selector: str) -> str | None:
    """The id, name, family or preset that an unknown selector most likely meant."""
    import difflib

    spellings = {known.lower(): known for rule in rules().values() for known in (rule.id, rule.name)}
    spellings |= {known: known for known in (*FAMILIES, *PRESETS)}
    return next((spellings[match] for match in difflib.get_close_matches(selector.lower(), spellings, 1, 0.7)), None)


def read(folder: Path) -> dict[str, Rule]:
    """The rules of a folder like `rules/`, from their Markdown; raises CatalogueError for the first fault found."""
    paths = {path: read_rule(path) for path in folder.glob("*/*.md") if path.name != "README.md"}
    found: dict[str, Rule] = {}
    names: set[str] = set()
    for path, rule in sorted(paths.items(), key=lambda item: (item[1].id, item[0])):
        for key, taken in (("id", rule.id in found), ("name", rule.name in names)):
            if taken:
                raise CatalogueError(path, _line(path, key), f"another rule has the same {key}")
        found[rule.id] = rule
        names.add(rule.name)
    for path, rule in paths.items():
        for other in rule.supersedes:
            if other not in found or other == rule.id:
                raise CatalogueError(path, _line(path, "supersedes"), f"no other rule has the id {other}")
    return found


def read_rule(path: Path) -> Rule:
    """The rule a Markdown file describes; raises CatalogueError where its front matter or title is wrong."""
    import yaml

    markdown = path.read_text(encoding="utf-8")
    header, body = _split(markdown)
    if not markdown.startswith("---\n") or not body:
        raise CatalogueError(path, 1, "the file does not begin with front matter between two lines of `---`")
    try:
        entry = yaml.load(header, getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise CatalogueError(path, line, f"front matter: {error.problem}") from None
    fault = next(_faults(entry, path), None)
    if fault is not None:
        key, message = fault
        raise CatalogueError(path, _line(path, key), message)
    heading = body.lstrip("\n").partition("\n")[0]
    if not heading.startswith("# "):
        raise CatalogueError(path, header.count("\n") + 4, "the text does not begin with a `# Title`")
    return _rule({"family": path.parent.name, "title": heading[2:].strip(), **entry})


def _split(markdown: str) -> tuple[str, str]:
    """Front matter and the text behind it."""
    header, _, body = markdown.removeprefix("---\n").partition("\n---\n")
    return header, body


def _rule(entry: dict[str, Any]) -> Rule:
    return Rule(
        id=entry["id"],
        name=entry["name"],
        title=entry["title"],
        severity=Severity(entry["severity"]),
        family=entry["family"],
        presets=tuple(entry["presets"]),
        fix=entry["fix"],
        supersedes=tuple(entry["supersedes"]),
        aliases=tuple(f"{peer}:{code}" for peer in _PEERS for code in entry["peers"][peer]),
        proof=entry.get("proof"),
    )


def _faults(entry: object, path: Path) -> Iterator[tuple[str, str]]:
    """What is wrong with front matter, as key and message; a fault may make those behind it meaningless."""
    if not isinstance(entry, dict):
        yield "", "the front matter is no mapping"
        return
    for key in _KEYS:
        if key not in entry:
            yield key, f"the front matter has no `{key}`"
    for key in entry:
        if key not in (*_KEYS, "proof"):
            yield key, f"unknown key `{key}`; known: {', '.join(_KEYS)}, proof"
    rule, name, family = entry["id"], entry["name"], path.parent.name
    if path.name != f"{rule}-{name}.md":
        yield "id", f"id and name want the file to be called {rule}-{name}.md"
    if family not in FAMILIES:
        yield "id", f"the folder {family} is no family; families: {', '.join(FAMILIES)}"
    if not _ID.fullmatch(rule) or not rule.startswith(FAMILIES[family]):
        yield "id", f"ids of the family {family} are {FAMILIES[family]} and two digits, not {rule}"
    if not _NAME.fullmatch(name):
        yield "name", f"a name is lower-case words with hyphens between them, not {name}"
    for key, values in (("severity", _SEVERITIES), ("presets", _PRESET_LISTS), ("fix", _FIXES)):
        if entry[key] not in values:
            yield key, f"`{key}` is one of {', '.join(map(_flow, values))}, not {_flow(entry[key])}"
    if entry.get("proof", _PROOFS[0]) not in _PROOFS:
        yield "proof", f"`proof` is {' or '.join(_PROOFS)}, or left out, not {_flow(entry['proof'])}"
    if not _is_strings(entry["supersedes"]):
        yield "supersedes", "`supersedes` is a list of ids"
    peers = entry["peers"]
    if not isinstance(peers, dict) or sorted(peers) != sorted(_PEERS) or not all(map(_is_strings, peers.values())):
        yield "peers", f"`peers` holds a list of codes for each of {', '.join(_PEERS)}"


def _is_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _flow(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _line(path: Path, key: str) -> int:
    """The line of the front matter that gives a key, 1 where none does."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith(f"{key}:")), 1)


@cache
def _index() -> dict[str, frozenset[str]]:
    """What each selector, in lower case, stands for; our own words win over a peer's code that is spelt the same."""
    ours: dict[str, set[str]] = {}
    peers: dict[str, set[str]] = {}
    for rule in rules().values():
        prefixes = (rule.id[:end] for end in range(2, len(rule.id) + 1))
        presets = (*rule.presets, "all")
        for selector in (*prefixes, rule.name, rule.family, rule.family.replace("_", "-"), *presets):
            ours.setdefault(selector.lower(), set()).add(rule.id)
        for alias in rule.aliases:
            for code in (alias, alias.partition(":")[2]):
                peers.setdefault(code.lower(), set()).add(rule.id)
    return {selector: frozenset(ids) for selector, ids in (peers | ours).items()}
