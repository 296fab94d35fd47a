"""Compose files: which images the services build and run, and with what options."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex
from mllint.sources.compose_short import Port, Volume, port, volume
from mllint.sources.text import Problem, Source, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mllint.sources.nodes import Node

BUILD_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""The names `docker compose` looks for in a folder when it is given none, the preferred one first."""

_NAME = regex(r"(?:.+[._-])?(?:docker[._-])?compose(?:[._-].+)?\.ya?ml", re.IGNORECASE)
_INTERPOLATION = regex(r"\$[A-Za-z_{]")
_TRUE = ("true", "yes", "on", "y")


class Value(NamedTuple):
    """A scalar with its place."""

    text: str
    span: Span

    @property
    def is_literal(self) -> bool:
        """Whether the text holds no `$VARIABLE` or `${VARIABLE}`; `$$` is Compose's way to write a dollar sign."""
        return not _INTERPOLATION.search(self.text.replace("$$", ""))

    @property
    def literal(self) -> str | None:
        """What Compose makes of the text where it depends on no variable, else None."""
        return self.text.replace("$$", "$") if self.is_literal else None


class Setting(NamedTuple):
    """An entry of `environment`, `args` or `additional_contexts`; without a value the caller's shell gives it."""

    name: str
    value: Value | None
    span: Span


class Command(NamedTuple):
    """A command line as a list of words, or as one string."""

    values: tuple[Value, ...]
    is_list: bool
    span: Span

    def words(self) -> tuple[str, ...] | None:
        """The words. Compose splits a string like a shell, but runs no shell; None where its quotes do not match."""
        if self.is_list:
            return tuple(value.text for value in self.values)
        import shlex

        try:
            return tuple(word for value in self.values for word in shlex.split(value.text))
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Build:
    """How a service's image is built; the short form gives the context only."""

    span: Span
    context: Value | None = None
    dockerfile: Value | None = None
    dockerfile_inline: Value | None = None
    target: Value | None = None
    args: tuple[Setting, ...] = ()
    additional_contexts: tuple[Setting, ...] = ()


class Healthcheck(NamedTuple):
    """A service's own health check, which replaces the image's."""

    span: Span
    test: Command | None
    """A list begins with CMD, CMD-SHELL or NONE; a string is run by the image's shell."""
    disable: Value | None
    interval: Value | None
    timeout: Value | None
    retries: Value | None
    start_period: Value | None

    @property
    def is_disabled(self) -> bool:
        """Whether it switches off the health check of the image."""
        if self.test and self.test.is_list and self.test.values and self.test.values[0].text == "NONE":
            return True
        return self.disable is not None and self.disable.text.lower() in _TRUE


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """An entry of `gpus` or of `deploy.resources.reservations.devices`."""

    span: Span
    is_gpu: bool
    driver: Value | None = None
    count: Value | None = None
    device_ids: tuple[Value, ...] = ()
    capabilities: tuple[Value, ...] = ()


class Service(NamedTuple):
    """A service, as far as it concerns its image."""

    name: str
    name_span: Span
    span: Span
    """From the name to the end of the last option."""
    is_extension: bool
    """Has `extends`: what is absent here may be given by the other service."""
    image: Value | None
    build: Build | None
    ports: tuple[Port, ...]
    healthcheck: Healthcheck | None
    command: Command | None
    entrypoint: Command | None
    environment: tuple[Setting, ...]
    env_file: tuple[Value, ...]
    user: Value | None
    working_dir: Value | None
    device_requests: tuple[DeviceRequest, ...]
    runtime: Value | None
    shm_size: Value | None
    ipc: Value | None
    volumes: tuple[Volume, ...]
    platform: Value | None
    network_mode: Value | None
    is_read_only: bool
    """Whether its root file system is; then only mounts can be written to."""
    tmpfs: tuple[Value, ...]
    """Folders in memory, perhaps with options behind a colon."""
    is_watched: bool
    """Has `develop.watch`: its source is synchronised into the container while somebody works on it."""
    source: Source
    """The file it stands in."""


class ComposeFile(NamedTuple):
    """A compose file; what is wrong with it is in `problems`, and its sound parts are there nevertheless."""

    source: Source
    services: tuple[Service, ...]
    problems: tuple[Problem, ...]


