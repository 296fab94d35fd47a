"""ML412: what a build leaves in the image."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.os_packages.endings import ended_with
from mllint.findings import Finding, Fix, Location
from mllint.image.content.leftovers import leftover
from mllint.image.stage import Stage


@check("ML412")
def build_leftovers(stage: Stage) -> Iterator[Finding]:
    """A RUN builds something, installs it elsewhere, and leaves its source and objects in the layer."""
    for step in stage.steps if stage.is_in_image else ():
        found = leftover(stage, step) if step.instruction.keyword == "RUN" and step.trigger is None else None
        if found is None:
            continue
        source = "the clone" if found.is_cloned else "the source"
        message = f"{source} in {found.folder} and all that was built there stay in the image after the install"
        if found.missed is not None:
            removal, path = found.missed
            line = stage.build.source.position(removal.span.start)[0]
            message += f", as the rm in line {line} names {path}"
        command = f"rm -rf {found.folder}"
        edit = ended_with(stage.build.dockerfile, step.instruction, [command])
        fix = Fix("unsafe", f"end the RUN with: {command}", (edit,)) if edit is not None else None
        where = Location(stage.build.source, found.install.span)
        repair = f"end this RUN with: && {command}, or build it in a builder stage"
        yield Finding(where, message, repair, fix=fix)
