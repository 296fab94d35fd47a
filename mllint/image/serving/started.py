"""What the container and its health check start: programs with the PATH they are looked up on, and what Python imports
for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from mllint.image.paths import search_path
from mllint.image.service import PYTHON, file_of_image, interpreted
from mllint.image.shell.commands import executed
from mllint.image.values import Unknown
from mllint.sources import python
from mllint.sources.text import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage
    from mllint.image.values import Value
    from mllint.sources.python import Module
    from mllint.sources.text import Span


class Started(NamedTuple):
    """A program that surely runs when the container does."""

    executed: Executed
    path: Value | None
    """Its PATH; None for the standard one."""
    by: Literal["container", "health check"]
    span: Span
    """The instruction in the Dockerfile."""

    @property
    def name(self) -> str:
        """The first program as written: that of `uv run` and its like where one stands in front."""
        return self.executed.runner[0] if self.executed.runner else self.executed.words[0].value


def started(stage: Stage) -> Iterator[Started]:
    """The programs of the process and of its entry scripts, and those of the health check."""
    end = stage.end
    path = end.env.get("PATH")
    process = stage.process
    if process is not None:
        scripts = (each for script in process.scripts for each in script.commands)
        for each in (*process.commands, *scripts):
            if each.is_sure and each.words[0].is_literal:
                yield Started(each, _path(each, path), "container", process.instruction.span)
    probe = stage.last("HEALTHCHECK")
    if probe is not None and stage.healthcheck is not None:
        for each in executed(probe.instruction, end):
            if each.is_certain and each.words[0].is_literal:
                yield Started(each, _path(each, path), "health check", probe.instruction.span)


def _path(each: Executed, path: Value | None) -> Value | None:
    """The PATH of a command; one that a script activated an environment for is known where the folder is."""
    if "PATH" in each.environment or "VIRTUAL_ENV" not in each.environment:
        return each.environment.get("PATH", path)
    folder = each.environment["VIRTUAL_ENV"]
    if isinstance(folder, Unknown) or isinstance(path, Unknown):
        return Unknown("the script activates an environment")
    return ":".join((f"{folder}/bin", *search_path(path)))


def imported(stage: Stage, each: Executed) -> frozenset[str]:
    """The modules, by their dotted names, that a `python` command surely imports: the one that -m names, those of the
    code behind -c, or those at the top of the script."""
    if not PYTHON.fullmatch(each.name):
        return frozenset()
    name, _, is_module = interpreted(each)
    if is_module:
        return frozenset([name]) if file_of_image(stage, name.replace(".", "/") + ".py") is None else frozenset()
    source = file_of_image(stage, name) if name else _inline(each)
    module = stage.build.context.inputs.parsed(source, python.parse) if source is not None else None
    return top_imports(module) if module is not None else frozenset()


def _inline(each: Executed) -> Source | None:
    words = each.arguments
    at = words.index("-c") + 1 if "-c" in words else len(words)
    return Source("-c", words[at]) if at < len(words) else None


def top_imports(module: Module) -> frozenset[str]:
    """What importing a module surely imports."""
    return frozenset(
        each.name for each in module.statements if each.name and not (each.level or each.condition or each.is_deferred)
    )
