#!/usr/bin/env python3
"""Refreshes releases.yaml, missing_releases.yaml, yanked.yaml and wheels.yaml from the package index that pip uses.

    python rules/facts/refresh.py            every distribution of releases.yaml; the tables get today's date
    python rules/facts/refresh.py numpy …    these alone, new ones too; their rows get today's date
    python rules/facts/refresh.py --check …  write nothing, show what would change, and exit with 1 if anything would

It needs `packaging`, `pyyaml` and pip. Index and certificates are those of PIP_INDEX_URL and PIP_CERT or of
`pip config`, else pip's own index and SSL_CERT_FILE; the index must answer in JSON (PEP 691).
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import ssl
import subprocess
import sys
import textwrap
import time
from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.error import URLError
from urllib.request import Request, urlopen

import yaml
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from packaging.tags import Tag

FOLDER = Path(__file__).parent
LEGACY_GLIBC = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
SINCE = "2019-06"
"""wheels.yaml leaves out what was uploaded before this month: no interpreter of a current image takes it."""


class Wheels(NamedTuple):
    """What a release offers to install, as a row of wheels.yaml has it."""

    python: str
    requires_python: str
    glibc: str
    arm64: str
    musl: str
    sdist: str


class Release(NamedTuple):
    """One release on the index."""

    version: str
    uploaded: str
    """YYYY-MM-DD, of its first file."""
    yanked: str | None
    """The maintainers' reason."""
    wheels: Wheels


def index_url() -> str:
    """The base URL of the index that pip would ask, without a slash at the end."""
    configured = _pip_setting("index-url")
    if not configured:
        from pip._internal.models.index import PyPI

        configured = str(PyPI.simple_url)
    return configured.rstrip("/")


