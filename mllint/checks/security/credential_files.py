"""ML203: files of credentials that a COPY brings into an image."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase, translate
from functools import cache

from mllint import facts, masking
from mllint.checks import check
from mllint.checks.context.ignore_fixes import keeping_out
from mllint.findings import Finding, Fix, Location
from mllint.image.context import Entry
from mllint.image.copies import Copy, CopySource, arrives_in_image
from mllint.image.stage import Stage
from mllint.wording import enumerated

# Folders whose credentials are made up.
_NO_REAL_ONES = frozenset(
    {"test", "tests", "testing", "testdata", "test_data", "fixtures", "node_modules", "site-packages", "dist-packages"}
)


@check("ML203")
def env_file_or_credentials_in_image(stage: Stage) -> Iterator[Finding]:
    """A COPY brings a file of credentials into the image."""
    seen: set[str] = set()
    for step in stage.steps:
        if step.copy is not None and step.copy.origin == "context":
            for source in step.copy.sources:
                yield from _credential_files(stage, step.copy, source, seen)


def _credential_files(stage: Stage, copy: Copy, source: CopySource, seen: set[str]) -> Iterator[Finding]:
    """One finding for all files of a source that no source before it brought."""
    found: dict[str, str] = {}
    for entry in source.entries(stage.build.context):
        kind = _credential_kind(stage, entry) if entry.path not in seen else None
        if kind is not None and arrives_in_image(stage, copy, source, entry.path):
            found[entry.path] = kind
    if not found:
        return
    seen.update(found)
    named = enumerated([f"{path} ({kind})" for path, kind in found.items()], 3)
    written = f"{copy.step.instruction.keyword} {source.word.text}"
    message = f"{written} brings {named} into the image: whoever can pull it can read them"
    repair = f"add to .dockerignore: {' '.join(list(found)[:10])}"
    edits = keeping_out(stage.build, found, found)
    fix = Fix("unsafe", f"keep {enumerated(list(found), 3)} out of the build", edits) if edits is not None else None
    yield Finding(Location(stage.build.source, source.word.span), message, repair, fix=fix)


def _credential_kind(stage: Stage, entry: Entry) -> str | None:
    """What a file holds, by its name and, where the table asks for it, by its content."""
    if not _named_like_one().match(entry.name) or not _NO_REAL_ONES.isdisjoint(entry.path.split("/")[:-1]):
        return None
    for row in facts.rows("credential_files"):
        if not re.match(_ending_in(row["file"]), entry.path):
            continue
        if any(fnmatchcase(entry.name, glob) for glob in row.get("but_not", "").split()):
            continue
        if "what" in row:
            return str(row["what"])
        text = stage.build.context.text(entry.path)
        kinds = dict.fromkeys(secret.kind for secret in masking.secrets(text.text)) if text else {}
        if kinds:
            return ", ".join(list(kinds)[:3])
    return None


def _ending_in(glob: str) -> str:
    return f"(?:.*/)?{translate(glob)}"


@cache
def _named_like_one() -> re.Pattern[str]:
    """The last parts of the globs, to tell most files of a large context apart at once."""
    return re.compile("|".join(translate(row["file"].rpartition("/")[2]) for row in facts.rows("credential_files")))
