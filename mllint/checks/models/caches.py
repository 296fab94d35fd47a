"""Rules about where a service keeps what it downloads and compiles."""

from collections.abc import Iterator

from mllint.checks import check, placing
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.models.caches import is_chosen
from mllint.image.models.compiled import uncached
from mllint.image.models.denied import Denied, denied
from mllint.image.stage import Stage

# Of these it was tried that the load fails.
_TRIED = frozenset({"hf_hub_download", "snapshot_download"})
_FOLDER = "/opt/hf"


@check("ML817")
def hf_cache_not_writable(stage: Stage) -> Iterator[Finding]:
    """The user of the service cannot make the folder that its models are kept in."""
    found = denied(stage) if stage.is_final else None
    if found is None or stage.process is None:
        return
    wanted, user = found.wanted, stage.last("USER")
    instruction = user.instruction if user is not None else stage.process.instruction
    ends = "it fails when it is called" if wanted.is_deferred else "the container does not start"
    does = f"{wanted.where} downloads {wanted.model} to {found.cache}"
    message = f"{does}, and {stage.end.user} may not write to {found.above}: {ends}"
    is_tried = wanted.how in _TRIED or wanted.how.endswith(".from_pretrained")
    # In a folder that somebody chose a volume may lie.
    is_sure = is_tried and not wanted.is_deferred and wanted.folder is None and not is_chosen(stage)
    repair = f"set HF_HOME to a folder that belongs to {stage.end.user}, or make that user a home folder"
    if wanted.folder is not None:
        repair = f"make {found.cache} in the build, and give it to {stage.end.user}"
    related = (Related(wanted.place, f"loads {wanted.model}"),)
    where = Location(stage.build.source, instruction.span)
    yield Finding(where, message, repair, related, _own_folder(stage, found), None if is_sure else Severity.WARNING)


def _own_folder(stage: Stage, found: Denied) -> Fix | None:
    """A folder of the user's own above the USER of the stage."""
    step = stage.last("USER")
    user = stage.end.user
    if found.wanted.folder is not None or step is None or step not in stage.steps or not isinstance(user, str):
        return None
    if stage.view.uid(step.before.user) != "0" or "HF_HOME" in stage.end.env or stage.view.find(_FOLDER) is not None:
        return None
    lines = (f"ENV HF_HOME={_FOLDER}", f"RUN mkdir {_FOLDER} && chown {user} {_FOLDER}")
    edit = placing.above(stage.build.dockerfile, step.instruction, *lines)
    return Fix("unsafe", f"keep models in {_FOLDER}", (edit,))


@check("ML818")
def numba_cache_not_writable(stage: Stage) -> Iterator[Finding]:
    """What numba compiles, it can keep nowhere."""
    found = uncached(stage) if stage.is_final else None
    if found is None or stage.process is None:
        return
    user = stage.last("USER")
    instruction = user.instruction if user is not None else stage.process.instruction
    ends = "the first call ends" if found.is_deferred else "the container ends at its start"
    message = (
        f"{found.what} keeps what numba compiles, and {stage.end.user} may write neither to {found.folder} nor to"
        f" {found.above} for {found.cache}: {ends} with RuntimeError: cannot cache function"
    )
    related = (Related(found.place, "asks for it"),)
    severity = Severity.WARNING if found.is_deferred else None
    where = Location(stage.build.source, instruction.span)
    yield Finding(where, message, "set NUMBA_CACHE_DIR=/tmp/numba", related, _in_tmp(stage), severity)


def _in_tmp(stage: Stage) -> Fix | None:
    step = stage.last("USER")
    if step is None or step not in stage.steps or step.trigger is not None:
        return None
    edit = placing.above(stage.build.dockerfile, step.instruction, "ENV NUMBA_CACHE_DIR=/tmp/numba")
    return Fix("safe", "keep what numba compiles in /tmp/numba", (edit,))
