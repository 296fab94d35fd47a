"""ML213: docker inside of an image."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Related
from mllint.image.content.fetching import fetches
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.text import Span

_PACKAGES = regex(r"docker(?:\.io|-ce|-ce-cli|-cli|-engine)?(?:=.*)?")
_ADDRESS = regex(r"https?://(?:get\.docker\.com(?:/.*)?|download\.docker\.com/linux/static/.*|test\.docker\.com/?)")
# A container that one developer works in gives orders to the engine of that developer.
_DEVELOPMENT = regex(r"(?:^|[/_])\.?devcontainer(?:[/_.]|$)")
_CLIENT, _ENGINE = "docker client", "docker engine and client"
_IF = "where the socket of the host is mounted for it,"
_IMAGE = regex(r"(?:docker\.io/)?(?:library/)?docker(?::.*)?")


@check("ML213")
def docker_client_in_image(stage: Stage) -> Iterator[Finding]:
    """An image that can give orders to a Docker engine."""
    if not stage.is_in_image or _DEVELOPMENT.search(stage.build.source.path):
        return
    found = next((each for step in stage.steps for each in _brings(step)), None)
    if found is not None:
        span, what = found
        mounts = list(_mounts(stage))
        wants = f"which compose gives the socket of the host in {mounts[0].message}" if mounts else ""
        end = "whoever breaks into the container is root on the host"
        message = (
            f"the image brings the {what}, {wants}: {end}" if mounts else f"the image brings the {what}: {_IF} {end}"
        )
        repair = "leave docker out; what has to start containers can ask the orchestrator, or an engine of its own"
        yield Finding(Location(stage.build.source, span), message, repair, tuple(mounts))


def _mounts(stage: Stage) -> Iterator[Related]:
    """Where compose mounts the socket of an engine into a container of the image."""
    for service in stage.build.services:
        for volume in service.volumes:
            if volume.source.endswith("docker.sock"):
                yield Related(Location(service.source, volume.span), f"service {service.name}")


def _brings(step: Step) -> Iterator[tuple[Span, str]]:
    for install in step.installs if step.trigger is None else ():
        words = install.operands if install.manager.language != "python" else ()
        found = [word for word in words if _PACKAGES.fullmatch(word.value)]
        has_engine = any("cli" not in word.value for word in found)
        yield from ((word.span, _ENGINE if has_engine else _CLIENT) for word in found)
    for fetch in fetches(step):
        if _ADDRESS.fullmatch(fetch.address):
            # What is taken out of the archive of a static build nobody tells.
            yield fetch.command, _CLIENT if "/static/" in fetch.address else _ENGINE
    copy = step.copy
    if copy is not None and copy.image is not None and _IMAGE.fullmatch(copy.image):
        yield step.instruction.span, _CLIENT
