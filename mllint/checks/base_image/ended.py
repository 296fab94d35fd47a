"""ML106: a base that gets no fixes any more."""

from collections.abc import Iterator, Mapping, Sequence

from mllint import facts
from mllint.checks import check
from mllint.checks.base_image.pinning import defaults, is_first_use
from mllint.findings import Finding, Location, Severity
from mllint.image import end_of_life
from mllint.image.end_of_life import Ended
from mllint.image.names import common_name
from mllint.image.published import missing_tag
from mllint.image.releases import version_of
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources import reference as references
from mllint.sources.reference import Reference

# A repository for one release: its other tags are no newer.
_NUMBERED = regex(r"\d[-.]\d+$")
_UBUNTU = "ubuntu22.04"
"""The oldest release of Ubuntu that is supported, which the most versions of CUDA have images on."""


@check("ML106")
def eol_base(stage: Stage) -> Iterator[Finding]:
    """An image whose Python, distribution or maker gives no fixes any more."""
    base = stage.base
    # The images of manylinux are old on purpose: what is built in them is to run on old systems.
    if base.kind != "image" or base.reference is None or "manylinux" in base.text or not is_first_use(stage):
        return
    found, row = end_of_life.ended(base), end_of_life.given_up(base)
    is_in_image = stage.is_in_image or (stage.build.final is not None and stage.build.final.root.base.text == base.text)
    if (not found and not row) or not (is_in_image or _is_taken(stage)):
        return
    word = stage.instruction.words[0]
    name = f"{base.text} (from {word.text})" if "$" in word.text else base.text
    is_broken = end_of_life.without_archive(stage)
    message = f"{name} {_gone(found) if is_broken else _said(found, row, is_in_image)}"
    is_fresh = not row and all(each.is_fresh for each in found)
    yield Finding(
        Location(stage.build.source, word.span),
        message,
        _repair(stage, base.reference, found, row),
        tuple(defaults(stage, word.text)),
        severity=Severity.ERROR if is_broken else None,
        is_strict=not is_broken and (is_fresh or not is_in_image),
    )


def _is_taken(stage: Stage) -> bool:
    """Whether the image has something that this stage made."""
    return any(stage.index in other.takes_from for other in stage.build.needed if other.is_in_image)


def _said(found: Sequence[Ended], row: Mapping[str, str], is_in_image: bool) -> str:
    if not found:
        return f"is {row['why']}: no fixes reach it any more"
    parts = " and ".join(each.what for each in found)
    days = " and ".join(dict.fromkeys(each.day for each in found))
    outcome = "holes found since stay open in the image"
    if not is_in_image:
        outcome = "what the image takes from this stage was made by and of programs with holes found since"
    end = f", and is {row['why']}" if row else f": {outcome}"
    return f"brings {parts}, whose public security fixes ended on {days}{end}"


def _gone(found: Sequence[Ended]) -> str:
    each = next(each for each in found if each.row.get("archive") == "gone")
    return f"brings {each.what}, whose packages have left the servers that apt asks: apt-get update fails in the build"


def _repair(stage: Stage, reference: Reference, found: Sequence[Ended], row: Mapping[str, str]) -> str:
    if row:
        return f"start from {row['use']}" if "use" in row else "serve the model with something that is looked after"
    if cuda := _other_cuda(reference):
        suited = end_of_life.suited(stage)
        if suited.held_by:
            return f"raise the pins first, as {suited.held_by} has no wheel for a supported Python: then take {cuda}"
        return f"start from {cuda}"
    has_python = any(each.of == "python" for each in found)
    release = end_of_life.instead(stage.base) if any(each.of != "python" for each in found) else ""
    if not stage.base.is_plain:
        # What else is in the image was built for its Python.
        parts = [f"Python {end_of_life.supported()[0]} or later"] if has_python else []
        what = f"image than {reference.familiar}" if _NUMBERED.search(reference.familiar) else "release"
        of = "" if what != "release" else f" of {reference.familiar}"
        return f"take a newer {what}{of}, with {' and '.join([*parts, *filter(None, [release])])}"
    if not has_python:
        return f"start from {release}" if release else "start from a supported release"
    return _python(stage) + (f", on {release}" if release else "")


def _python(stage: Stage) -> str:
    suited = end_of_life.suited(stage)
    if not suited.minors:
        if suited.held_by == end_of_life.REQUIRES_PYTHON:
            return "raise requires-python in pyproject.toml to a supported Python, and start from that"
        held = f"{suited.held_by} has" if suited.held_by else "the pins here together have"
        return f"raise the pins first, as {held} no wheel for a supported Python: then start from one"
    newest = suited.minors[-1]
    if suited.has_pins:
        return f"start from Python {newest}, the newest that all pins here have wheels for"
    return f"start from a supported Python, {suited.minors[0]} to {newest}"


def _other_cuda(reference: Reference) -> str:
    """The same CUDA on a supported release of Ubuntu, or what has it."""
    if common_name(reference) not in ("nvidia/cuda", "nvcr.io/nvidia/cuda") or reference.tag is None:
        return ""
    tag = f"{reference.tag.rpartition('-')[0]}-{_UBUNTU}"
    found = references.parse(f"{reference.familiar}:{tag}")
    is_known = reference.tag.partition("-")[0] in facts.by("cuda_images", "version")
    if is_known and isinstance(found, Reference) and missing_tag(found) is None:
        return f"{found.familiar}:{tag}"
    first = min((row["version"] for row in facts.rows("cuda_images") if row["distro"] == _UBUNTU), key=version_of)
    return f"CUDA {first} or later, which has images on {_UBUNTU}"
