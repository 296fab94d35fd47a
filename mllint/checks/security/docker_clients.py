"""ML213: docker inside of an image."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location
from mllint.image.content.fetching import fetches
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.text import Span

_PACKAGES = regex(r"docker(?:\.io|-ce|-ce-cli|-cli|-engine)?(?:=.*)?")
_ADDRESS = regex(r"https?://(?:get\.docker\.com(?:/.*)?|download\.docker\.com/linux/static/.*|test\.docker\.com/?)")
# A container that one developer works in gives orders to the engine of that developer.
_DEVELOPMENT = regex(r"(?:^|[/_])\.?devcontainer(?:[/_.]|$)")
_IMAGE = regex(r"(?:docker\.io/)?(?:library/)?docker(?::.*)?")


@check("ML213")
def docker_client_in_image(stage: Stage) -> Iterator[Finding]:
    """An image that can give orders to a Docker engine."""
    if not stage.is_in_image or _DEVELOPMENT.search(stage.build.source.path):
        return
    found = next((span for step in stage.steps for span in _brings(step)), None)
    if found is not None:
        socket = "with the socket of the host mounted, whoever breaks into the container is root on the host"
        message = f"the image brings the docker client: {socket}"
        repair = "leave docker out; what has to start containers can ask the orchestrator, or an engine of its own"
        yield Finding(Location(stage.build.source, found), message, repair)


def _brings(step: Step) -> Iterator[Span]:
    for install in step.installs if step.trigger is None else ():
        if install.manager.language != "python":
            yield from (word.span for word in install.operands if _PACKAGES.fullmatch(word.value))
    yield from (fetch.command for fetch in fetches(step) if _ADDRESS.fullmatch(fetch.address))
    copy = step.copy
    if copy is not None and copy.image is not None and _IMAGE.fullmatch(copy.image):
        yield step.instruction.span
