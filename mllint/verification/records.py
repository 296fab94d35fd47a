"""What a verification is asked to do, and what it finds out."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mllint.image.build import Build

LABEL = "mllint.verify"
"""The label of every image, container and volume that a verification makes; its value tells runs apart."""

Gpus = Literal["none", "auto", "all"]
"""Whether a container is given GPUs: never, where the engine has them, or always."""


class VerifyError(Exception):
    """A verification that could not run, no fault of the files; str() says what to do about it."""


class Request(NamedTuple):
    """A request to the service, and what it is to be answered."""

    path: str
    method: str = "GET"
    json: Any = None
    """The body; None for none."""
    headers: Mapping[str, str] = MappingProxyType({})
    status: int = 200
    shape: Any = None
    """What the JSON of the answer is to look like: a mapping of keys to shapes, a list of one shape for its members,
    or the name of a type (string, number, integer, boolean, object, array, null, any); None for any answer at all."""


class Limits(NamedTuple):
    """What is too much."""

    size: int | None = None
    """Bytes of the image; None for no limit."""
    healthy: float = 120.0
    """Seconds from the start to healthy."""
    stop: float = 10.0
    """Seconds from SIGTERM to the end, those that `docker stop` waits."""


class Provider(NamedTuple):
    """Where the service tells what computes: in a member of the JSON that a path answers."""

    path: str
    member: str
    """Names of keys, from the outside in: `model.device`."""
    gpu: tuple[str, ...] = ("cuda", "gpu", "rocm", "CUDAExecutionProvider", "TensorrtExecutionProvider")
    """What stands for a GPU in it, or in its first entry if it is a list; also in front of a colon (`cuda:0`)."""


class Variant(NamedTuple):
    """One image to build and run."""

    name: str
    build: Build
    """The Dockerfile carried out on paper, with its context, target and build arguments."""
    path: Path
    """The Dockerfile."""
    gpus: Gpus = "auto"
    port: int | None = None
    """The port of the service in the container; None for the one that the build on paper finds."""
    health: str | None = None
    """A path that answers below 400 when the service is up; None for the one that the build on paper finds."""
    env: Mapping[str, str] = MappingProxyType({})
    """Variables that the container is started with."""
    requests: tuple[Request, ...] = ()
    provider: Provider | None = None
    is_root_fine: bool = False
    """Whether the service may run as root."""
    limits: Limits = Limits()
    base_images: Mapping[str, str] = MappingProxyType({})
    """Where to take a base image from: the reference in the Dockerfile → another."""


class Built(NamedTuple):
    """An image that was built."""

    image: str
    """Its id."""
    seconds: float
    size: int
    """Bytes, as the engine counts them."""
    layers: int
    cached: int
    """Steps that the builder had in its cache."""
    steps: int


class BuildFailed(Exception):
    """A build that the files are to blame for."""

    def __init__(self, step: str, log: tuple[str, ...], seconds: float) -> None:
        """`step` is the failing step as the builder names it, `log` the last lines that it printed."""
        super().__init__(step)
        self.step = step
        self.log = log
        self.seconds = seconds


class Row(NamedTuple):
    """One thing that was looked at."""

    name: str
    """`built`, `healthy`, `reachable`, `POST /predict`, `user`, `stops`, `size`, `provider`, `secrets` or
    `as predicted`."""
    outcome: Literal["pass", "fail", "note"]
    """A note is neither right nor wrong: what was not asked for, or could not be looked at, and why."""
    value: str
    """One line: `in 2.4 s`, `uid 0: the service runs as root`."""
    detail: tuple[str, ...] = ()
    """Lines of a log that tell why."""
    number: float | None = None
    """What was measured: seconds, bytes, the uid."""


class Outcome(NamedTuple):
    """What came out for one variant."""

    variant: Variant
    builder: str
    """Which builder it was, with why that one: `BuildKit by docker buildx 0.13.1`."""
    notes: tuple[str, ...]
    """What was changed in the temporary copy of the Dockerfile before the build."""
    built: Built | None
    rows: tuple[Row, ...]
    obstacle: str | None = None
    """Why it could not be verified, or not to the end, and what to do about it; None where it was."""

    @property
    def is_wrong(self) -> bool:
        """Whether something failed that was looked at."""
        return any(row.outcome == "fail" for row in self.rows)

    @property
    def is_right(self) -> bool:
        """Whether all was looked at and nothing failed."""
        return self.obstacle is None and not self.is_wrong
