"""What `RUN --mount` puts into the file system of one step, and which of it stays out of the layer."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import clean, relative, stage_named
from mllint.image.paths import joined
from mllint.image.values import Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.image.stage import Step
    from mllint.sources.dockerfile import Instruction


_TRUE = frozenset({"1", "t", "true"})


class Mount(NamedTuple):
    """One mount: `source` is relative to the root of the context, or of the stage with the index `stage`."""

    kind: str
    """bind, cache, tmpfs, secret or ssh."""
    target: Value
    """Absolute where it is known."""
    source: Value
    is_from_context: bool
    stage: int | None
    image: str | None = None
    """What `from` names that is no stage above: an image, or a named context of the build."""
    id: Value = ""
    """The name of a cache, a secret or an agent: mounts of one cache have one id."""
    sharing: str = ""
    """Of a cache between builds at the same time: shared, private or locked."""
    uid: int | Unknown = 0
    gid: int | Unknown = 0
    mode: int | Unknown | None = None
    """Permission bits of a cache, a secret or an agent."""
    variable: Value | None = None
    """The environment variable that holds a secret; without `target` it is then in no file."""
    is_required: bool = False
    """Whether the build fails without the secret or agent."""
    is_read_only: bool = True

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


_DEFAULT_MODES = {"cache": 0o755, "secret": 0o400, "ssh": 0o600}


def _mount(step: Step, given: Mapping[str, str]) -> Mount:
    expand = step.before.expand
    kind = given.get("type", "bind").lower()
    source = expand(given.get("source", given.get("src", "")))
    origin = given.get("from")
    stage = None if origin is None else stage_named(step, origin)
    target = _target(step, kind, given)
    return Mount(
        kind,
        target,
        source if isinstance(source, Unknown) else clean(source),
        kind == "bind" and origin is None,
        stage,
        origin if stage is None else None,
        _id(kind, expand(given.get("id", "")), source, target),
        given.get("sharing", "shared").lower() if kind == "cache" else "",
        _number(expand(given.get("uid", "0")), 10),
        _number(expand(given.get("gid", "0")), 10),
        _number(expand(given["mode"]), 8) if "mode" in given else _DEFAULT_MODES.get(kind),
        expand(given["env"]) if "env" in given else None,
        _is_on(given, False, "required"),
        not _is_on(given, kind in ("cache", "tmpfs"), "rw", "readwrite") or _is_on(given, False, "ro", "readonly"),
    )


def _target(step: Step, kind: str, given: Mapping[str, str]) -> Value:
    """Where it is mounted; secrets and agents have a place of their own unless they are given another."""
    written = next((given[name] for name in ("target", "dst", "destination") if name in given), None)
    if written is not None:
        return joined(step.before.directory, step.before.expand(written))
    if kind == "secret":
        return joined("/run/secrets", step.before.expand(given.get("id", given.get("source", given.get("src", "")))))
    return "/run/buildkit/ssh_agent.0" if kind == "ssh" else Unknown("the mount has no target")


def _id(kind: str, written: Value, source: Value, target: Value) -> Value:
    """A cache without an id is known by its target, a secret by its source or by the name of the file."""
    if written:
        return written
    if kind == "secret" and isinstance(target, str):
        return source or posixpath.basename(target)
    return target if kind == "cache" else "default" if kind == "ssh" else ""


def _is_on(given: Mapping[str, str], default: bool, *names: str) -> bool:
    """A switch, which stands alone or with a truth value as Go reads it."""
    value = next((given[name] for name in names if name in given), None)
    return default if value is None else not value or value.lower() in _TRUE


def _number(text: Value, radix: int) -> int | Unknown:
    if isinstance(text, Unknown):
        return text
    try:
        return int(text, radix)
    except ValueError:
        return Unknown(f"{text} is no number")
