"""ML318 and ML319: programs that look for their Python elsewhere, and packages that another Python has."""

from collections.abc import Iterator

from mllint import facts
from mllint.checks import check
from mllint.checks.runtime.interpreting import MODULES
from mllint.edits import replace
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.content.bypassed import Bypassed, shadowed
from mllint.image.content.moved import is_verified
from mllint.image.content.relocated import Relocated, relocated
from mllint.image.programs import Program
from mllint.image.stage import Stage

_OUTCOME = {
    "RUN": "the build stops there",
    "HEALTHCHECK": "the container is never healthy",
}


@check("ML318")
def venv_moved(stage: Stage) -> Iterator[Finding]:
    """A program of an environment looks for its Python where the environment was made."""
    for each in relocated(stage) if stage in stage.build.needed else ():
        by = each.use.step.instruction.keyword if each.use.step is not None else "CMD"
        probe = stage.last("HEALTHCHECK")
        if each.use.step is None and probe is not None and each.use.place.span.start in range(*probe.instruction.span):
            by = "HEALTHCHECK"
        message = (
            f"the environment moves from {each.old} to {each.new}, and {each.name} in it goes on looking for"
            f" {each.old}/bin/python: {_OUTCOME.get(by, 'the container does not start')}"
        )
        repair = f"make it at {each.new} in the earlier stage too, or start it by python -m"
        where = Location(stage.build.source, each.copy.instruction.span)
        yield Finding(where, message, repair, (Related(each.use.place, f"starts {each.name}"),), _fix(stage, each))


@check("ML319")
def base_image_pip_shadowed(stage: Stage) -> Iterator[Finding]:
    """Packages are installed for one Python of the image, and the process runs another."""
    found = next(shadowed(stage), None) if stage.is_final else None
    if found is None:
        return
    outcome = _OUTCOME["HEALTHCHECK"] if found.started.by == "health check" else "the container does not start"
    message = f"{found.what}: {outcome}"
    python = found.started.name
    repair = f"start {found.environment.bin}/python3, or install with {python} -m pip"
    where = Location(stage.build.source, found.started.span)
    severity = None if is_verified(stage.root.base) and _is_verified_system(stage) else Severity.WARNING
    yield Finding(where, message, repair, fix=_other_python(stage, found), severity=severity)


def _other_python(stage: Stage, found: Bypassed) -> Fix | None:
    """Start the Python that has the packages, where a path says which one is started."""
    source, word, own = stage.build.source, found.started.executed.words[0], found.environment
    if source.slice(word.span) != f'"{word.value}"' or "/" not in word.value or f"{own.bin}/" in word.value:
        return None
    other = f"{own.bin}/{word.value.rpartition('/')[2]}"
    if word.value.rpartition("/")[2] not in own.names:
        return None
    return Fix("unsafe", f"start {other}", (replace(source, word.span, f'"{other}"'),))


def _is_verified_system(stage: Stage) -> bool:
    """Whether the Python of the distribution is no matter of memory."""
    suite = stage.root.base.suite
    rows = facts.by("distro_pythons", "suite").get(suite, ()) if isinstance(suite, str) else ()
    return any(row["status"] == "verified" for row in rows)


def _fix(stage: Stage, each: Relocated) -> Fix | None:
    """Start a program of the exec form by the Python beside it, which works wherever it lies."""
    source, word = stage.build.source, each.word
    if each.use.step is not None or each.name not in MODULES or source.slice(word.span) != f'"{word.value}"':
        return None
    python = f"{word.value.rpartition('/')[0]}/python" if "/" in word.value else "python"
    found = each.use.look_up(python)
    if not isinstance(found, Program) or found.path is None or not found.path.startswith(f"{each.new}/bin/"):
        return None
    edit = replace(source, word.span, f'"{python}", "-m", "{each.name}"')
    return Fix("unsafe", f"start it by {python} -m {each.name}", (edit,))
