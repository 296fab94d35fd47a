"""ML106: a base that gets no fixes any more."""

import re
from collections.abc import Iterator, Mapping, Sequence

from mllint import facts
from mllint.checks import check
from mllint.checks.base_image.pinning import defaults, suites_that_lack
from mllint.findings import Finding, Location, Related, Severity
from mllint.image import end_of_life
from mllint.image.compiling import is_put_aside
from mllint.image.end_of_life import Ended
from mllint.image.installing import managed
from mllint.image.interpreter import Interpreter
from mllint.image.names import common_name
from mllint.image.published import CUDA_IMAGES, missing_tag
from mllint.image.releases import version_of
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources import reference as references
from mllint.sources.reference import Reference
from mllint.wording import enumerated

_ASKED = {
    end_of_life.REQUIRES_PYTHON: "raise requires-python in pyproject.toml to a supported Python first",
    end_of_life.PYTHON_2: "move the code to Python 3 first",
    end_of_life.PIPFILE: "raise python_version in the Pipfile to a supported Python first, and lock again",
}
# A repository for one release: its other tags are no newer.
_NUMBERED = regex(r"(?:\d[-.]|debian)\d+$")
_DISTROS = {"ubuntu": "ubuntu22.04", "centos": "rockylinux8"}
"""The oldest release that is supported and the most versions of CUDA have images on, with the same package manager."""
_TENSORFLOW_1 = regex(r"tensorflow[\w-]*:(?:[01]\.|\d\d\.\d\d-tf1)")
# The project as others install it, whatever Python made it, and what needs none.
_PACKED = regex(r"(?:^|/)(?:dist|wheels?|wheelhouse)(?:/[^/]*)?$|/uvx?$|\.(?:whl|zip|tar\.gz)$")
_ARGUMENT = regex(r"\$\{?(\w+)")
# What stands for the release of a name: all of it, or its tag.
_BY_ARGUMENT = regex(r"(?:[^$]*:)?\$\{?\w+\}?(?:-slim)?")
# A package, wheel or archive in a release: `cuda-libraries-11-8`, `libnvinfer6=6.0.1`, `/v2.1.tar.gz`.
_RELEASED = regex(r"(?<![=<>~!])=v?\d+[.:]\d|[-_]\d{1,3}[-.]\d|\bcp3\d|\bcu1\d\d|/v?\d+\.\d|\blib[a-z-]+\d")
_OF_CUDA = regex(r"\bcuda[a-z-]*-\d+-\d|\+cuda\d")
_ALL_FIT = "for which all pins here have wheels"
# The newer of two releases, as `instead` writes it.
_NEWER = (("bookworm", "trixie", " or 13 (trixie)"), ("jammy", "noble", " or 24.04"))
_PATH = r"[^\s\"'=:]*/python{minor}/(?:site|dist)-packages\b"
_WELL_KNOWN = ("nvcr.io/", "pytorch/", "tensorflow/tensorflow", "public.ecr.aws/lambda/", "gcr.io/distroless/")
# A comment that says why the image stays as it is.
_OLD_ON_PURPOSE = regex(
    r"\b(?:old(?:er|est)?|legacy|deprecated|unsupported|eol|end[ -]of[ -]life|glibc)\b", re.IGNORECASE
)


@check("ML106")
def eol_base(stage: Stage) -> Iterator[Finding]:
    """An image whose Python, distribution or maker gives no fixes any more."""
    base = stage.base
    # The images of manylinux are old on purpose: what is built in them is to run on old systems.
    if base.kind != "image" or base.reference is None or "manylinux" in base.text or not _is_told_here(stage):
        return
    found, row = end_of_life.ended(base), end_of_life.given_up(base)
    if (not found and not row) or not (stage.is_in_image or _is_taken(stage, found)):
        return
    word = stage.from_word
    name = f"{base.text} (from {word.text})" if "$" in word.text else base.text
    is_broken = end_of_life.without_archive(stage)
    if _is_meant(stage) and not is_broken:
        return
    message = f"{name} {_gone(found) if is_broken else _said(stage, found, row)}"
    is_fresh = not row and all(each.is_fresh for each in found)
    is_hint = is_fresh or not stage.is_in_image or is_put_aside(stage.build.source.path)
    again = (Related(Location(stage.build.source, each.from_word.span), "here too") for each in _mended(stage))
    yield Finding(
        Location(stage.build.source, word.span),
        message,
        _repaired(stage, base.reference, found, row),
        (*defaults(stage, word.text), *again),
        severity=Severity.ERROR if is_broken else None,
        is_strict=not is_broken and is_hint,
    )


