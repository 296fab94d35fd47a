"""Servers that services of compose start in the place of what their image says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Location
from mllint.image import service as services
from mllint.image.serving.ports import Told
from mllint.image.shell.commands import from_argv
from mllint.image.shell.scope import Scope
from mllint.sources.shell_tree import Word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.service import Server
    from mllint.image.stage import Stage
    from mllint.sources.compose import Command, Service


class Composed(NamedTuple):
    """A service with the one server that its command starts."""

    service: Service
    server: Server
    place: Location
    """The command."""

    def published(self) -> tuple[Told, ...]:
        """The ports of the container that it publishes; none where a variable or a range decides."""
        told = tuple(Told(port.target, Location(self.service.source, port.span)) for port in self.service.ports)
        return told if all(each.port.isdecimal() for each in told) else ()


def replaces_process(stage: Stage) -> bool:
    """Whether compose starts something else than the process of the image wherever it starts that. What a file adds to
    the service of another goes for both."""
    services = stage.build.services
    replaced = {each.name for each in services if each.command is not None or each.entrypoint is not None}
    return bool(replaced) and all(each.name in replaced or each.is_extension for each in services)


def servers(stage: Stage) -> Iterator[Composed]:
    """Those of an image whose address and port no variable of the service and no other service in front changes."""
    for service in stage.build.services:
        command = service.command
        if (
            command is None
            or service.entrypoint is not None
            or service.is_extension
            or service.network_mode is not None
        ):
            continue
        # An entry point of the image may do anything with the command.
        if stage.entrypoint or not stage.root.base.is_process_known:
            continue
        directory = stage.end.directory if service.working_dir is None else service.working_dir.text
        executed = list(from_argv(_words(command), Scope(None, directory)))
        made = [services.server_of(stage, each, service.source) for each in executed]
        found = [each for each in made if each is not None]
        if len(found) == 1 and len(executed) == 1 and not _is_told(service, found[0]):
            yield Composed(service, found[0], Location(service.source, command.span))


def _words(command: Command) -> tuple[Word, ...]:
    if command.is_list:
        return tuple(Word(each.text, each.literal or "$", each.is_literal, each.span) for each in command.values)
    is_literal = all(each.is_literal for each in command.values)
    return tuple(Word(text, text, is_literal, command.span) for text in command.words() or ())


def _is_told(service: Service, server: Server) -> bool:
    """Whether a variable of the service may say where the server listens."""
    row = server.launch.row
    names = {row.get("host_env"), row.get("port_env"), row.get("arguments_env"), "HOST", "PORT"}
    return bool(service.env_file) or any(each.name in names for each in service.environment)
