"""Conda environments whose packages the process needs and that nothing activates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.image import distributions, python
from mllint.image.content.bypassed import Bypassed
from mllint.image.events import Distribution, Interpreter
from mllint.image.paths import search_path
from mllint.image.service import PYTHON
from mllint.image.serving.started import imported, started
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.serving.started import Started
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step
    from mllint.image.view import View

_ACTIVATES = frozenset({".", "source", "eval", "conda", "mamba", "micromamba"})
# What a Miniconda has of itself.
_OF_CONDA = frozenset("requests tqdm urllib3 certifi idna packaging pip setuptools wheel cryptography distro".split())
_SETS_UP = frozenset({".", "source", "eval"})


def inactive(stage: Stage) -> Iterator[Bypassed]:
    """The conda environments that alone have what the process needs, and that it does not use."""
    environments = list(_environments(stage.view))
    process = stage.process
    if not environments or process is None or "anaconda" in stage.root.base.text or not _is_plain_start(stage):
        return
    if any(each.name in _ACTIVATES for each in process.commands) or process.scripts:
        return
    for each in started(stage):
        if each.by != "container" or each.executed.runner or "/" in each.name or isinstance(each.path, Unknown):
            continue
        for environment in environments:
            name = _needs(stage, each, environment)
            if environment.bin not in search_path(each.path) and name is not None:
                where = environment.prefix.rpartition("/")[2]
                what = f"{name} is in the conda environment {where}, which nothing activates for {each.name}"
                yield Bypassed(environment, each, what)


def _environments(view: View) -> Iterator[Interpreter]:
    for event in view.behind():
        if not isinstance(event, Interpreter) or event.kind != "conda" or not event.cause.is_sure:
            continue
        if "/envs/" in event.prefix and python.by_prefix(view, event.prefix) is event:
            yield event


def _is_plain_start(stage: Stage) -> bool:
    """Whether neither a shell that reads its profile nor a script of the base stands in front."""
    words = stage.end.shell
    is_posix = not words or words[0].rpartition("/")[2] in POSIX_SHELLS
    is_read = bool({"-l", "-i", "--login", "-lc", "-ic"} & {*words}) or "BASH_ENV" in stage.end.env
    return is_posix and not is_read and not stage.root.base.server_entrypoint


def _needs(stage: Stage, each: Started, environment: Interpreter) -> str | None:
    """The distribution that a program needs, if an environment alone is given it."""
    if PYTHON.fullmatch(each.executed.name):
        modules = sorted(imported(stage, each.executed))
        wanted = [owner for module in modules for owner in distributions.providers_of_import(module)]
    else:
        wanted = list(distributions.providers_of_script(each.executed.name))
    there, elsewhere = set[str](), set(_OF_CONDA)
    for event in stage.view.behind():
        if isinstance(event, Distribution) and not event.is_removed:
            (there if event.site == environment.site else elsewhere).add(event.name)
    return next((name for name in wanted if name in there - elsewhere), None)


def failing_activation(stage: Stage, step: Step) -> Executed | None:
    """`conda activate` in the shell of a RUN that conda has not set up."""
    words = step.before.shell
    if not step.has_posix_shell or words[:1] == () or {"-l", "-i", "--login", "-lc", "-ic"} & {*words}:
        return None
    if words[0].rpartition("/")[2] not in POSIX_SHELLS or "BASH_ENV" in step.before.env:
        return None
    for each in step.commands:
        if each.name in _SETS_UP or each.wrappers:
            return None
        if each.name in ("conda", "mamba") and each.arguments[:1] == ("activate",) and each.is_sure:
            return each
    return None
