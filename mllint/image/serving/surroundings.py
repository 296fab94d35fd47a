"""Where the Python of a container runs: the paths of its files, the variables of its environment, and the modules that
it takes constants from."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from mllint.image.paths import joined
from mllint.image.values import Unknown
from mllint.image.view import Node
from mllint.sources import python
from mllint.sources.python_scopes import Undecided
from mllint.sources.python_values import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage
    from mllint.sources.python import Module
    from mllint.sources.python_known import Known
    from mllint.sources.text import Source

_DOTENV = ".env"


class Surroundings:
    """What the modules of one process see."""

    def __init__(self, stage: Stage, executed: Executed) -> None:
        self._stage = stage
        self._executed = executed
        self._modules: dict[str, Module | None] = {}
        self._variables: dict[str, str | Unknown | None] = {}

    def module(self, source: Source, path: str, folders: tuple[str, ...]) -> Module | None:
        """A module by the path of its file in the image, with the folders that it looks for others in; None where it is
        no Python that the running interpreter knows."""
        if path not in self._modules:
            found = self._stage.build.context.inputs.parsed(source, python.parse)
            self._modules[path] = found.at(self._place(path, folders)) if found is not None else None
        return self._modules[path]

    def _place(self, path: str, folders: tuple[str, ...]) -> Place:
        directory = self._executed.directory

        def imported(module: str, level: int, name: str) -> Known:
            return self._imported(path, folders, module, level, name)

        return Place(path, directory if isinstance(directory, str) else None, self.variable, imported)

    def variable(self, name: str) -> str | None:
        """A variable of the environment; None where nothing in the repository sets it. Raises Undecided."""
        if name not in self._variables:
            self._variables[name] = self._variable(name)
        found = self._variables[name]
        if isinstance(found, Unknown):
            raise Undecided(found.reason)
        return found

    def _variable(self, name: str) -> str | Unknown | None:
        end, services = self._stage.end, self._stage.build.services
        settings = [each for service in services for each in service.environment if each.name == name]
        if settings:
            values = {each.value.literal if each.value is not None else None for each in settings}
            value = values.pop() if len(values) == 1 and len(settings) == len(services) else None
            return value if value is not None else Unknown(f"compose sets {name}")
        found = self._executed.environment.get(name, end.env.get(name))
        is_open = end.may_hold(name) or any(service.env_file or service.is_extension for service in services)
        if found is None and (is_open or self._has_dotenv()):
            return Unknown(f"{name} may be set")
        return found

    def _has_dotenv(self) -> bool:
        """Whether there may be a file of variables where Python looks for one."""
        place = joined(self._executed.directory, _DOTENV)
        return not isinstance(place, str) or self._stage.view.find(place) is not None

    def resolved(self, path: str, folders: tuple[str, ...], module: str, level: int, name: str) -> tuple[str, str]:
        """The file of the image that a name which a file imports belongs to, and its name there. Raises Undecided."""
        for _, place, inside in self._modules_of(path, folders, module, level, name):
            return place, inside
        raise Undecided(name)

    def _imported(self, path: str, folders: tuple[str, ...], module: str, level: int, name: str) -> Known:
        """What a name of another module of the image stands for. Raises Undecided."""
        for source, place, inside in self._modules_of(path, folders, module, level, name):
            found = self.module(source, place, folders)
            if found is not None:
                return found.values.member(inside)
        raise Undecided(name)

    def _modules_of(
        self, path: str, folders: tuple[str, ...], module: str, level: int, name: str
    ) -> Iterator[tuple[Source, str, str]]:
        """The modules that may hold a name, each with what it is there, the likeliest first."""
        above = posixpath.normpath(posixpath.join(posixpath.dirname(path), *[".."] * (level - 1))) if level else ""
        parts = name.split(".")
        # `from package import module` gives a module, whose names the rest is.
        for count in range(len(parts) - 1, -1, -1):
            dotted = "/".join(each for each in (*module.split("."), *parts[:count]) if each)
            for source, place in self._sources((above,) if level else folders, dotted):
                yield source, place, ".".join(parts[count:])

    def _sources(self, folders: tuple[str, ...], stem: str) -> Iterator[tuple[Source, str]]:
        for folder in folders:
            place = posixpath.join(folder, stem) if stem else folder
            for path in (f"{place}.py", f"{place}/__init__.py"):
                node = self._stage.view.find(path)
                origin = node.origin if isinstance(node, Node) else None
                source = self._stage.build.context.text(origin) if origin else None
                if source is not None:
                    yield source, path
                    return
