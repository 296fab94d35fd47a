#!/usr/bin/env python3
"""Refreshes distributions.yaml from the metadata, entry points and file lists of wheels.

    python rules/facts/refresh_distributions.py NAME==VERSION …        releases that pip downloads, one by one
    python rules/facts/refresh_distributions.py --wheels FOLDER        the wheels in a folder whose names the table has
    python rules/facts/refresh_distributions.py --wheels FOLDER NAME … these alone of them, new ones too
    python rules/facts/refresh_distributions.py --report FILE          what `pip install --dry-run --report FILE` chose

It needs `packaging`, `pyyaml` and pip, which takes its index from its own configuration. Nothing but the releases named
is asked for, and rows of others stay as they are. A release is joined to the nearest one read before where they require
the same distributions; a requirement that differs in its versions is then widened to what either admits. A report does
not tell imports and programs: a row of one has those of the releases that it is joined with.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import BadZipFile, ZipFile

import yaml
from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = Path(__file__).with_name("distributions.yaml")
PYTHONS = tuple(f"3.{minor}" for minor in range(7, 16))
LINUX = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "sys_platform": "linux",
}
KEPT_EXTRAS = frozenset(
    "and-cuda argon2 bcrypt cli cpu cryptography dataframe email full gevent grpc http http2 image inference "
    "kubernetes parquet redis s3 sentencepiece serve socks standard storage torch vision fastapi[all] ray[all] "
    "ray[default] huggingface-hub[hf-transfer] sqlalchemy[asyncio] tornado".split()
)
"""The extras that people ask a service's distributions for, of any or of one; others are left out unless a row of the
table asks for them."""
MOST_PARTS = 8
"""A namespace of which a distribution has more parts is taken for its own."""
NOT_IMPORTED = frozenset("benchmark benchmarks build dist doc docs example examples scripts test testing tests".split())
"""Folders that some wheels put beside their packages by mistake; to import one of these is never meant."""


NOT_PLAIN = frozenset("yes no on off true false null".split())
"""Words that YAML would read as something else."""


class Release(NamedTuple):
    """What is known of a range of releases; None where it was not read."""

    first: str
    last: str
    imports: str | None
    scripts: str | None
    requires: tuple[str, ...]
    extras: dict[str, tuple[str, ...]]
    date: str


def read_wheel(path: Path, today: str) -> tuple[str, Release]:
    """The normalised name of a wheel and its release. Raises ValueError where the file is no wheel."""
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
            folder = next(
                (match[1] for name in names if (match := re.fullmatch(r"([^/]+\.dist-info)/METADATA", name))), None
            )
            if folder is None:
                raise ValueError(f"{path.name} has no METADATA")
            metadata = HeaderParser().parsestr(archive.read(f"{folder}/METADATA").decode("utf-8", "replace"))
            entry_points = f"{folder}/entry_points.txt"
            entries = archive.read(entry_points).decode("utf-8") if entry_points in names else ""
    except BadZipFile as error:
        raise ValueError(f"{path.name}: {error}") from error
    version = Version(metadata["Version"]).public
    requires, extras = requirements(metadata.get_all("Requires-Dist") or [], metadata["Requires-Python"] or "")
    imports, scripts = import_names(names), script_names(names, entries)
    return canonicalize_name(metadata["Name"]), Release(version, version, imports, scripts, requires, extras, today)


def read_report(path: Path, today: str) -> Iterator[tuple[str, Release]]:
    """The normalised names and the releases in a report of pip, without what only their files tell."""
    for item in json.loads(path.read_bytes())["install"]:
        metadata = item["metadata"]
        version = Version(metadata["version"]).public
        requires, extras = requirements(metadata.get("requires_dist", []), metadata.get("requires_python", ""))
        yield canonicalize_name(metadata["name"]), Release(version, version, None, None, requires, extras, today)


def requirements(lines: list[str], python: str) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """`Requires-Dist` of a release as those it always has on Linux and those of each extra, with what is left of their
    markers once the platform is known."""
    try:
        pythons = [each for each in PYTHONS if SpecifierSet(python).contains(f"{each}.99")] or list(PYTHONS)
    except InvalidSpecifier:
        pythons = list(PYTHONS)
    always: set[str] = set()
    extras: dict[str, set[str]] = {}
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            print(f"left out, as pip would stop at it: {line}", file=sys.stderr)
            continue
        plain = text_of(requirement, "", pythons)
        if plain is not None:
            always.add(plain)
        for extra in set(re.findall(r"extra\s*==\s*['\"]([^'\"]+)", str(requirement.marker or ""))):
            text = text_of(requirement, extra, pythons)
            if text is not None and plain is None:
                extras.setdefault(canonicalize_name(extra), set()).add(text)
    return tuple(sorted(always)), {extra: tuple(sorted(texts)) for extra, texts in sorted(extras.items())}


def text_of(requirement: Requirement, extra: str, pythons: list[str]) -> str | None:
    """A requirement with the marker that is left for these Pythons; None where it never holds."""
    holds = [python for python in pythons if requirement.marker is None or evaluate(requirement.marker, extra, python)]
    if not holds:
        return None
    extras = f"[{','.join(sorted(map(canonicalize_name, requirement.extras)))}]" if requirement.extras else ""
    # A release left out between others changes nothing about which distributions come along.
    specifier = ",".join(sorted(str(each) for each in requirement.specifier if each.operator != "!="))
    text = f"{canonicalize_name(requirement.name)}{extras}{specifier}"
    if len(holds) == len(pythons):
        return text
    first, last = pythons.index(holds[0]), pythons.index(holds[-1])
    bounds = [f"python_version>='{holds[0]}'"] if first else []
    bounds += [f"python_version<'{pythons[last + 1]}'"] if last + 1 < len(pythons) else []
    bounds += [f"python_version!='{python}'" for python in pythons[first:last] if python not in holds]
    return f"{text}; {' and '.join(bounds)}"


def evaluate(marker: Marker, extra: str, python: str) -> bool:
    """Whether a marker holds on Linux for an extra and a minor version of Python."""
    versions = {
        "python_version": python,
        "python_full_version": f"{python}.99",
        "implementation_version": f"{python}.99",
    }
    try:
        return marker.evaluate({**LINUX, **versions, "extra": extra})
    except (InvalidMarker, InvalidVersion):
        return True


def import_names(names: list[str]) -> str:
    """What the files of a wheel let Python import, blanks between; of a folder without modules of its own, which is a
    namespace, the parts."""
    paths = [re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", name) for name in names]
    suffix = re.compile(r"(\.cpython-[^/]*|\.abi3)?\.(pyc?|so|pyd)$")
    modules = {suffix.sub("", path) for path in paths if suffix.search(path) and ".data/" not in path}
    with_modules = {module.rpartition("/")[0] for module in modules}
    found = set()
    for module in modules:
        parts = module.split("/")
        depth = next((at for at in range(1, len(parts)) if "/".join(parts[:at]) in with_modules), len(parts))
        if all(map(str.isidentifier, parts[:depth])) and parts[0] not in NOT_IMPORTED:
            found.add(tuple(parts[:depth]))
    parted = {top for top, times in Counter(name[0] for name in found).items() if times <= MOST_PARTS}
    shown = {".".join(name) if name[0] in parted else name[0] for name in found}
    return " ".join(sorted({name for name in shown if not name.startswith("_")} or shown))


def script_names(names: list[str], entries: str) -> str:
    """The programs of a wheel, blanks between."""
    found = {match[1] for name in names if (match := re.fullmatch(r"[^/]+\.data/scripts/([^/]+)", name))}
    section = ""
    for line in map(str.strip, entries.splitlines()):
        if line.startswith("["):
            section = line
        elif section in ("[console_scripts]", "[gui_scripts]") and "=" in line and not line.startswith(("#", ";")):
            found.add(line.partition("=")[0].strip())
    return " ".join(sorted(found))


def downloaded(requested: list[str], folder: Path) -> None:
    """Have pip download the wheels of the releases asked for. Raises SystemExit where it cannot."""
    for number, each in enumerate(requested, start=1):
        print(f"{number}/{len(requested)} {each}", file=sys.stderr)
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
        done = subprocess.run([sys.executable, "-m", "pip", "download", *options, each], check=False)
        if done.returncode:
            raise SystemExit(f"pip has no wheel of {each}")


def merged(releases: list[Release]) -> list[Release]:
    """The releases by rising versions, neighbours joined where they provide and require the same."""
    found: list[Release] = []
    for release in sorted(releases, key=lambda each: (Version(each.first), Version(each.last))):
        if found and (joined := join(found[-1], release)) is not None:
            found[-1] = joined
        elif found and Version(release.first) <= Version(found[-1].last):
            found[-1:] = split(found[-1], release)
        else:
            found.append(release)
    return found


def join(older: Release, newer: Release) -> Release | None:
    """One row for both; None where they differ in more than the versions that they admit."""
    for column in ("imports", "scripts"):
        values = (getattr(older, column), getattr(newer, column))
        if values[0] != values[1] and None not in values:
            return None
    if older.extras.keys() != newer.extras.keys():
        return None
    requires = widened(older.requires, newer.requires)
    extras = {extra: widened(older.extras[extra], newer.extras[extra]) for extra in older.extras}
    if requires is None or None in extras.values():
        return None
    last = max(older.last, newer.last, key=Version)
    imports = older.imports if newer.imports is None else newer.imports
    scripts = older.scripts if newer.scripts is None else newer.scripts
    kept = {extra: texts for extra, texts in extras.items() if texts is not None}
    return Release(older.first, last, imports, scripts, requires, kept, max(older.date, newer.date))


def split(wide: Release, inner: Release) -> list[Release]:
    """A range about which a release inside it says otherwise: only what was read of its ends is left."""
    ends = [wide._replace(last=wide.first), inner, wide._replace(first=wide.last)]
    distinct = {(each.first, each.last): each for each in (ends[0], ends[2], ends[1])}
    return sorted(distinct.values(), key=lambda each: Version(each.first))


def widened(older: tuple[str, ...], newer: tuple[str, ...]) -> tuple[str, ...] | None:
    """Requirements that admit what either list admits; None where the lists name different distributions."""
    before, after = ([Requirement(text) for text in texts] for texts in (older, newer))
    keys = [[(each.name, frozenset(each.extras), str(each.marker)) for each in listed] for listed in (before, after)]
    if set(keys[0]) != set(keys[1]) or len(set(keys[0])) != len(keys[0]) or len(set(keys[1])) != len(keys[1]):
        return None
    second = dict(zip(keys[1], after, strict=True))
    found = []
    for key, requirement in zip(keys[0], before, strict=True):
        specifier = hull(requirement.specifier, second[key].specifier)
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        marker = f"; {compact(requirement.marker)}" if requirement.marker else ""
        found.append(f"{requirement.name}{extras}{specifier}{marker}")
    return tuple(sorted(found))


def hull(one: SpecifierSet, other: SpecifierSet) -> str:
    """The clauses that hold for both sets of versions: equal ones, and of two bounds the wider."""
    kept = set(one) & set(other)
    for operator, widest in ((">=", min), ("<", max), ("<=", max)):
        bounds = [bound for each in (one, other) if (bound := lone_bound(each, operator))]
        if len(bounds) == 2:
            kept |= set(SpecifierSet(f"{operator}{widest(bounds, key=Version)}"))
    return str(SpecifierSet(",".join(map(str, kept))))


def lone_bound(specifiers: SpecifierSet, operator: str) -> str | None:
    """The version of the clause with this operator, which metadata have once."""
    return next((each.version for each in specifiers if each.operator == operator), None)


def compact(marker: Marker) -> str:
    """A marker as the table writes it."""
    return re.sub(r"\s*(>=|<=|==|!=|<|>)\s*", r"\1", str(marker).replace('"', "'"))


def needed_extras(releases: dict[str, list[Release]]) -> dict[str, set[str]]:
    """The extras to keep of each distribution: those people ask for, and those that kept requirements ask for."""
    kept = {name: {extra for each in rows for extra in each.extras} for name, rows in releases.items()}
    kept = {
        name: {extra for extra in extras if extra in KEPT_EXTRAS or f"{name}[{extra}]" in KEPT_EXTRAS}
        for name, extras in kept.items()
    }
    grown = True
    while grown:
        grown = False
        for name, rows in releases.items():
            for row in rows:
                for text in (*row.requires, *(text for extra in kept[name] for text in row.extras.get(extra, ()))):
                    asked = Requirement(text)
                    more = {canonicalize_name(extra) for extra in asked.extras} - kept.get(asked.name, set())
                    if more and asked.name in releases:
                        kept[asked.name] |= more
                        grown = True
    return kept


def listed(text: str) -> tuple[str, ...]:
    """Requirements as a row writes them."""
    return tuple(text.split(", ")) if text else ()


def from_row(row: dict[str, Any], date: str) -> Release:
    """A verified row as it was read."""
    extras = {extra: listed(text) for extra, text in row.get("extras", {}).items()}
    imports = row.get("imports")
    scripts = None if imports is None else row.get("scripts", "")
    return Release(row["first"], row["last"], imports, scripts, listed(row["requires"]), extras, row.get("date", date))


def to_row(name: str, release: Release, date: str) -> dict[str, Any]:
    """A release as a row of the table."""
    row: dict[str, Any] = {"name": name}
    row |= {"imports": release.imports} if release.imports is not None else {}
    row |= {"scripts": release.scripts} if release.scripts else {}
    row |= {"first": release.first, "last": release.last, "requires": ", ".join(release.requires)}
    extras = {extra: ", ".join(texts) for extra, texts in sorted(release.extras.items())}
    row |= {"extras": extras} if extras else {}
    return row | ({"date": release.date} if release.date != date else {})


def flow(value: str | dict[str, Any]) -> str:
    """YAML of one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}"
    is_plain = re.fullmatch(r"[A-Za-z][\w./ -]*", value) and value.lower() not in NOT_PLAIN
    return value if is_plain else json.dumps(value, ensure_ascii=False)


