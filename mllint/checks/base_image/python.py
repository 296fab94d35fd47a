"""ML103: a stage that runs Python, and has none."""

import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.base_image import python_fixes
from mllint.findings import Finding, Fix, Location, Severity
from mllint.image.interpreter import is_python_program, servers
from mllint.image.programs import Program
from mllint.image.serving import absence, uses
from mllint.image.serving.uses import Use
from mllint.image.stage import Stage

_INSTALL = {
    "debian": "apt-get install -y --no-install-recommends python3 python3-pip python3-venv",
    "ubuntu": "apt-get install -y --no-install-recommends python3 python3-pip python3-venv",
    "alpine": "apk add --no-cache python3 py3-pip",
}


@check("ML103")
def cuda_base_no_python(stage: Stage) -> Iterator[Finding]:
    """A stage whose base has no Python, none that nothing installs, and a command that needs it."""
    if stage not in stage.build.needed:
        return
    for use, by in _uses(stage):
        name, word = use.executed.words[0].value, use.executed.words[0]
        if not (is_python_program(name) or name in servers()):
            continue
        missing = absence.of_program(use, name)
        if missing is None or not _is_about_python(stage, use, name):
            continue
        severity = None if missing.is_verified else Severity.WARNING
        where = Location(stage.build.source, use.place.span) if use.step is None else use.where(word)
        fix = _fix(stage, use, by)
        yield Finding(where, *_said(stage, use, by, name), use.related(word), fix, severity)
        return


def _fix(stage: Stage, use: Use, by: str) -> Fix | None:
    if use.step is not None and use.step.trigger is not None:
        return None
    if use.look_up("python3") is not None:
        return python_fixes.as_python3(use)
    # Nobody wants all of Python for a question to a port.
    return None if by == "HEALTHCHECK" else python_fixes.installed(stage, use, [each for each, _ in _uses(stage)])


def _is_about_python(stage: Stage, use: Use, name: str) -> bool:
    """Whether there is no Python at all, or none of the name `python`, which Debian's packages leave out."""
    has_other_name = name == "python" and stage.root.base.family in ("debian", "ubuntu")
    return not absence.has_python(use) or (has_other_name and isinstance(use.look_up("python3"), Program))


def _uses(stage: Stage) -> Iterator[tuple[Use, str]]:
    for step in stage.steps:
        for use in uses.of_step(stage, step):
            yield use, "RUN"
    if stage.is_final:
        process = stage.process
        for use in uses.of_process(stage):
            yield use, process.instruction.keyword if process is not None else "CMD"
        for use in uses.of_healthcheck(stage):
            yield use, "HEALTHCHECK"


def _said(stage: Stage, use: Use, by: str, name: str) -> tuple[str, str]:
    """The message and the repair."""
    base = stage.root.base
    end = {"RUN": "the build stops there", "HEALTHCHECK": "the container will never be healthy"}
    then = end.get(by, "the container cannot start")
    if use.look_up("python3") is not None:
        return f"{by} runs python where there is only python3: {then}", "write python3, or install python-is-python3"
    message = f"{by} runs {name}, but {base.text} has no Python and nothing installs one before: {then}"
    minor = re.search(r"\d\.\d+$", name)
    install = _INSTALL.get(base.family or "", "install python3 and python3-pip first")
    return message, install if minor is None else f"install Python {minor[0]} first, or start from python:{minor[0]}"
