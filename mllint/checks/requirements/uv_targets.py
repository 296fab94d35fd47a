"""ML625: `uv pip install` without an environment to install into."""

from collections.abc import Iterator
from typing import Literal

from mllint.checks import check
from mllint.checks.requirements.calls import uses_of
from mllint.edits import insert
from mllint.findings import Finding, Fix, Location
from mllint.image import python
from mllint.image.events import Interpreter
from mllint.image.installing.homeless import has_no_environment
from mllint.image.packages import Install
from mllint.image.stage import Stage


@check("ML625")
def uv_pip_without_environment(stage: Stage) -> Iterator[Finding]:
    """`uv pip install` where no virtual environment is active or in reach."""
    for use in uses_of(stage):
        call = use.install
        if has_no_environment(stage, call):
            where_to = "/" if call.directory == "/" else f"{call.directory} or above,"
            message = f"uv {call.verb} finds no virtual environment in {where_to} and none is active: the build fails"
            option, repair = _choice(stage, call)
            where = Location(stage.build.source, call.span)
            yield Finding(where, message, repair, fix=_with_option(stage, call, option) if option else None)


def _choice(stage: Stage, call: Install) -> tuple[str | None, str]:
    """The option that says what must be meant, None where that is open, and the repair in words."""
    state, view = call.step.before, stage.view_before(call.step)
    made = {event.prefix for event in view.behind() if isinstance(event, Interpreter) and event.kind == "venv"}
    if made:
        prefix = min(made)
        option = f"--python {prefix}" if len(made) == 1 else None
        return option, f"write ENV VIRTUAL_ENV={prefix} in front of it, or name the environment with --python"
    found = python.interpreter(view, "python3", state.env.get("PATH"))
    is_free = isinstance(found, Interpreter) and found.is_managed is False and view.uid(state.user) == "0"
    return "--system" if is_free else None, "add --system, or make an environment first with uv venv"


def _with_option(stage: Stage, call: Install, option: str) -> Fix | None:
    words, source = call.executed.words, stage.build.source
    verb = words[2] if len(words) > 2 and words[2].value == call.verb.rpartition(" ")[2] else None
    if verb is None or source.slice(verb.span) != verb.value or call.step.trigger is not None:
        return None
    applicability: Literal["safe", "unsafe"] = "safe" if option == "--system" else "unsafe"
    return Fix(applicability, f"add {option}", (insert(source, verb.span.end, f" {option}"),))
