"""Files that `torch.load` refuses since it loads nothing but weights by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.models.installed import Release, release
from mllint.image.models.served import loaded
from mllint.image.releases import version_of
from mllint.image.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.models.held import Held
    from mllint.image.models.served import Served
    from mllint.image.stage import Stage
    from mllint.sources.text import Source

_FIRST = (2, 6)
"""The release of torch whose `torch.load` has `weights_only=True` by default."""
_WEIGHTS = frozenset({"torch", "collections", "_codecs", "builtins", "numpy"})
"""The packages that tensors, and what they lie in, are made of."""
_FORCED = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
_ALLOWING = ("safe_globals", _FORCED)


class Refused(NamedTuple):
    """A file that is more than weights, and the call that loads it."""

    model: Held
    name: str
    """A class in it that `torch.load` does not know."""
    release: Release
    source: Source
    line: int


def refused(stage: Stage) -> Iterator[Refused]:
    """The files that the service loads with `torch.load` as if they were weights."""
    for service, model in loaded(stage):
        name = next(filter(_is_other, model.globals), None) if model.kind == "torch" else None
        call = _call(service) if name is not None else None
        found = release(stage, service, "torch") if call is not None else None
        if name is not None and call is not None and found is not None and version_of(found.version) >= _FIRST:
            yield Refused(model, name, found, *call)


def _is_other(name: str) -> bool:
    return name.partition(".")[0] not in _WEIGHTS or name.startswith("torch.nn.modules.")


def _call(service: Served) -> tuple[Source, int] | None:
    """The first call of `torch.load` where all of them leave the choice to torch."""
    force = service.use.state.env.get(_FORCED, "0")
    if isinstance(force, Unknown) or force not in ("", "0"):
        return None
    if any(word in source.text for source, _ in service.sources for word in _ALLOWING):
        return None
    calls = [(source, call) for source, module in service.sources for call in module.calls if call.name == "torch.load"]
    if not calls or any("weights_only" in call.keywords or call.computed & {"weights_only", "**"} for _, call in calls):
        return None
    return calls[0][0], calls[0][1].line