@cache
def _pip_setting(name: str) -> str:
    """A setting of pip, from the environment or its configuration; empty where it has none."""
    variable = os.environ.get(f"PIP_{name.upper().replace('-', '_')}")
    command = [sys.executable, "-m", "pip", "config", "get", f"global.{name}"]
    return variable or subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def files(index: str, name: str) -> list[dict[str, Any]]:
    """The files of a distribution, as PEP 691 gives them. Raises urllib.error.URLError where the index fails."""
    url = f"{index}/{canonicalize_name(name)}/"
    request = Request(url, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    trust = ssl.create_default_context(cafile=_pip_setting("cert") or None) if url.startswith("https:") else None
    with urlopen(request, timeout=60, context=trust) as answer:
        found: list[dict[str, Any]] = json.load(answer)["files"]
    return found


def releases(found: Iterable[Mapping[str, Any]]) -> list[Release]:
    """The final releases among the files of a distribution, in order."""
    of_version: dict[Version, list[Mapping[str, Any]]] = defaultdict(list)
    tags: dict[Version, set[Tag]] = defaultdict(set)
    sources = set()
    for file in found:
        name = file["filename"]
        try:
            if name.endswith(".whl"):
                _, version, _, wheel_tags = parse_wheel_filename(name)
                tags[version] |= wheel_tags
            else:
                version = parse_sdist_filename(name)[1]
                sources.add(version)
        except (InvalidWheelFilename, InvalidVersion, ValueError):
            continue
        of_version[version].append(file)
    finals = sorted(version for version in of_version if not version.is_prerelease)
    return [_release(version, of_version[version], tags[version], version in sources) for version in finals]


def _release(version: Version, found: Sequence[Mapping[str, Any]], tags: set[Tag], has_sdist: bool) -> Release:
    reasons = [file.get("yanked", False) for file in found]
    reason = next((each for each in reasons if isinstance(each, str) and each.strip()), "no reason given")
    requires = next((file["requires-python"] for file in found if file.get("requires-python")), "")
    return Release(
        version=str(version),
        uploaded=min(str(file.get("upload-time", ""))[:10] for file in found),
        yanked=_one_line(reason) if all(reasons) else None,
        wheels=Wheels(
            python=" ".join(_interpreters(tags)),
            requires_python=requires.replace(" ", ""),
            glibc=_glibc(tags, "x86_64"),
            arm64=_glibc(tags, "aarch64"),
            musl="yes" if any(re.match(r"musllinux_.*_x86_64$", tag.platform) for tag in tags) else "no",
            sdist="yes" if has_sdist else "no",
        ),
    )


def _interpreters(tags: Iterable[Tag]) -> list[str]:
    names = {name for tag in tags if (name := _interpreter(tag))}
    return sorted(names, key=lambda name: [int(part) if part.isdigit() else 0 for part in re.split(r"\D+", name)])


def _interpreter(tag: Tag) -> str | None:
    """What a wheel with this tag is for, in the notation of wheels.yaml; None where not for x86-64 Linux with glibc."""
    if tag.platform == "any":
        return "any" if tag.interpreter.startswith("py3") else None
    if not re.match(r"manylinux.*_x86_64$", tag.platform):
        return None
    if tag.interpreter in ("py2", "py3"):
        return tag.interpreter
    match = re.fullmatch(r"(cp|py)(\d)(\d+)", tag.interpreter)
    if not match:
        return None
    minor = f"{match[2]}.{match[3]}"
    if tag.abi == "abi3" or match[1] == "py":
        return f"{minor}+"
    return f"{minor}t" if tag.abi.endswith("t") else minor


def _glibc(tags: Iterable[Tag], machine: str) -> str:
    """The lowest glibc that a wheel for the machine asks for; "no" without such a wheel."""
    found = []
    for tag in tags:
        if match := re.fullmatch(rf"(manylinux\d+)_{machine}", tag.platform):
            found.append(LEGACY_GLIBC[match[1]])
        elif match := re.fullmatch(rf"manylinux_(\d+)_(\d+)_{machine}", tag.platform):
            found.append(f"{match[1]}.{match[2]}")
    return min(found, key=Version, default="no")


def _one_line(text: str) -> str:
    return textwrap.shorten(text, 120, placeholder=" …")


def wheel_rows(name: str, found: Sequence[Release]) -> Iterator[dict[str, str]]:
    """The rows of wheels.yaml: consecutive releases that offer the same are one row; older ones part them."""
    for wheels, run in groupby(found, key=lambda each: each.wheels if each.uploaded >= SINCE else None):
        if wheels is None:
            continue
        versions = [each.version for each in run]
        row = {"name": name, "first": versions[0], "last": versions[-1], **wheels._asdict()}
        usual = {"requires_python": "", "glibc": "no", "arm64": "no", "musl": "no", "sdist": "yes"}
        yield {column: value for column, value in row.items() if usual.get(column) != value}


def missing(found: Sequence[Release], since: str) -> Iterator[tuple[str, str]]:
    """The x.y.z that the index skips below a later x.y release uploaded since a day, each with the release nearest by.

    Nearest is the newest whose number only goes on (`4.9.0.80`, `1.4.1.post1`), or "none".
    """
    lines: dict[tuple[int, int], list[tuple[Version, str]]] = defaultdict(list)
    for release in found:
        version = Version(release.version)
        if len(version.release) >= 3:
            lines[version.release[0], version.release[1]].append((version, release.uploaded))
    for (major, minor), line in lines.items():
        there = {version for version, _ in line}
        for micro in range(max(version.micro for version in there)):
            gap = Version(f"{major}.{minor}.{micro}")
            if gap not in there and next(uploaded for version, uploaded in line if version.micro >= micro) >= since:
                near = [version for version in there if version.release[:3] == gap.release]
                yield str(gap), str(max(near, default="none"))


class Table:
    """A table's file: its head as it stands, and its rows."""

    def __init__(self, name: str) -> None:
        self.path = FOLDER / f"{name}.yaml"
        self.text = self.path.read_text("utf-8")
        self.head = self.text[: self.text.index("\nrows:\n") + len("\nrows:\n")]
        content = yaml.load(self.text, yaml.CBaseLoader)
        self.date: str = content["date"]
        self.rows: list[dict[str, str]] = content["rows"]

    def replace(self, name: str, rows: Iterable[dict[str, str]]) -> None:
        """Put these rows of a distribution in the place of those it had; rows that say the same keep their date."""
        old = {_values(row): row for row in self.rows if row["name"] == name}
        kept = [row for row in self.rows if row["name"] != name]
        self.rows = sorted([*kept, *(old.get(_values(row), row) for row in rows)], key=lambda row: row["name"])

    def render(self, today: str | None) -> str:
        """The file's text; with a day, the whole table is of that day."""
        head = re.sub(r"^date: .*$", f'date: "{today}"', self.head, flags=re.MULTILINE) if today else self.head
        own = [row for row in self.rows if not today and row.get("date", self.date) != self.date]
        return head + "".join(_line(row if row in own else dict(_values(row))) for row in self.rows)


def _values(row: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in row.items() if key != "date")


def _line(row: Mapping[str, str]) -> str:
    if "versions" not in row:
        return f"  - {yaml.dump(dict(row), default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)}"
    others = "".join(f"    {key}: {value!r}\n" for key, value in row.items() if key not in ("name", "versions"))
    versions = textwrap.fill(row["versions"], 116, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return f"  - name: {row['name']}\n{others}    versions: >-\n{versions}\n"


def refresh(tables: Mapping[str, Table], name: str, found: Sequence[Release], mark: Mapping[str, str]) -> None:
    """Put what the index says of a distribution into the tables; `mark` is added to each row that changes."""
    tables["releases"].replace(name, [{"name": name, "versions": " ".join(each.version for each in found), **mark}])
    yanked = [{"name": name, "version": each.version, "reason": each.yanked, **mark} for each in found if each.yanked]
    tables["yanked"].replace(name, yanked)
    tables["wheels"].replace(name, [{**row, **mark} for row in wheel_rows(name, found)])
    gone = tables["missing_releases"]
    there = {Version(each.version) for each in found}
    still = [row for row in gone.rows if row["name"] == name and Version(row["version"]) not in there]
    told = {row["version"] for row in still}
    new = [(version, near) for version, near in missing(found, gone.date) if version not in told]
    gone.replace(name, [*still, *({"name": name, "version": version, "near": near, **mark} for version, near in new)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Refresh the tables. Exit code 1: with --check, something would change; 2: the index did not answer."""
    parser = argparse.ArgumentParser(description="Refresh the tables of facts that the package index can tell.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--check", action="store_true", help="write nothing and show what would change")
    options = parser.parse_args(arguments)
    tables = {name: Table(name) for name in ("releases", "missing_releases", "yanked", "wheels")}
    now = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    today = str(datetime.fromtimestamp(now, UTC).date())
    index = index_url()
    names: list[str] = [canonicalize_name(name) for name in options.names] or [
        row["name"] for row in tables["releases"].rows
    ]
    for name in names:
        try:
            found = files(index, name)
        except URLError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        refresh(tables, name, releases(found), {"date": today} if options.names else {})
    changed = False
    for table in tables.values():
        text = table.render(None if options.names else today)
        changed = changed or text != table.text
        if options.check:
            old, new = table.text.splitlines(keepends=True), text.splitlines(keepends=True)
            sys.stdout.writelines(difflib.unified_diff(old, new, table.path.name, "index", n=0))
        else:
            table.path.write_text(text, encoding="utf-8")
    return int(options.check and changed)


if __name__ == "__main__":
    sys.exit(main())
