"""The modules and classes that pickles need where they are loaded."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from mllint.image import distributions
from mllint.image.models.served import loaded
from mllint.image.serving import absence, modules
from mllint.patterns import regex
from mllint.sources import python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.models.held import Held
    from mllint.image.models.served import Served
    from mllint.image.serving.absence import Absence
    from mllint.image.stage import Stage

_KINDS = frozenset({"pickle", "joblib", "torch"})
_MAIN = "__main__"
# What leads Python to modules elsewhere, or a pickle to other names than it has.
_REDIRECTS = regex(
    r"sys\.path\b|sys\.modules\b|torch\.hub\b|\bfind_class\b|import __main__|import_module|\bsite\.addsitedir"
)
# Modules of Python 2, which an unpickler translates.
_OF_PYTHON_2 = frozenset("__builtin__ copy_reg cPickle cStringIO exceptions Queue StringIO UserDict UserList".split())
_BY_VALUE = ("cloudpickle.", "dill.")


class Missing(NamedTuple):
    """A module that a pickle names and that the service cannot import."""

    model: Held
    module: str
    """The top-level one."""
    owner: str | None
    """The distribution that provides it; None for one that no table knows."""
    absence: Absence


class Orphan(NamedTuple):
    """A pickle with classes or functions of the script that saved it."""

    model: Held
    names: tuple[str, ...]
    by: str
    """The program that is the main one where it is loaded."""


def missing_modules(stage: Stage) -> Iterator[Missing]:
    """The modules that pickles name and that surely are not in the image, one for each model and distribution."""
    for service, model in _pickles(stage):
        seen: set[str] = set()
        for name in model.globals:
            top = name.partition(".")[0]
            if top.startswith("_") or top in sys.stdlib_module_names or top in _OF_PYTHON_2 | seen:
                continue
            seen.add(top)
            found = absence.of_module(service.use, service.interpreter, top, service.folder)
            if found is not None:
                yield Missing(model, top, next(iter(distributions.providers_of_import(top)), None), found)


def orphans(stage: Stage) -> Iterator[Orphan]:
    """The pickles whose classes or functions belong to a script that is not the one that runs."""
    for _, model in _pickles(stage):
        names = tuple(name.partition(".")[2] for name in model.globals if name.startswith(f"{_MAIN}."))
        if names and not any(name.startswith(_BY_VALUE) for name in model.globals):
            by = _main(stage, names)
            if by is not None:
                yield Orphan(model, names, by)


def _pickles(stage: Stage) -> Iterator[tuple[Served, Held]]:
    """The pickles that the service loads as they are."""
    for service, model in loaded(stage):
        if model.kind in _KINDS and not any(_REDIRECTS.search(source.text) for source, _ in service.sources):
            yield service, model


def _main(stage: Stage, names: tuple[str, ...]) -> str | None:
    """What is the main module of the service, where that lacks one of these names; None where it may have them."""
    by = None
    for target in modules.targets(stage, stage.process) if stage.process is not None else ():
        by = target.by
        if not (target.is_script or target.is_run):
            continue
        source = modules.source_of(stage, target)
        module = stage.build.context.inputs.parsed(source, python.parse) if source is not None else None
        if module is None or "*" in module.names or all(name.partition(".")[0] in module.names for name in names):
            return None
        by = source.path if source is not None else by
    return by
