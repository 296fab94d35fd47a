"""Who is to blame for a build that failed: the files, or what they are built with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mllint.image import published
from mllint.patterns import regex
from mllint.sources import reference
from mllint.sources.reference import Reference
from mllint.verification.records import BuildFailed, VerifyError

if TYPE_CHECKING:
    from mllint.verification.building.progress import Failure
    from mllint.verification.records import Variant
    from mllint.verification.staging import Staged

# The steps in which a builder looks for an image, and BuildKit for a frontend.
_LOOKS_FOR = regex(r"(?:\[internal\] load metadata for|\[[^\]]*\d+/\d+\] FROM(?: --platform=\S+)?) (\S+)")
_LOOKS_FOR_SYNTAX = regex(r"resolve image config for (?:docker-image://)?(\S+)")
# Where the classic builder copies from one.
_COPIES_FROM = regex(r"invalid from flag value (\S+): ")
# These messages repeat what the file says.
_OF_A_COMMAND = regex(r"process \"|The command '|executor failed running ")
_NO_SUCH_IMAGE = regex(r": not found$|manifest unknown|manifest for \S+ not found")
_NO_PLATFORM = regex(r"no match(?:ing manifest)? for ")
_NO_SPACE = regex("no space left on device", re.IGNORECASE)
_MAKE_SPACE = "docker system df shows what takes it, docker builder prune frees some"
_NO_SECRET = regex(r"secret (?P<id>\S+): not found")
_NO_AGENT = regex(r"no SSH key|ssh agent|unset ssh forward key|no ssh handler", re.IGNORECASE)
_NO_SESSION = regex(r"no active session")
_BROKEN_OFF = regex(r"code = unavailable|failed to receive status|error reading from server", re.IGNORECASE)
_UNREAD = regex(r"dockerfile parse error|unknown flag|unknown instruction|unknown keys?", re.IGNORECASE)
_PREFIX = regex(r'(?:failed to (?:solve|build|do request)(?: with frontend [\w.]+)?: |(?:Head|Get) "[^"]*": )+')


def judge(failure: Failure, variant: Variant, staged: Staged, seconds: float) -> BuildFailed | VerifyError:
    """The error that a failed build comes to."""
    message = _told(failure)
    if found := _LOOKS_FOR_SYNTAX.match(failure.step):
        return _without_image(found[1], "# syntax=", message, seconds)
    if found := _LOOKS_FOR.match(failure.step):
        return _without_image(_expanded(found[1], variant), "FROM ", message, seconds)
    if found := _COPIES_FROM.match(message):
        return _without_image(found[1], "COPY --from=", message[found.end() :], seconds)
    environment = _of_the_environment(failure, staged)
    if environment is not None:
        return VerifyError(environment)
    if not failure.step:
        return BuildFailed(message, (), seconds)
    return BuildFailed(failure.step, (*failure.log, message), seconds)


def is_nowhere(message: str) -> bool:
    """Whether a registry that was asked for an image answers that it has no such thing."""
    return _NO_SUCH_IMAGE.search(message) is not None


def _told(failure: Failure) -> str:
    """The message without what BuildKit puts in front of every one."""
    return failure.message[match.end() :] if (match := _PREFIX.match(failure.message)) else failure.message


def _of_the_environment(failure: Failure, staged: Staged) -> str | None:
    """What to do about a failure that is no fault of the files; None for one that is."""
    message = _told(failure)
    if any(_NO_SPACE.search(line) for line in failure.log):
        return f"no space is left for the build: {_MAKE_SPACE}"
    if _OF_A_COMMAND.match(message):
        return None
    if _NO_SPACE.search(message):
        return f"no space is left for the build: {_MAKE_SPACE}"
    if secret := _NO_SECRET.match(message):
        return f"the build needs the secret {secret['id']}, and verify has none to give: build this image by hand"
    if _NO_AGENT.search(message):
        return "the build needs an SSH agent, and verify has none to give: build this image by hand"
    if _NO_SESSION.search(message):
        return f"the build asks for what only docker buildx can give, install that plugin: {message}"
    if not failure.step and _BROKEN_OFF.search(message):
        return f"the Docker engine broke off the build: {message}"
    if staged.lacks_syntax and _UNREAD.search(message):
        return (
            f"the engine cannot read the Dockerfile without {staged.lacks_syntax}: pull that image, or name a mirror in"
            f" verify.base-images ({message})"
        )
    return None


def _expanded(image: str, variant: Variant) -> str:
    """The image of a FROM, which the classic builder repeats as it is written."""
    written = (stage for stage in variant.build.stages if stage.from_word.text == image)
    return next((stage.base.text for stage in written), image)


def _without_image(image: str, keyword: str, message: str, seconds: float) -> BuildFailed | VerifyError:
    """An image that could not be had: one that never was, or one that no registry gave."""
    parsed = reference.parse(image)
    shown = _short(parsed) if isinstance(parsed, Reference) else image
    if _NO_PLATFORM.search(message):
        return VerifyError(f"there is no {shown} for the platform of this engine: {message}")
    if _NO_SPACE.search(message):
        return VerifyError(f"no space is left for {shown}: {_MAKE_SPACE}")
    missing = published.missing_tag(parsed) if isinstance(parsed, Reference) else None
    if missing is not None:
        return BuildFailed(f"{keyword}{shown}: no such tag", (missing.reason, message), seconds)
    if is_nowhere(message):
        return BuildFailed(f"{keyword}{shown}: no such image", (message,), seconds)
    return VerifyError(f"{shown} cannot be pulled: {message}; pull it, or name a mirror in verify.base-images")


def _short(image: Reference) -> str:
    """The image as people write it."""
    tag = f":{image.tag}" if image.tag else ""
    digest = f"@{image.digest}" if image.digest else ""
    return f"{image.familiar}{tag}{digest}"