def refresh(table: dict[str, Any], read: list[tuple[str, Release]], today: str) -> list[dict[str, Any]]:
    """The rows of the table with what was read put in, by names."""
    releases: dict[str, list[Release]] = {}
    memory = [row for row in table["rows"] if row.get("status") == "memory"]
    for row in table["rows"]:
        if row.get("status") != "memory":
            releases.setdefault(row["name"], []).append(from_row(row, table["date"]))
    for name, release in read:
        known = releases.get(name, [])
        same = next((each for each in known if each.first == each.last == release.first), None)
        if same is not None and release.imports is None:
            release = release._replace(imports=same.imports, scripts=same.scripts)
        releases[name] = [*(each for each in known if each is not same), release]
    kept = needed_extras(releases)
    rows = []
    for name, found in releases.items():
        lean = [
            each._replace(extras={extra: texts for extra, texts in each.extras.items() if extra in kept[name]})
            for each in found
        ]
        rows += [to_row(name, each, today) for each in merged(lean)]
    return sorted([*rows, *memory], key=lambda row: (row["name"], "status" in row, Version(row.get("first", "0"))))


def write(table: dict[str, Any], rows: list[dict[str, Any]], today: str) -> None:
    """Write the table, its head kept as it is but for the date."""
    head = TABLE.read_text("utf-8").partition("\nrows:\n")[0]
    head = re.sub(r"^date: .*$", f'date: "{today}"', head, flags=re.MULTILINE)
    lines = [f"  - {flow(row)}" for row in rows]
    TABLE.write_text("\n".join([head, "rows:", *lines]) + "\n", "utf-8")
    print(
        f"{len(lines)} rows of {len({row['name'] for row in rows})} distributions, {table['date']} → {today}",
        file=sys.stderr,
    )


def main() -> None:
    """Read what is asked for and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("--report", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("names", nargs="*", metavar="NAME[==VERSION]")
    arguments = parser.parse_args()
    table = yaml.load(TABLE.read_bytes(), yaml.BaseLoader)
    today = datetime.now(UTC).date().isoformat()
    wanted = {canonicalize_name(name) for name in arguments.names if "==" not in name}
    wanted = wanted or {row["name"] for row in table["rows"]}
    read = [each for path in arguments.report for each in read_report(path, today)]
    with tempfile.TemporaryDirectory() as folder:
        pinned = [name for name in arguments.names if "==" in name]
        downloaded(pinned, Path(folder))
        for path in sorted(
            [*Path(folder).glob("*.whl"), *(path for each in arguments.wheels for path in each.rglob("*.whl"))]
        ):
            try:
                name, release = read_wheel(path, today)
            except ValueError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            if name in wanted or path.parent == Path(folder):
                read.append((name, release))
    write(table, refresh(table, read, today), today)


if __name__ == "__main__":
    main()
