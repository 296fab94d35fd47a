"""ML634: channels of conda that get no packages any more."""

from collections.abc import Iterator
from typing import NamedTuple

from mllint.checks import check
from mllint.findings import Finding, Location, Related
from mllint.image.packages import Install
from mllint.image.paths import joined
from mllint.image.stage import Stage
from mllint.image.view import Node
from mllint.sources import conda
from mllint.sources.text import Source

_ENDED = "pytorch"
# What the channel was for.
_PACKAGES = frozenset({"pytorch", "pytorch-cuda", "pytorch-mutex", "torchaudio", "torchvision"})
_REPAIR = (
    "take pytorch from the channel conda-forge, which needs no pytorch-cuda, or torch by pip from "
    "https://download.pytorch.org/whl"
)


class _Asked(NamedTuple):
    """A place where the channel is named, by a call that asks for its packages."""

    install: Install
    file: Location | None
    """Where an environment file names it."""


@check("ML634")
def conda_channel_ended(stage: Stage) -> Iterator[Finding]:
    """PyTorch from the channel that its makers gave up."""
    for step in stage.steps if stage in stage.build.needed else ():
        for install in step.installs if step.trigger is None else ():
            asked = _asked(stage, install) if install.manager.name in ("conda", "micromamba") else None
            if asked is not None:
                message = "the conda channel pytorch ended with PyTorch 2.5: what comes from it gets no fixes any more"
                related = (Related(asked.file, "named here"),) if asked.file is not None else ()
                yield Finding(Location(stage.build.source, install.span), message, _REPAIR, related)
                return


def _asked(stage: Stage, install: Install) -> _Asked | None:
    named = [conda.parse_match_spec(word.value, word.span, 1) for word in install.operands]
    specs = [spec for spec in named if spec is not None]
    channels = {word.value for word in install.values("-c", "--channel")}
    wanted = [spec for spec in specs if spec.name in _PACKAGES]
    if any(spec.channel == _ENDED or (spec.channel is None and _ENDED in channels) for spec in wanted):
        return _Asked(install, None)
    for source in _files(stage, install):
        parsed = stage.build.context.inputs.parsed(source, conda.parse)
        named_here = next((channel for channel in parsed.channels if channel.text == _ENDED), None)
        if named_here is not None and any(spec.name in _PACKAGES for spec in parsed.dependencies):
            return _Asked(install, Location(source, named_here.span))
    return None


def _files(stage: Stage, install: Install) -> Iterator[Source]:
    """The environment files of a call that come from the build context."""
    for word in install.values("-f", "--file"):
        path = joined(install.directory, word.value)
        node = stage.view_before(install.step).find(path) if isinstance(path, str) and word.is_literal else None
        source = stage.build.context.text(node.origin) if isinstance(node, Node) and node.origin else None
        if source is not None and word.value.endswith((".yml", ".yaml")):
            yield source