def is_compose_name(name: str) -> bool:
    """Whether a file name is one people give to compose files: compose.gpu.yaml, docker-compose.override.yml …"""
    return _NAME.fullmatch(name) is not None


def parse(source: Source) -> ComposeFile:
    """Read a compose file, of several YAML documents the first; never raises."""
    from mllint.sources.yaml_tree import read_yaml

    root, problems = read_yaml(source.text)
    reader = _Reader(source, problems)
    services = tuple(reader.services(root)) if root and root.kind != "null" else ()
    return ComposeFile(source, services, tuple(sorted(reader.problems, key=lambda problem: problem.span.start)))


class _Reader:
    def __init__(self, source: Source, problems: list[Problem]) -> None:
        self.source = source
        self.problems = problems

    def misplaced(self, node: Node, name: str, wanted: str) -> None:
        self.problems.append(Problem(node.span, f'"{name}" must be {wanted}, not a {node.kind}'))

    def services(self, root: Node) -> Iterator[Service]:
        if root.kind != "table":
            self.problems.append(Problem(root.span, f"a compose file must be a table, not a {root.kind}"))
        services = self.option(root, "services", "table")
        for name, (key, table) in services.entries.items() if services else ():
            if table.kind == "table":
                yield self.service(name, key.span, table)
            else:
                self.misplaced(table, name, "a table")

    def service(self, name: str, name_span: Span, table: Node) -> Service:
        # The body stands elsewhere where it is an alias.
        end = table.span.end if table.span.start >= name_span.end else name_span.end
        return Service(
            name=name,
            name_span=name_span,
            span=Span(name_span.start, end),
            is_extension="extends" in table.entries,
            image=self.value(table, "image"),
            build=self.build(table),
            ports=tuple(self.ports(table)),
            healthcheck=self.healthcheck(table),
            command=self.command(table, "command"),
            entrypoint=self.command(table, "entrypoint"),
            environment=self.settings(table, "environment"),
            env_file=self.paths(table, "env_file"),
            user=self.value(table, "user"),
            working_dir=self.value(table, "working_dir"),
            device_requests=tuple(self.device_requests(table)),
            runtime=self.value(table, "runtime"),
            shm_size=self.value(table, "shm_size"),
            ipc=self.value(table, "ipc"),
            volumes=tuple(self.volumes(table)),
            platform=self.value(table, "platform"),
            network_mode=self.value(table, "network_mode"),
            is_read_only=self.text(table, "read_only").lower() in _TRUE,
            tmpfs=self.paths(table, "tmpfs"),
            is_watched=table.at("develop", "watch") is not None,
            source=self.source,
        )

    def option(self, table: Node, name: str, *kinds: str) -> Node | None:
        """An option of one of some kinds ("scalar" stands for all scalars); None where it is not given."""
        _, node = table.entries.get(name, (None, None))
        if node is None or node.kind == "null":
            return None
        kind = node.kind if node.kind in ("list", "table") else "scalar"
        if kind in kinds:
            return node
        self.misplaced(node, name, "a " + " or ".join("string" if kind == "scalar" else kind for kind in kinds))
        return None

    def value(self, table: Node, name: str) -> Value | None:
        node = self.option(table, name, "scalar")
        return Value(node.text, node.span) if node else None

    def text(self, table: Node, name: str) -> str:
        value = self.value(table, name)
        return value.text if value else ""

    def values(self, nodes: Iterable[Node], name: str) -> tuple[Value, ...]:
        """The scalars of a list."""
        values = []
        for node in nodes:
            if node.kind in ("list", "table"):
                self.misplaced(node, name, "a list of strings")
            else:
                values.append(Value(node.text, node.span))
        return tuple(values)

    def listed(self, table: Node, name: str) -> Iterator[Node]:
        """The items of a list, scalars and tables."""
        node = self.option(table, name, "list")
        for item in node.items if node else ():
            if item.kind in ("list", "null"):
                self.misplaced(item, name, "a list of strings or tables")
            else:
                yield item

    def command(self, table: Node, name: str) -> Command | None:
        node = self.option(table, name, "scalar", "list")
        if node is None:
            return None
        is_list = node.kind == "list"
        return Command(self.values(node.items if is_list else (node,), name), is_list, node.span)

    def settings(self, table: Node, name: str) -> tuple[Setting, ...]:
        node = self.option(table, name, "table", "list")
        if node is None:
            return ()
        if node.kind == "list":
            return tuple(self.setting(value) for value in self.values(node.items, name))
        return tuple(
            Setting(key, self.value(node, key), name_node.span) for key, (name_node, _) in node.entries.items()
        )

    def setting(self, item: Value) -> Setting:
        """An item `NAME=value` or `NAME` of a list."""
        name, equals, text = item.text.partition("=")
        name_span = value_span = item.span
        at = self.source.text.find(item.text, item.span.start, item.span.end)
        # A text with escapes or line breaks does not occur as it reads: then the whole item is the place.
        if at >= 0:
            name_span = Span(at, at + len(name))
            value_span = Span(name_span.end + len(equals), at + len(item.text))
        return Setting(name, Value(text, value_span) if equals else None, name_span)

    def build(self, table: Node) -> Build | None:
        node = self.option(table, "build", "scalar", "table")
        if node is None:
            return None
        if node.kind != "table":
            return Build(node.span, context=Value(node.text, node.span))
        return Build(
            node.span,
            context=self.value(node, "context"),
            dockerfile=self.value(node, "dockerfile"),
            dockerfile_inline=self.value(node, "dockerfile_inline"),
            target=self.value(node, "target"),
            args=self.settings(node, "args"),
            additional_contexts=self.settings(node, "additional_contexts"),
        )

    def healthcheck(self, table: Node) -> Healthcheck | None:
        node = self.option(table, "healthcheck", "table")
        if node is None:
            return None
        return Healthcheck(
            node.span,
            test=self.command(node, "test"),
            disable=self.value(node, "disable"),
            interval=self.value(node, "interval"),
            timeout=self.value(node, "timeout"),
            retries=self.value(node, "retries"),
            start_period=self.value(node, "start_period"),
        )

    def paths(self, table: Node, name: str) -> tuple[Value, ...]:
        node = self.option(table, name, "scalar", "list")
        if node is None:
            return ()
        items = node.items if node.kind == "list" else (node,)
        paths = (self.option(item, "path", "scalar") if item.kind == "table" else item for item in items)
        return self.values(filter(None, paths), name)

    def ports(self, table: Node) -> Iterator[Port]:
        for node in self.listed(table, "ports"):
            if node.kind == "table":
                target, published = self.text(node, "target"), self.text(node, "published")
                yield Port(node.span, target, published, self.text(node, "host_ip"), self.text(node, "protocol"))
            else:
                yield port(node)

    def volumes(self, table: Node) -> Iterator[Volume]:
        for node in self.listed(table, "volumes"):
            if node.kind == "table":
                source, target = self.text(node, "source"), self.text(node, "target")
                is_read_only = self.text(node, "read_only").lower() in _TRUE
                yield Volume(node.span, source, target, self.text(node, "type"), is_read_only)
            else:
                yield volume(node)

    def device_requests(self, table: Node) -> Iterator[DeviceRequest]:
        gpus = self.option(table, "gpus", "scalar", "list")
        if gpus and gpus.kind != "list":
            yield DeviceRequest(gpus.span, is_gpu=True, count=Value(gpus.text, gpus.span))
        elif gpus:
            yield from (self.device_request(node, True) for node in gpus.items)
        deployed: Node | None = table
        for name in ("deploy", "resources", "reservations"):
            deployed = deployed and self.option(deployed, name, "table")
        yield from (self.device_request(node, False) for node in (self.listed(deployed, "devices") if deployed else ()))

    def device_request(self, node: Node, is_gpu: bool) -> DeviceRequest:
        capabilities = self.values(self.listed(node, "capabilities"), "capabilities")
        return DeviceRequest(
            node.span,
            is_gpu or any(value.text == "gpu" for value in capabilities),
            driver=self.value(node, "driver"),
            count=self.value(node, "count"),
            device_ids=self.values(self.listed(node, "device_ids"), "device_ids"),
            capabilities=capabilities,
        )
