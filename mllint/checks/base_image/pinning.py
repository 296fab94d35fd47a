"""ML101: a base whose name means another image next month."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from mllint import facts
from mllint.checks import check
from mllint.checks.base_image.retagging import retagged
from mllint.edits import replace
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.build import Build
from mllint.image.names import common_name, fits, is_built_here
from mllint.image.published import exact_tag
from mllint.image.stage import Stage
from mllint.image.taken import Taken, taken
from mllint.sources.reference import Reference


@check("ML101")
def unpinned_base_image(stage: Stage) -> Iterator[Finding]:
    """A base, or an image that files are taken from, whose name means another image next month."""
    yield from _taken(stage)
    reference = stage.base.reference
    if reference is None or reference.digest or not is_first_use(stage):
        return
    where = Location(stage.build.source, stage.from_word.span)
    written = stage.from_word.text
    if is_built_here(reference):
        # Of nothing but that line, nobody makes an image.
        is_lone = len(stage.build.dockerfile.instructions) == 1
        if "$" not in written and not is_lone and (found := _open(reference)):
            message = f"{stage.base.text} {found}: the base is whatever was last built or pulled under that name"
            repair = "give each build of it a tag of its own, and name that here"
            yield Finding(where, message, repair, severity=Severity.INFO, is_strict=True)
        return
    name = f"{stage.base.text} (from {written})" if "$" in written else stage.base.text
    related = tuple(defaults(stage, written))
    if found := _open(reference):
        message = f"{name} {found}: a rebuild can start from another image"
        yield Finding(where, message, _exactly(stage, reference), related, pinned(stage, reference))
    elif stage is (alike := _alike(stage))[0]:
        message = f"{name} has no digest: whoever can push the tag can change the image"
        repair = "add the digest behind the tag: docker buildx imagetools inspect shows it"
        again = (Related(Location(stage.build.source, each.from_word.span), "here too") for each in alike[1:])
        yield Finding(where, message, repair, (*related, *again), severity=Severity.INFO, is_strict=True)


def _alike(stage: Stage) -> list[Stage]:
    """The stages of the image that start from the same base, in order."""
    return [each for each in stage.build.needed if each.base.reference == stage.base.reference]


def _open(reference: Reference) -> str | None:
    """What makes the name of an image mean another one next month."""
    if reference.tag is None:
        return "has no tag, which means :latest"
    if any(re.fullmatch(row["moving"], reference.tag) for row in _rows(reference, "moving")):
        return "follows a moving tag"
    missing = [row["what"] for row in _rows(reference, "what") if not re.search(row["pattern"], reference.tag)]
    return f"names no {' and no '.join(missing)}" if missing else None


def _taken(stage: Stage) -> Iterator[Finding]:
    """The images that COPY and mounts of a stage are the first to name."""
    places = [each for each in taken(stage.build) if not each.reference.digest and not is_built_here(each.reference)]
    for at, each in enumerate(places):
        found = _open(each.reference)
        is_first = all(other.reference != each.reference for other in places[:at])
        if found is None or not is_first or not any(step is each.step for step in stage.steps):
            continue
        where = Location(stage.build.source, each.span)
        message = f"{each.reference.text} {found}: a rebuild can take other files from it"
        alike = [other for other in places if other.reference == each.reference]
        yield Finding(where, message, _exactly(stage, each.reference, "copied_as_in"), fix=_renamed(stage, alike))


def _renamed(stage: Stage, places: Sequence[Taken]) -> Fix | None:
    """The exact tag in all places that name an image."""
    source, reference = stage.build.source, places[0].reference
    tag = exact_tag(reference, suites_that_lack(stage.build))
    if tag is None or any(source.slice(each.span) != reference.text for each in places):
        return None
    name = f"{reference.text[slice(*reference.name_span)]}:{tag}"
    return Fix("unsafe", f"take from {name}", tuple(replace(source, each.span, name) for each in places))


def pinned(stage: Stage, reference: Reference) -> Fix | None:
    """The newest image that the tag can mean, named exactly: that of today, unless apt would fail in it."""
    # Such a tag has images for Windows too, until it names a release of Debian.
    if not all(step.has_posix_shell for step in stage.steps):
        return None
    lost = suites_that_lack(stage.build)

    def tag_of(each: Reference) -> str | None:
        return exact_tag(each, lost)

    edits = retagged(stage, tag_of)
    return Fix("unsafe", f"pin to {reference.familiar}:{tag_of(reference)}", edits) if edits else None


def suites_that_lack(build: Build) -> frozenset[str]:
    """The releases of a distribution in which apt does not find all that the file installs."""
    calls = (call for stage in build.stages for step in stage.steps for call in step.installs)
    names = {word.value for call in calls if call.manager.name == "apt" for word in call.operands}
    rows = [row for name in names for row in facts.by("apt_names", "name").get(name, ()) if row["status"] == "verified"]
    return frozenset(suite for row in rows for column in ("gone", "many") for suite in row.get(column, "").split())


def _exactly(stage: Stage, reference: Reference, column: str = "as_in") -> str:
    exact = exact_tag(reference, suites_that_lack(stage.build))
    example = exact or next((row.get(column, row["as_in"]) for row in _rows(reference, "as_in")), None)
    if example is None:
        return "name an exact version in the tag, or the digest"
    return f"name the exact version, as in {reference.familiar}:{example}"


def _rows(reference: Reference, column: str) -> Iterator[dict[str, Any]]:
    name = common_name(reference)
    return (row for row in facts.rows("image_tags") if column in row and fits(name, row["image"]))


def is_first_use(stage: Stage) -> bool:
    """Whether the image needs the stage, and none above it has the same variable for its base: one edit mends all."""
    written = stage.from_word.text
    needed = stage.build.needed
    return stage in needed and not any(
        "$" in written and other.index < stage.index and other.from_word.text == written for other in needed
    )


def defaults(stage: Stage, written: str) -> Iterator[Related]:
    """The ARG lines above the first FROM that the name was put together from."""
    used = set(re.findall(r"\$\{?(\w+)", written))
    for instruction in stage.build.dockerfile.instructions:
        if instruction.keyword == "FROM":
            return
        for word in instruction.words if instruction.keyword == "ARG" else ():
            if word.text.partition("=")[0] in used:
                yield Related(Location(stage.build.source, word.span), "its default")
