"""ML335: a file that the server reads and the image lacks."""

from collections.abc import Iterator

from mllint import edits
from mllint.checks import check, placing
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.serving import unread
from mllint.image.serving.unread import Unread
from mllint.image.stage import Stage


@check("ML335")
def model_file_not_copied(stage: Stage) -> Iterator[Finding]:
    """A path that the source names and the image does not have."""
    for each in unread.files(stage) if stage.is_final else ():
        assert stage.process is not None
        outcome = "the container ends as soon as it starts" if each.is_at_start else "that call fails"
        what, repair = _told(each)
        place = Location(each.file.source, each.file.source.line_span(each.line))
        yield Finding(
            Location(stage.build.source, stage.process.instruction.span),
            f"{each.file.name}:{each.line} reads {each.path}{_by_default(each)}, {what}: {outcome}",
            repair,
            (Related(place, "it is read here"),),
            _copied(stage, each),
            None if each.is_at_start and not each.variable else Severity.WARNING,
        )


def _by_default(each: Unread) -> str:
    return f", the default of {each.variable}" if each.variable else ""


def _told(each: Unread) -> tuple[str, str]:
    """What is wrong with a path, and how to repair it."""
    if each.is_of_machine:
        what = "a path of another machine that the image does not have"
        return what, "copy it into the image, and read it by its place there"
    if each.is_in_image:
        way = "copy it to where it is looked for" if each.path.startswith("/") else "set WORKDIR so that the path fits"
        return f"and the image has it as {each.near} only", f"read {each.near}, or {way}"
    return "which no COPY brings into the image", f"copy {each.near} of the build context there"


def _copied(stage: Stage, each: Unread) -> Fix | None:
    """Copies the file of the build context to where it is looked for, behind the last COPY."""
    copies = [step for step in placing.own_steps(stage) if step.instruction.keyword == "COPY"]
    if not each.place or each.is_in_image or not copies or " " in each.near + each.place:
        return None
    edit = edits.line_below(copies[-1].instruction, f"COPY {each.near} {each.place}")
    return Fix("unsafe", f"copy {each.near}", (edit,))
