"""What an image will be like, as plain records: each value with its origin, each unknown with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, TypeVar

from mllint.image.values import Unknown

if TYPE_CHECKING:
    from mllint.image.configuration import Healthcheck

T = TypeVar("T", covariant=True)


class Origin(NamedTuple):
    """Where a value comes from."""

    path: str
    """The Dockerfile, requirements file or lock file, as reports name it."""
    line: int
    is_base: bool = False
    """Whether the base brings it; the place is then the FROM that names the base."""


class Known(NamedTuple, Generic[T]):
    """A value that the files decide. None stands for what the image surely does not have."""

    value: T
    origin: Origin


Answer = Known[T] | Unknown


class Target(NamedTuple):
    """The stage that the image is made of."""

    name: str | None
    number: int
    """From 0, in the order of the file."""
    line: int
    stages: int
    """How many stages the file has."""
    needed: int
    """How many of them the image is made from, itself included."""


class BaseImage(NamedTuple):
    """What the image starts from, through all stages of the file."""

    image: Answer[str]
    """`scratch` for nothing."""
    kind: Literal["image", "scratch", "unknown"]
    tag: Answer[str | None]
    digest: Answer[str | None]
    family: Answer[str | None]
    distro: Answer[str | None]
    suite: Answer[str | None]
    libc: Answer[str | None]
    platform: Answer[str | None]
    """What `--platform` names; None for the platform that the build is for."""


class Python(NamedTuple):
    """The interpreter that `python3`, or else `python`, starts."""

    executable: str
    version: Answer[str]
    prefix: str
    kind: str
    """image, system, venv, conda, uv or pyenv."""


class Variable(NamedTuple):
    """An environment variable or a label."""

    name: str
    value: Answer[str]


class Server(NamedTuple):
    """The network server that the process is."""

    name: str
    application: str | None
    """As its command names it: `main:app`."""
    host: Answer[str]
    port: Answer[str]
    """A number, or a variable as written."""
    workers: Answer[str]
    """How many processes serve."""


class Process(NamedTuple):
    """What `docker run` starts in the end."""

    argv: tuple[str, ...]
    """The program that stays, wrappers and shells removed."""
    wrappers: tuple[str, ...]
    """What is in front of it, by name."""
    scripts: tuple[str, ...]
    """The entry scripts of the build context that lead to it."""
    server: Server | None


class Package(NamedTuple):
    """A Python distribution that an instruction or a file asks for."""

    name: str
    """Normalised (PEP 503)."""
    extras: tuple[str, ...]
    version: Answer[str]
    manager: str
    """What installs it: pip, uv pip, uv, poetry …; `base` for what the base has."""
    origin: Origin
    """The line that asks for it."""


class Environment(NamedTuple):
    """A Python of the image with the distributions it sees."""

    prefix: Answer[str]
    version: Answer[str]
    kind: str
    origin: Origin
    packages: tuple[Package, ...]
    brought: int
    """How many more surely come with them."""
    possible: int
    """How many more come with some releases or interpreters only."""
    doubts: tuple[str, ...]
    """Why there may be yet others."""


class Program(NamedTuple):
    """Whether a program is found on PATH: its path, empty where only its folder is not known; None where it is surely
    missing."""

    name: str
    path: Answer[str | None]
    brought_by: str
    """The package or distribution it belongs to; empty for the base and what is copied."""
    is_named: bool
    """Whether CMD, ENTRYPOINT, HEALTHCHECK or a RUN runs it."""


class Files(NamedTuple):
    """What one COPY or ADD brings."""

    keyword: str
    sources: tuple[Answer[str], ...]
    destination: Answer[str]
    bringer: str
    """`context`, `stage NAME`, or the image, address or named context it is taken from."""
    files: int | None
    """How many files of the build context; None for what comes from elsewhere or stands in the Dockerfile."""
    size: int | None
    """Their bytes."""
    owner: Answer[str | None]
    """None where each file keeps the owner it has there."""
    mode: str | None
    """`--chmod` as it counts; None where each file keeps its own."""
    origin: Origin


class Accelerator(NamedTuple):
    """What the image has to do with a GPU."""

    cuda: Answer[str | None]
    """The version of CUDA that the base brings."""
    variables: tuple[Variable, ...]
    """NVIDIA_* and CUDA_*."""
    packages: tuple[Package, ...]
    """The distributions that bring CUDA or are built for it."""


class Layer(NamedTuple):
    """One instruction that makes a layer, and what makes the builder carry it out anew, beside its own text, a new base
    and whatever stands in front of it."""

    keyword: str
    text: str
    """The instruction as written, on one line."""
    stage: str
    """The stage it stands in, by name or number."""
    is_in_image: bool
    """Whether the image has this layer; those of other stages only serve to make it."""
    arguments: tuple[str, ...]
    """Build arguments that another value of does it."""
    files: int
    """Files of the build context that it reads: another content does it."""
    size: int
    """Their bytes."""
    reads_from: tuple[str, ...]
    """What else it reads from: `stage NAME`, or an image, a named context or an address."""
    origin: Origin


class Download(NamedTuple):
    """What the installer will fetch by a lock file, for x86-64."""

    size: int
    """Bytes of the wheels whose size the lock tells."""
    wheels: int
    """How many these are."""
    without_size: int
    """Packages the lock has no size for, or no wheel that fits."""


class Open(NamedTuple):
    """A question that the files leave open."""

    question: str
    reason: str
    origin: Origin


class Inspection(NamedTuple):
    """Everything that is known of an image before it is built."""

    dockerfile: str
    context: str
    target: Target
    base: BaseImage
    python: Answer[Python | None]
    variables: tuple[Variable, ...]
    more_variables: Unknown | None
    """Why the base may set others; None where all are listed."""
    user: Answer[str]
    """As USER writes it."""
    uid: Answer[str]
    home: Answer[str]
    directory: Answer[str]
    ports: tuple[Answer[str], ...]
    """`8000/tcp`, `8000-8010/udp`."""
    volumes: tuple[Answer[str], ...]
    labels: tuple[Variable, ...]
    stop_signal: Answer[str | None]
    """None for the engine's default, SIGTERM."""
    entrypoint: Answer[tuple[str, ...]]
    command: Answer[tuple[str, ...]]
    process: Answer[Process | None]
    healthcheck: Answer[Healthcheck | None]
    """`is_none` is set where HEALTHCHECK NONE took away what the base may have."""
    environments: tuple[Environment, ...]
    """That of `python` first."""
    packages_unknown: Unknown | None
    """Why there may be distributions outside of the environments that are known."""
    programs: tuple[Program, ...]
    files: tuple[Files, ...]
    accelerator: Accelerator
    layers: tuple[Layer, ...]
    download: Answer[Download | None]
    """None where no lock file is installed from."""
    undecided: tuple[Open, ...]
