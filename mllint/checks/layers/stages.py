"""Rules about stages that no image is made of."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Severity
from mllint.image.build import Build
from mllint.image.stage import Stage
from mllint.patterns import regex

# Names of what is made to be copied from or built on. Any other may be a target for whoever builds.
_FOR_OTHERS = regex(
    r"(?:base|build|builder|build[-_]stage|compile|compiler|dependencies|deps|requirements|wheels?)(?:[-_]image)?"
)


@check("ML406")
def unused_stage(build: Build) -> Iterator[Finding]:
    """A stage that nothing is copied from and no other starts from."""
    if any(_is_computed(stage) for stage in build.stages):
        return
    used = {index for stage in build.stages for index in stage.takes_from}
    for stage in build.stages[:-1]:
        if stage.index in used or stage.is_final or not _is_for_others(stage):
            continue
        what = f"stage {stage.name}" if stage.name else f"FROM {stage.from_word.text}"
        message = f"nothing uses {what}: the image has none of what it makes"
        repair = "copy from it (COPY --from=...), or remove it"
        # A stage that only names a folder makes nothing that anybody could miss.
        is_idle = bool(stage.steps) and all(step.instruction.keyword == "WORKDIR" for step in stage.steps)
        severity = Severity.INFO if is_idle else None
        yield Finding(Location(build.source, stage.instruction.span), message, repair, severity=severity)


def _is_for_others(stage: Stage) -> bool:
    return bool(stage.instruction.words) and (stage.name is None or _FOR_OTHERS.fullmatch(stage.name) is not None)


def _is_computed(stage: Stage) -> bool:
    """Whether a variable decides which stage one takes from."""
    flags = [flag.text for step in stage.steps for flag in step.instruction.flag_words if "from=" in flag.text]
    is_unknown = stage.base.kind == "unknown" and "$" in stage.base.text
    return is_unknown or any("$" in flag for flag in flags)