def _is_told_here(stage: Stage) -> bool:
    """Whether to report a base at this stage: of those whose base the same variable names, at the one that the image is
    made from, or else at the first."""
    written, final = stage.from_word.text, stage.build.final
    if stage not in stage.build.needed or "$" not in written:
        return stage in stage.build.needed
    same = [each for each in stage.build.needed if each.from_word.text == written]
    root = final.root if final is not None else None
    return stage is (root if root in same else same[0]) and (root is None or stage not in _mended(root))


def _mended(root: Stage) -> list[Stage]:
    """The stages beside that of the image whose base has ended for the same reasons, by an argument that sets both, and
    does not fail the build besides."""
    reasons, used = end_of_life.ended(root.base), _in_tag(root)
    if root.build.final is None or root is not root.build.final.root or not reasons:
        return []
    others = (each for each in root.build.needed if each.base.kind == "image" and each is not root)
    found = (each for each in others if used & _in_tag(each) and each.from_word.text != root.from_word.text)
    return [each for each in found if _has_ended_for(each, reasons) and not end_of_life.without_archive(each)]


def _has_ended_for(stage: Stage, reasons: Sequence[Ended]) -> bool:
    found = end_of_life.ended(stage.base)
    return bool(found) and all(each in reasons for each in found)


def _in_tag(stage: Stage) -> set[str]:
    """The arguments that the name of an image rests on, behind its registry."""
    return set(_ARGUMENT.findall(stage.from_word.text.rpartition("/")[2]))


def _is_meant(stage: Stage) -> bool:
    """Whether a comment above the FROM, or above the argument that names the image, says why it is an old one."""
    source, word = stage.build.source, stage.from_word
    starts = [stage.instruction.span.start, *(each.location.span.start for each in defaults(stage, word.text))]
    return any(_OLD_ON_PURPOSE.search(source.comment_above(start)) for start in starts)


def _where(stage: Stage) -> str:
    """The line to change, where that is not the FROM."""
    written = stage.from_word.text
    lines: list[int] = []
    while _BY_ARGUMENT.fullmatch(written) and (found := next(defaults(stage, written), None)) is not None:
        # The default of an argument may be put together from another, or from itself: ARG TAG=$TAG.
        if found.location.start[0] in lines:
            break
        lines.append(found.location.start[0])
        written = found.location.source.slice(found.location.span).partition("=")[2].strip("\"'")
    return f", by the ARG in line {lines[-1]}" if lines else ""


def _alike(stage: Stage) -> str:
    """The lines to change together, as what one stage makes may run with the Python of another."""
    same = [each for each in stage.build.needed if each.from_word.text == stage.from_word.text]
    lines = [str(each.instruction.start_line) for each in same]
    return f", in lines {enumerated(lines)} alike" if len(same) > 1 else ""


def _is_taken(stage: Stage, found: Sequence[Ended]) -> bool:
    """Whether the image has something that a part of this stage which has ended made."""
    takers = [other for other in stage.build.needed if other.is_in_image and stage.index in other.takes_from]
    if any(each.of != "python" for each in found):
        return bool(takers) and _is_worked_in(stage)
    steps = [step for other in takers for step in other.steps]
    paths = [
        source.path for step in steps if step.copy and step.copy.stage == stage.index for source in step.copy.sources
    ]
    paths += [mount.source for step in steps for mount in step.mounts if mount.stage == stage.index]
    is_base = any(other.base.stage == stage.index for other in takers)
    return is_base or any(not isinstance(path, str) or not _PACKED.search(path) for path in paths)


def _is_worked_in(stage: Stage) -> bool:
    """Whether programs run in a stage, or in one on top of it; else it is a store of files that its makers built."""
    return any(step.instruction.keyword == "RUN" for each in stage.on_top for step in each.steps)


def _said(stage: Stage, found: Sequence[Ended], row: Mapping[str, str]) -> str:
    if not found:
        tag = (stage.base.reference and stage.base.reference.tag) or "latest"
        if re.fullmatch(row.get("rebuilt", ""), tag):
            return f"is {row['why']}: its builds end one day, as those of other tags have"
        return f"is {row['why']}: no fixes reach it any more"
    parts = " and ".join(each.what for each in found)
    days = " and ".join(dict.fromkeys(each.day for each in found))
    outcome = "holes found since stay open in the image"
    if not stage.is_in_image:
        outcome = "what the image takes from this stage comes from programs and libraries that nobody mends"
    end = f", and the image is {row['why']}" if row else ""
    return f"brings {parts}, whose public security fixes ended on {days}{end}: {outcome}"


