"""ML816: data of spaCy and NLTK that nothing brings."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.edits import line_below
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image import python
from mllint.image.events import Interpreter
from mllint.image.models.language_data import Missing, missing
from mllint.image.stage import Stage

_SAYS = {"spacy": "[E050] Can't find model '{}'", "nltk": "LookupError: Resource {} not found"}
# Every NLTK looks there, whoever runs it.
_FOLDER = "/usr/local/share/nltk_data"


@check("ML816")
def spacy_nltk_data_missing(stage: Stage) -> Iterator[Finding]:
    """The service reads data that is in no package and that no step downloads."""
    for each in missing(stage) if stage.is_final and stage.process is not None else ():
        assert stage.process is not None, "what is missing is missing to a process"
        ends = "the call ends" if each.is_deferred else "the container ends at its start"
        says = _SAYS[each.package].format(each.name)
        shown = "spaCy" if each.package == "spacy" else "NLTK"
        message = (
            f"{each.place.path}:{each.place.start[0]} reads {each.name} of {shown}, and nothing in the build brings it:"
            f" {ends} with {says}"
        )
        where = Location(stage.build.source, stage.process.instruction.span)
        related = (Related(each.place, f"reads {each.name}"),)
        severity = Severity.WARNING if each.is_deferred else None
        yield Finding(where, message, f"add RUN {_command(each, 'python')}", related, _fix(stage, each), severity)


def _command(each: Missing, interpreter: str) -> str:
    if each.package == "spacy":
        return f"{interpreter} -m spacy download {each.name}"
    return f"{interpreter} -m nltk.downloader -d {_FOLDER} {each.name}"


def _fix(stage: Stage, each: Missing) -> Fix | None:
    """A RUN below the install of the package, as long as pip put it where the stage's own Python looks."""
    step, view = each.event.cause.step, stage.view
    if step is None or step not in stage.steps or step.trigger is not None or each.event.manager != "pip":
        return None
    state = step.after
    found = python.interpreter(view, "python", state.env.get("PATH"))
    if not isinstance(found, Interpreter) or found.site != each.event.site or view.uid(state.user) != "0":
        return None
    edit = line_below(step.instruction, f"RUN {_command(each, 'python')}")
    return Fix("unsafe" if each.is_deferred else "safe", f"download {each.name} in the build", (edit,))
