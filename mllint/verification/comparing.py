"""What the build on paper says of an image, held against the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mllint import masking
from mllint.engine_images import described
from mllint.image.build import Build
from mllint.image.values import Unknown
from mllint.inspection import inspection
from mllint.verification.background import begun
from mllint.verification.claims import Claim, Claims, Questions, claims, questions
from mllint.verification.records import Row

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from mllint.config import Base
    from mllint.verification.probes import Probe
    from mllint.verification.records import Variant
    from mllint.verification.session import Session

STANDIN = "mllint.standin"
"""The label of an image that only stands in for the official one of its name."""
_INSIDE = (("image", "uid"), ("image", "home"))
_CONFIGURATION = ("env", "label", "port", "volume", "image")
_FILES = ("program", "path of program", "kind", "owner", "mode")
_LONGEST = 200
_LARGEST = 1e9
"""Bytes of an image that is still looked into: to read more takes too long."""


class Predicted(NamedTuple):
    """What is known on paper."""

    asked: Questions
    known: Claims
    missing: tuple[str, ...] = ()
    """Bases that the engine did not have to look into."""
    why_not: str = ""
    """Why nothing is compared."""


class Different(NamedTuple):
    """A value that is known on paper, and wrong."""

    claim: Claim
    on_paper: Any
    in_truth: Any

    @property
    def text(self) -> str:
        """A line of a report."""
        topic, about = self.claim
        subject = f"{topic} {about}".strip() if topic != "image" else about
        return f"{subject}: predicted {_shown(about, self.on_paper)}, is {_shown(about, self.in_truth)}"


def foresee(session: Session, variant: Variant) -> Future[Predicted]:
    """Begin to find out what is known on paper, in a thread: it takes a second or two where a base has to be looked
    into, which goes well with a build."""
    return begun(predicted, session, variant)


def predicted(session: Session, variant: Variant) -> Predicted:
    """What is known of the image of a variant before it is looked at. A base that another image stands in for is looked
    into, as what is known of the official one says nothing of it."""
    from tarfile import TarError

    from docker.errors import APIError
    from requests import RequestException
    from urllib3.exceptions import HTTPError

    standins: dict[str, Base] = {}
    missing = []
    for name in dict.fromkeys(stage.base.text for stage in variant.build.needed if stage.base.kind == "image"):
        image = _image(session, variant.base_images.get(name, name))
        if image is None:
            missing.append(name)
        elif name in variant.base_images or STANDIN in ((image["Config"] or {}).get("Labels") or {}):
            if image["Size"] > _LARGEST:
                return _nothing(f"the image that stands in for {name} is too large to look into")
            try:
                standins[_literally(name)] = _described(session, image["Id"])
            except (APIError, RequestException, HTTPError, OSError, TarError) as error:
                return _nothing(f"the image that stands in for {name} cannot be looked into: {error}")
    if any(name in variant.base_images for name in missing):
        return _nothing(_not_there(missing))
    build = variant.build
    if standins:
        settings = build.settings._replace(bases={**standins, **build.settings.bases})
        build = Build(build.dockerfile, build.context, settings, build.services)
    stage = build.final
    if stage is None:
        return _nothing("the Dockerfile has no such stage")
    inspected = inspection(stage)
    asked = questions(stage, inspected)
    said = claims(stage, inspected, asked)
    known = {claim: value for claim, value in said.items() if not isinstance(value, Unknown)}
    return Predicted(asked, known, tuple(missing))


def _nothing(why_not: str) -> Predicted:
    return Predicted(Questions((), (), ()), {}, (), why_not)


def _not_there(names: Iterable[str]) -> str:
    return f"the engine did not have what stands in for {', '.join(names)} to look into"


def _image(session: Session, name: str) -> dict[str, Any] | None:
    from docker.errors import ImageNotFound

    try:
        image: dict[str, Any] = session.client.api.inspect_image(name)
    except ImageNotFound:
        return None
    return image


def _described(session: Session, image: str) -> Base:
    if image not in session.descriptions:
        session.descriptions[image] = described(session.client, image, session.labels)
    return session.descriptions[image]


def _literally(name: str) -> str:
    """A glob for this name alone."""
    return "".join(f"[{each}]" if each in "*?[" else each for each in name)


def compared(paper: Predicted, probe: Probe) -> Row:
    """The row `as predicted`: every value that is known on paper beside what the engine and a container say."""
    truth = probe.answers(paper.asked)
    if paper.why_not:
        return Row("as predicted", "note", paper.why_not)
    if paper.missing and ("label", STANDIN) in truth:
        return Row("as predicted", "note", _not_there(paper.missing))
    known = {claim: value for claim, value in paper.known.items() if _is_asked(claim, truth)}
    wrong = differences(known, truth)
    if wrong:
        value = f"{len(wrong)} of {len(known)} values are wrong: a bug of mllint, please report it"
        return Row("as predicted", "fail", value, tuple(each.text for each in wrong), len(known))
    return Row("as predicted", "pass", f"{len(known)} values", number=len(known))


def _is_asked(claim: Claim, truth: Claims) -> bool:
    """Whether the truth was to be had: an image without a shell tells nothing but its configuration, and a container
    has the folders of its volumes, whatever the image has there."""
    topic, about = claim
    if topic in _CONFIGURATION and claim not in _INSIDE:
        return True
    if topic not in _FILES:
        return _INSIDE[0] in truth
    volumes = (path for kind, path in truth if kind == "volume")
    return any(kind in _FILES for kind, _ in truth) and not any(f"{path}/".startswith(f"{about}/") for path in volumes)


def differences(known: Claims, truth: Claims) -> list[Different]:
    """The values that are not as they are in truth."""
    return [
        Different(claim, value, truth.get(claim))
        for claim, value in known.items()
        if not _agrees(claim, value, truth.get(claim))
    ]


def _agrees(claim: Claim, value: object, truth: object) -> bool:
    """A version of Python may be known without its patch release."""
    if claim[0] in ("version of", "python") and isinstance(value, str) and isinstance(truth, str):
        return truth == value or truth.startswith(f"{value}.")
    return bool(value == truth)


def _shown(about: str, value: object) -> str:
    if value is None:
        return "not there"
    if value is True:
        return "there"
    text = value if isinstance(value, str) else repr(value)
    text = "***" if masking.credential(about, text) else masking.mask(text, False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