def _gone(found: Sequence[Ended]) -> str:
    each = next(each for each in found if each.row.get("archive") == "gone")
    return f"brings {each.what}, whose packages have left the servers that apt asks: apt-get update fails in the build"


def _repaired(stage: Stage, reference: Reference, found: Sequence[Ended], row: Mapping[str, str]) -> str:
    """The repair, the line where it is made, and that more has to change with it where more names releases."""
    repair = _repair(stage, reference, found, row)
    if not row or "use" in row:
        repair += _where(stage) or _alike(stage)
    if "servers" not in row and (lines := _written_out(stage)):
        where = f"line{'s' if len(lines) > 1 else ''} {enumerated(lines)}"
        repair += f", and change python{_minor_of(stage)} in the paths of {where}"
    is_said = " first" in repair or _ALL_FIT in repair or "servers" in row
    return repair if is_said or not _pins_more(stage) else f"{repair}, and raise with it what is pinned for the old one"


def _written_out(stage: Stage) -> list[str]:
    """The lines of COPYs that name the folder of packages of the Python of a base, which another has elsewhere."""
    minor = _minor_of(stage)
    if minor is None or not any(each.of == "python" for each in end_of_life.ended(stage.base)):
        return []
    path = re.compile(_PATH.format(minor=re.escape(minor)))
    steps = (step.instruction for each in stage.build.needed for step in each.steps)
    return [str(each.start_line) for each in steps if each.keyword in ("ADD", "COPY") and path.search(each.text)]


def _pins_more(stage: Stage) -> bool:
    """Whether what is built on a stage names releases that may be made for it alone: in its commands, or of
    distributions whose wheels are not known."""
    steps = (step for each in stage.on_top for step in each.steps)
    texts = (step.instruction.text for step in steps if step.instruction.keyword in ("ARG", "ENV", "RUN"))
    return any(map(_RELEASED.search, texts)) or any(minors is None for _, minors in end_of_life.pins(stage, True))


def _repair(stage: Stage, reference: Reference, found: Sequence[Ended], row: Mapping[str, str]) -> str:
    if "python_with" in row:
        return f"{_python(stage)}, with {row['python_with']}"
    if row:
        return f"start from {row['use']}" if "use" in row else f"serve the model with {row['servers']}"
    if cuda := _same_cuda(stage, reference) or _other_cuda(stage, reference):
        # What was built for an older CUDA does not run with another, whichever Python it is for.
        is_other = not cuda.startswith(reference.familiar)
        return _first(stage, end_of_life.pythons_of(_distro(stage)), cuda, is_other)
    has_python = any(each.of == "python" for each in found)
    release = _release(stage) if any(each.of != "python" for each in found) else ""
    if not stage.base.is_plain:
        return _newer(stage, reference, release, has_python)
    if not has_python:
        pythons = end_of_life.pythons_of(release)
        if managed.is_refused_later(stage):
            return _outside(stage, pythons, release)
        tied = end_of_life.tied(stage) if not pythons else None
        return _first(stage, pythons, release or "a supported release") + (f", with {tied}" if tied else "")
    return _python(stage) + (f", on {release}" if release else "")


def _release(stage: Stage) -> str:
    """The supported releases of the distribution of a base, but for a newer one that alone lacks what apt is to
    install."""
    release, lost = end_of_life.instead(stage.base), suites_that_lack(stage.build)
    for older, newer, words in _NEWER:
        if newer in lost and older not in lost:
            release = release.removesuffix(words)
    return release


def _outside(stage: Stage, pythons: Sequence[str], release: str) -> str:
    """The same where pip installs into the Python of the distribution, which newer releases do not let it do."""
    if stage.base.distro == "ubuntu":
        return _first(stage, pythons, release.replace(" or 24.04", ", or 24.04 with a virtual environment for pip"))
    if stage.base.distro == "debian" and end_of_life.held(stage, pythons) != end_of_life.PYTHON_2:
        return f"{_python(stage)}, as python:*-slim has it: pip refuses to install into that of {release}"
    is_managed = stage.base.distro in ("alpine", "debian")
    return _first(stage, pythons, f"{release} with a virtual environment for pip" if is_managed else release)


