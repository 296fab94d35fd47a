"""What `RUN --mount` puts into the file system of one step, and which of it stays out of the layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import clean, relative, stage_named
from mllint.image.expansion import expand
from mllint.image.paths import joined
from mllint.image.values import Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.image.stage import Step
    from mllint.sources.dockerfile import Instruction


class Mount(NamedTuple):
    """One mount: `source` is relative to the root of the context, or of the stage with the index `stage`."""

    kind: str
    """bind, cache, tmpfs, secret or ssh."""
    target: Value
    """Absolute where it is known."""
    source: Value
    is_from_context: bool
    stage: int | None

    def covers(self, path: str) -> bool | None:
        """Whether a path of the image lies in the mount and so stays out of the layer; None where nobody knows."""
        return None if isinstance(self.target, Unknown) else relative(path, self.target) is not None


def read(step: Step) -> tuple[Mount, ...]:
    """The mounts of a RUN, in order."""
    return tuple(_mount(step, each) for each in options(step.instruction))


def options(instruction: Instruction) -> Iterator[dict[str, str]]:
    """The options of each `--mount` as written."""
    for text in instruction.flags:
        if text.startswith("--mount="):
            parts = (part.partition("=") for part in text.removeprefix("--mount=").split(","))
            yield {name.strip().lower(): value for name, _, value in parts}


def _mount(step: Step, given: Mapping[str, str]) -> Mount:
    kind = given.get("type", "bind")
    target = next((given[name] for name in ("target", "dst", "destination") if name in given), None)
    source = expand(given.get("source", given.get("src", "")), step.before)
    origin = given.get("from")
    return Mount(
        kind,
        Unknown("the mount has no target") if target is None else _joined(step, target),
        source if isinstance(source, Unknown) else clean(source),
        kind == "bind" and origin is None,
        None if origin is None else stage_named(step, origin),
    )


def _joined(step: Step, path: str) -> Value:
    return joined(step.before.directory, expand(path, step.before))
