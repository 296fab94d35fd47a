"""The Python of an operating system's own packages, which pip refuses to install into (PEP 668)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint import facts
from mllint.image.installing.indexed import configures_pip, interpreter_of

if TYPE_CHECKING:
    from mllint.image.events import Interpreter
    from mllint.image.packages import Install
    from mllint.image.stage import Stage

# With these pip does not look: it cannot tell whose packages lie there.
_ELSEWHERE = ("-t", "--target", "--prefix", "--root", "--break-system-packages")
_VARIABLES = tuple(
    f"{tool}_{name}" for tool in ("PIP", "UV") for name in ("BREAK_SYSTEM_PACKAGES", "TARGET", "PREFIX", "CONFIG_FILE")
)


def refused(stage: Stage, install: Install) -> Interpreter | None:
    """The interpreter that pip or uv surely refuses to install into; None where the call may pass."""
    if _goes_elsewhere(install):
        return None
    found = interpreter_of(stage, install)
    # Images that bring more than an operating system have often made their Python free for pip.
    if found is None or found.kind != "system" or found.is_managed is not True or not stage.root.base.is_plain:
        return None
    suite = stage.root.base.suite
    rows = facts.by("distro_pythons", "suite").get(suite, ()) if isinstance(suite, str) else ()
    if not any(row["status"] == "verified" and row["python"] == found.minor for row in rows):
        return None
    steps = (*stage.steps_before(install.step), install.step)
    texts = [step.instruction.source.text[step.instruction.span.start : step.instruction.span.end] for step in steps]
    if any("EXTERNALLY-MANAGED" in text for text in texts) or any(configures_pip(stage, step) for step in steps):
        return None
    return found


def is_refused_later(root: Stage) -> bool:
    """Whether pip or uv installs into the Python of the distribution of a base, as newer releases of it refuse."""
    calls = ((stage, each) for stage in root.on_top for step in stage.steps for each in step.installs)
    return any(not _goes_elsewhere(install) and _is_of_distro(stage, install) for stage, install in calls)


def _goes_elsewhere(install: Install) -> bool:
    return install.has(*_ELSEWHERE) or any(install.variable(name) for name in _VARIABLES)


def _is_of_distro(stage: Stage, install: Install) -> bool:
    """Whether a call surely installs for the Python of the distribution, not for another one from its packages."""
    found, suite = interpreter_of(stage, install), stage.root.base.suite
    rows = facts.by("distro_pythons", "suite").get(suite, ()) if isinstance(suite, str) else ()
    return found is not None and found.kind == "system" and any(row["python"] == found.minor for row in rows)
