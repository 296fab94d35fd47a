"""Where numba would keep what it compiles for a service."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Location
from mllint.image.events import Moded, Owned
from mllint.image.models.caches import variable
from mllint.image.models.denied import runs_as_stated, shut_for_user
from mllint.image.serving import sources as running
from mllint.image.serving.cuda import packages
from mllint.image.values import Unknown
from mllint.image.view import covers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.events import Distribution
    from mllint.image.serving.sources import Loaded
    from mllint.image.stage import Stage

# Modules that ask numba to keep what it compiles as soon as they are imported, and their distributions.
_KEEP = {"umap": "umap-learn", "pynndescent": "pynndescent"}
# The same once anything in them is used.
_KEEP_LATER = {"librosa": "librosa"}
_DECORATORS = frozenset({"numba.jit", "numba.njit", "numba.vectorize", "numba.guvectorize"})
_VARIABLES = ("NUMBA_CACHE_DIR", "NUMBA_DISABLE_JIT", "NUMBA_CACHE_LOCATOR_CLASSES")


class Uncached(NamedTuple):
    """Something whose compiled functions can be kept nowhere."""

    what: str
    """As a message begins: a package, or a file with its line."""
    folder: str
    """That of the source, where numba would keep them first."""
    cache: str
    """That of the user, where it would keep them else."""
    above: str
    """The folder in which that would have to be made."""
    place: Location
    is_deferred: bool


def uncached(stage: Stage) -> Uncached | None:
    """The first such thing of the source that the container runs; None where there is none, or nobody knows."""
    asked = sorted(_asked(stage), key=lambda each: each.is_deferred) if stage.process is not None else []
    if not asked or not runs_as_stated(stage) or any(variable(stage, name) is not None for name in _VARIABLES):
        return None
    given, home = variable(stage, "XDG_CACHE_HOME"), stage.view.home(stage.end)
    if isinstance(given, Unknown) or isinstance(home, Unknown) or any(each.volumes for each in stage.build.services):
        return None
    cache = posixpath.join(given or posixpath.join(home, ".cache"), "numba")
    above = shut_for_user(stage, cache)
    return asked[0]._replace(cache=cache, above=above) if above is not None else None


def _asked(stage: Stage) -> Iterator[Uncached]:
    """What asks numba to keep something in a folder that the user may not write to."""
    found = packages(stage) or {}
    for file in running.loaded(stage):
        yield from _own(stage, file)
        for statement in file.module.statements:
            module = statement.name.partition(".")[0]
            event = found.get((_KEEP | _KEEP_LATER).get(module, ""))
            if event is None or statement.level or statement.condition or not _is_of_root(stage, event):
                continue
            used = [call.line for call in file.module.calls if call.name.startswith(f"{module}.")]
            lines = [statement.line] if module in _KEEP else used
            line = next((line for line in lines if line in file.lines), (lines or [statement.line])[0])
            place = Location(file.source, file.source.line_span(line))
            folder = posixpath.join(event.site, module)
            yield Uncached(event.name, folder, "", "", place, line not in file.lines)


def _own(stage: Stage, file: Loaded) -> Iterator[Uncached]:
    """The functions of a file that are decorated so."""
    calls = [each for each in file.module.calls if each.name in _DECORATORS and each.keywords.get("cache") is True]
    folder = posixpath.dirname(file.path)
    if calls and shut_for_user(stage, posixpath.join(folder, "__pycache__")) is not None:
        line = calls[0].line
        place = Location(file.source, file.source.line_span(line))
        yield Uncached(f"{file.source.path}:{line}", folder, "", "", place, line not in file.lines)


def _is_of_root(stage: Stage, event: Distribution) -> bool:
    """Whether root installed a distribution, and nobody else may write there since."""
    step = event.cause.step
    if step is None or not event.cause.is_sure or step not in stage.steps_before(None):
        return False
    if stage.view.uid(step.before.user) != "0" or "--user" in step.instruction.rest.text:
        return False
    changes = (each for each in stage.view.behind() if isinstance(each, Owned | Moded))
    return not any(covers(each.path, event.site) or covers(event.site, each.path) for each in changes)
