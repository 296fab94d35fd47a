"""ML629: conda environments that nothing activates."""

from collections.abc import Iterator

from mllint.checks import check, placing
from mllint.edits import line_below
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.content.inactive import failing_activation, inactive
from mllint.image.events import Interpreter
from mllint.image.stage import Stage
from mllint.patterns import regex

_PLAIN_PATH = regex(r"/[\w./+-]+")


@check("ML629")
def conda_env_not_active(stage: Stage) -> Iterator[Finding]:
    """A conda environment that the process, or a RUN, does not get into."""
    source = stage.build.source
    found = next(inactive(stage), None) if stage.is_final else None
    if found is not None:
        environment = found.environment
        made = environment.cause
        own = any(step is made.step for step in stage.steps_before(None))
        related = (Related(Location(source, made.span), "makes the environment"),) if own else ()
        repair = f'write ENV PATH="{environment.bin}:$PATH", or start it by conda run --no-capture-output -n'
        message = f"{found.what}: the container does not start"
        fix = _on_path(stage, environment)
        yield Finding(Location(source, found.started.span), message, repair, related, fix=fix)
    for step in stage.steps if stage in stage.build.needed else ():
        each = failing_activation(stage, step) if step.instruction.keyword == "RUN" else None
        if each is not None:
            message = f"{each.name} activate works in a shell that conda has set up, and that of a RUN is not: it fails"
            repair = "write ENV PATH with the bin folder of the environment in front, or conda run -n for each command"
            yield Finding(Location(source, each.span), message, repair)


def _on_path(stage: Stage, environment: Interpreter) -> Fix | None:
    """The environment in front of PATH, from what makes it on."""
    step = environment.cause.step
    if step is None or step not in placing.own_steps(stage) or not _PLAIN_PATH.fullmatch(environment.prefix):
        return None
    line = line_below(step.instruction, f'ENV PATH="{environment.bin}:$PATH"')
    return Fix("unsafe", f"put {environment.bin} in front of PATH", (line,))
