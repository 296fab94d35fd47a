"""The imports of what a container starts that nothing in the image provides."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from mllint.image import distributions
from mllint.image.serving import absence, extras, lookalikes, sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.models.served import Served
    from mllint.image.serving.absence import Absence
    from mllint.image.serving.sources import Loaded
    from mllint.image.stage import Stage

# Many distributions share these packages.
_SHARED = frozenset({"google", "azure", "nvidia", "zope", "mpl_toolkits", "opentelemetry", "backports", "ruamel"})
# What may lead to modules elsewhere.
_ELSEWHERE = ("sys.path", "chdir", "sys.modules", "addsitedir", "meta_path")


class Undeclared(NamedTuple):
    """An import that fails when the container starts."""

    file: Loaded
    line: int
    module: str
    distribution: str
    """What provides it elsewhere."""
    is_verified: bool


def imports(stage: Stage) -> Iterator[Undeclared]:
    """The modules that surely are imported at start and are not there, each once."""
    service = extras.runs(stage)
    files = sources.loaded(stage) if service is not None else ()
    if service is None or not absence.has_installs(service.use.view):
        return
    if any(mark in file.source.text for file in files for mark in _ELSEWHERE):
        return
    seen: set[str] = set()
    for file in files:
        for node in file.code.started(is_main=file.is_main) if file.is_sure else ():
            for module in _modules(node):
                if module not in seen and module not in _SHARED:
                    seen.add(module)
                    missing = _missing(stage, service, file, module)
                    if missing is not None:
                        owner = distributions.providers_of_import(module)[0]
                        yield Undeclared(file, getattr(node, "lineno", 1), module, owner, missing.is_verified)


def _modules(node: ast.AST) -> list[str]:
    """The top-level modules that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    is_absolute = isinstance(node, ast.ImportFrom) and not node.level and node.module
    return [str(is_absolute).partition(".")[0]] if is_absolute else []


def _missing(stage: Stage, service: Served, file: Loaded, module: str) -> Absence | None:
    owners = distributions.providers_of_import(module)
    if not owners or service.use.executed.name == module:
        return None
    # In another environment, or where nothing looks for it, it is no missing requirement.
    if any(absence.is_elsewhere(service.use, owner) for owner in owners):
        return None
    if _is_own(stage, module) or any(lookalikes.may_be_brought(stage, folder) for folder in file.folders):
        return None
    found = [absence.of_module(service.use, service.interpreter, module, folder) for folder in file.folders]
    known = [each for each in found if each is not None]
    if len(known) < len(found) or not known:
        return None
    return next((each for each in known if not each.is_verified), known[0])


def _is_own(stage: Stage, module: str) -> bool:
    """Whether the build context has a module of that name anywhere."""
    names = {f"{module}.py", module}
    return any(not names.isdisjoint(entry.path.split("/")) for entry in stage.build.context.files())
