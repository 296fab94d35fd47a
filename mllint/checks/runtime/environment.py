"""Rules about the programs and packages that the process finds, and for whom."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.runtime import home_fixes, python_fixes
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.content.bypassed import Bypassed, bypassed, lost_activation
from mllint.image.content.homes import Closed, closed_needs
from mllint.image.content.moved import is_verified, misplaced
from mllint.image.stage import Stage

_OUTCOME = {"container": "the container does not start", "health check": "the container is never healthy"}


@check("ML312")
def root_home_unreadable(stage: Stage) -> Iterator[Finding]:
    """What the process needs lies in the home of root, and it runs as somebody else."""
    seen: set[tuple[int, str]] = set()
    for need in closed_needs(stage) if stage.is_final else ():
        key = (need.span.start, need.folder)
        if key not in seen:
            seen.add(key)
            yield _closed(stage, need)._replace(fix=home_fixes.to_environment(stage))


def _closed(stage: Stage, need: Closed) -> Finding:
    source = stage.build.source
    outcome = _OUTCOME[need.started.by]
    message = f"{need.what}, and {stage.end.user} may not enter {need.folder}: {outcome}"
    repair = (
        "make a virtual environment outside, such as /opt/venv, or install with --prefix=/install and copy that to"
        " /usr/local; for uv set UV_PYTHON_INSTALL_DIR=/opt/python and UV_INSTALL_DIR=/usr/local/bin"
    )
    user = stage.last("USER")
    related = [Related(Location(source, need.started.span), "needs it")]
    if user is not None:
        related.insert(0, Related(Location(source, user.instruction.span), "says who runs it"))
    return Finding(Location(source, need.span), message, repair, tuple(related))


@check("ML313")
def venv_not_on_path(stage: Stage) -> Iterator[Finding]:
    """The process does not use the virtual environment that has its packages."""
    if stage not in stage.build.needed:
        return
    found = next(bypassed(stage), None) if stage.is_final else None
    if found is not None:
        yield _bypassed(stage, found)
        return
    for step in stage.steps:
        lost = lost_activation(stage, step)
        if lost is not None:
            activation, folder = lost
            message = f"the activation of {folder} ends with this RUN: whatever follows uses another Python"
            where = Location(stage.build.source, activation.span)
            repair = f'write ENV PATH="{folder}/bin:$PATH" instead'
            fix = python_fixes.lasting_activation(stage, step, folder)
            yield Finding(where, message, repair, fix=fix, severity=Severity.WARNING)


def _bypassed(stage: Stage, found: Bypassed) -> Finding:
    source = stage.build.source
    environment = found.environment
    message = f"{found.what}: {_OUTCOME[found.started.by]}"
    repair = f'write ENV PATH="{environment.bin}:$PATH" in front of it'
    made = environment.cause
    own = any(step is made.step for step in stage.steps_before(None))
    related = (Related(Location(source, made.span), "makes the environment"),) if own else ()
    return Finding(Location(source, found.started.span), message, repair, related, python_fixes.on_path(stage, found))


@check("ML314")
def stage_python_mismatch(stage: Stage) -> Iterator[Finding]:
    """Packages are copied to a stage whose Python cannot use them."""
    for step in stage.steps if stage.is_in_image else ():
        found = misplaced(stage, step.copy) if step.copy is not None else None
        if step.copy is None or step.copy.stage is None or found is None:
            continue
        bases = (stage.root.base, stage.build.stages[step.copy.stage].root.base)
        severity = Severity.INFO if found.is_mild else None if is_verified(*bases) else Severity.WARNING
        where = Location(stage.build.source, step.instruction.span)
        fix = None if found.is_mild else python_fixes.same_python(stage, step.copy)
        yield Finding(where, found.message, found.repair, fix=fix, severity=severity, is_strict=found.is_mild)