def _newer(stage: Stage, reference: Reference, release: str, has_python: bool) -> str:
    """A newer image of the same kind, as what else is in it was built for its Python."""
    first = end_of_life.python_with(stage.base) if release else ""
    parts = [f"Python {first or end_of_life.supported()[0]} or later"] if has_python or first else []
    # They have the Python of their Ubuntu, which looks after it.
    if parts and release and reference.familiar.startswith("nvcr.io/"):
        parts, release = [], f"{release}, whose Python is {' or '.join(end_of_life.pythons_of(release))}"
    is_other = _NUMBERED.search(reference.familiar) is not None
    newer = (
        f"take a newer image than {reference.familiar}" if is_other else f"take a newer release of {reference.familiar}"
    )
    if _TENSORFLOW_1.search(stage.base.text):
        return f"move the model to TensorFlow 2, as no supported image has TensorFlow 1: then {newer}"
    tool = ", where dnf takes the place of yum" if first and _runs(stage, "yum") else ""
    # Nobody here knows all tags of a registry of one's own.
    hedge = "" if reference.familiar.startswith(_WELL_KNOWN) else ", where there is one"
    return f"{newer}, with {' and '.join([*parts, *filter(None, [release])])}{hedge}{tool}"


def _runs(stage: Stage, program: str) -> bool:
    return any(each.name == program for step in stage.steps for each in step.commands)


def _first(stage: Stage, minors: Sequence[str], release: str, is_for_all: bool = False) -> str:
    """What to start from, and what holds the image back from the Pythons of it."""
    held = end_of_life.held(stage, minors)
    if is_for_all and (_names_cuda(stage) or (held is None and end_of_life.held(stage, minors, True) is not None)):
        return f"raise first what is pinned for the old CUDA: then start from {release}"
    if held is None:
        return f"start from {release}"
    what = _ASKED.get(held) or f"raise the pins first, as {held} has no wheel for Python {' or '.join(minors)}"
    return f"{what}: then start from {release}"


def _names_cuda(stage: Stage) -> bool:
    """Whether what is built on a stage asks for packages of one CUDA: `cuda-cublas-10-0`, `libnccl2=2.3.7+cuda9.0`."""
    steps = (step for each in stage.on_top for step in each.steps)
    return any(_OF_CUDA.search(step.instruction.text) for step in steps)


def _python(stage: Stage) -> str:
    suited = end_of_life.suited(stage)
    name, minor = stage.build.source.path.rpartition("/")[2], _minor_of(stage)
    is_named = minor is not None and re.search(rf"python-?{re.escape(minor)}(?!\d)", name) is not None
    if is_named and suited.minors and minor not in end_of_life.supported():
        return f"drop {name}, which is there for Python {minor}, and keep those for Python {suited.minors[0]} or later"
    if not suited.minors:
        if suited.held_by in _ASKED:
            return f"{_ASKED[suited.held_by]}: then start from that"
        held = f"{suited.held_by} has" if suited.held_by else "the pins here together have"
        return f"raise the pins first, as {held} no wheel for a supported Python: then start from one"
    newest = suited.minors[-1]
    if suited.has_pins and (suited.limited_by or suited.are_known):
        if not suited.limited_by:
            return f"start from Python {newest}, {_ALL_FIT}"
        verb = "admits" if suited.limited_by in _ASKED else "has a wheel for"
        return f"start from Python {newest}, the newest that {suited.limited_by} {verb}"
    return f"start from a supported Python, {suited.minors[0]} or later"


def _minor_of(stage: Stage) -> str | None:
    python = stage.base.python
    return python.minor if isinstance(python, Interpreter) and isinstance(python.minor, str) else None


def _distro(stage: Stage) -> str:
    """The release that an image of CUDA is to be taken on."""
    return _DISTROS["centos" if stage.base.distro == "centos" else "ubuntu"]


def _same_cuda(stage: Stage, reference: Reference) -> str:
    """The same CUDA on a supported release of the distribution."""
    if common_name(reference) not in CUDA_IMAGES or reference.tag is None:
        return ""
    found = references.parse(f"{reference.familiar}:{reference.tag.rpartition('-')[0]}-{_distro(stage)}")
    is_known = reference.tag.partition("-")[0] in facts.by("cuda_images", "version")
    return found.text if is_known and isinstance(found, Reference) and missing_tag(found) is None else ""


def _other_cuda(stage: Stage, reference: Reference) -> str:
    """The first CUDA that has images on such a release."""
    if common_name(reference) not in CUDA_IMAGES or reference.tag is None:
        return ""
    distro = _distro(stage)
    first = min((row["version"] for row in facts.rows("cuda_images") if row["distro"] == distro), key=version_of)
    return f"CUDA {first} or later, which has images on {distro}"
