"""DF202: package names that apt does not know in the release of the image."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from mllint import facts
from mllint.checks import check
from mllint.edits import delete, replace
from mllint.findings import Finding, Fix, Location, Severity
from mllint.image import releases
from mllint.image.names import common_name
from mllint.image.packages import Install
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.shell_tree import Word
from mllint.sources.text import Span

# What adds archives to those of the image, or packages of other origin.
_OTHER_SOURCES = regex(
    r"add-apt-repository|apt-add-repository|sources\.list|/etc/apt/|extrepo|\.deb\b|\bppa:|(?:deb|rpm)\.nodesource|\bdpkg\b"
)
# A mirror in the place of the archive has the same packages.
_MIRROR = regex(r"sed\s+(?:-\S+\s+)*(['\"]?)s([^\w\s]).*?\2.*?\2g?\1\s+\S*(?:sources\.list\S*|/etc/apt/\S+)")
_ALIKE = ("debian", "ubuntu", "python", "node", "buildpack-deps", "nvidia/cuda", "nvcr.io/nvidia/cuda")
"""Images that have packages of their distribution's own archives, and none that could bring these names."""


@check("DF202")
def apt_package_gone_in_suite(stage: Stage) -> Iterator[Finding]:
    """A package that apt-get install does not find in the release of the distribution."""
    base = stage.root.base
    if stage not in stage.build.needed or base.known_as is None or common_name(base.known_as) not in _ALIKE:
        return
    suite, is_told = suite_of(stage)
    for step in stage.steps if suite else ():
        for install, word, row in _missing(step, suite):
            if adds_sources((*stage.steps_before(step), step)):
                return
            severity = None if is_told and row["status"] == "verified" else Severity.WARNING
            yield _finding(stage, install, word, suite, row)._replace(severity=severity)


def _missing(step: Step, suite: str) -> Iterator[tuple[Install, Word, dict[str, str]]]:
    for install in step.installs:
        if install.manager.name == "apt" and install.executed.is_sure and not install.has("-t", "--target-release"):
            for word in install.operands:
                row = _gone(word, suite)
                if row is not None:
                    yield install, word, row


def suite_of(stage: Stage) -> tuple[str, bool]:
    """The release of the distribution, and whether the image's name tells it; else that of the newest images."""
    base = stage.root.base
    if isinstance(base.suite, str):
        return base.suite, True
    if base.known_as is None or common_name(base.known_as) != "python" or base.known_as.digest is not None:
        return "", False
    version, _, variant = (base.known_as.tag or "").partition("-")
    rows = [row for row in facts.rows("python_images") if row["distro"] == "debian" and row["minor"] == version]
    if variant not in ("", "slim") or not rows:
        return "", False
    newest = max(rows, key=lambda row: (releases.version_of(row["last"]), releases.version_of(row["first"])))
    return newest["suite"], False


def adds_sources(steps: tuple[Step, ...]) -> bool:
    """Whether a step may make packages known that the archives of the image do not have."""
    for step in steps:
        instruction = step.instruction
        text = instruction.source.text[instruction.span.start : instruction.span.end]
        if instruction.keyword in ("RUN", "COPY", "ADD") and _OTHER_SOURCES.search(_MIRROR.sub("", text)):
            return True
    return False


def _gone(word: Word, suite: str) -> dict[str, str] | None:
    """The row of a package that apt does not find, or of which it finds several and takes none."""
    name = word.value.partition("=")[0].partition(":")[0] if word.is_literal else ""
    row: dict[str, str] | None = next(iter(facts.by("apt_names", "name").get(name, ())), None)
    return row if row and suite in f"{row.get('gone', '')} {row.get('many', '')}".split() else None


def _finding(stage: Stage, install: Install, word: Word, suite: str, row: dict[str, str]) -> Finding:
    name, base = row["name"], stage.root.base.text
    where = f"{base} ({suite})" if suite not in base else base
    effect = "has no package" if suite in row.get("gone", "").split() else "has several packages in the place of"
    says = "Unable to locate package" if effect == "has no package" else "no installation candidate"
    message = f"{where} {effect} {name}: apt-get says '{says}' and the build fails"
    new = [each for each in row.get("use", "").split() if _is_there(each, suite)]
    repair = f"install {' or '.join(new)} instead" if new else "leave it out, or start from a release that has it"
    fix = _renamed(stage, install, word, new[0], "same" in row) if len(new) == 1 else None
    return Finding(Location(stage.build.source, word.span), message, repair, fix=fix)


def _is_there(name: str, suite: str) -> bool:
    rows = facts.by("apt_names", "name").get(name, ())
    return not any(suite in f"{row.get('gone', '')} {row.get('many', '')}".split() for row in rows)


def _renamed(stage: Stage, install: Install, word: Word, new: str, is_same: bool) -> Fix | None:
    """The new name in the place of the old one, which goes away where the new one is installed beside it."""
    source = stage.build.source
    if source.slice(word.span) != word.value or "=" in word.value or install.step.trigger is not None:
        return None
    applicability: Literal["safe", "unsafe"] = "safe" if is_same else "unsafe"
    if all(each.value != new for each in install.operands):
        return Fix(applicability, f"install {new} instead", (replace(source, word.span, new),))
    words = install.executed.command.words
    before = next(each for each, behind in pairwise(words) if behind.span == word.span)
    gap = Span(before.span.end, word.span.end)
    if "#" in source.slice(gap):
        return None
    return Fix(applicability, f"leave {word.value} out, as {new} is installed", (delete(source, gap),))
