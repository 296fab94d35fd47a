"""Rules about packages that are installed when the container starts."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.runtime import at_start_fixes
from mllint.findings import Finding, Location, Severity
from mllint.image.serving.installs import late_installs
from mllint.image.serving.uv_runs import Sync, UvRun, cache_denied, sync, uv_runs
from mllint.image.stage import Stage
from mllint.wording import enumerated

_SHOWN = 2
_LOCAL = ("editable", "path")


@check("ML315")
def uv_run_resyncs_at_start(stage: Stage) -> Iterator[Finding]:
    """`uv run` in front of the program syncs the environment of the project at each start."""
    for run in uv_runs(stage) if stage.is_final else ():
        where = Location(run.source, run.executed.span)
        cache = cache_denied(stage, run)
        if cache is not None:
            message = f"uv run cannot make its cache {cache} as {stage.end.user}: the container does not start"
            repair = (
                f"start {run.executed.name} of the environment itself, or set UV_CACHE_DIR to a folder of that user"
            )
            yield Finding(where, message, repair, fix=at_start_fixes.without_uv(stage, run), severity=Severity.ERROR)
            continue
        found = sync(stage, run)
        if found is not None:
            yield from _synced(stage, run, found)


def _synced(stage: Stage, run: UvRun, found: Sync) -> Iterator[Finding]:
    where = Location(run.source, run.executed.span)
    if not found.is_made and not found.missing:
        if found.is_locked and not _is_for_development(run) and not at_start_fixes.takes_lock_as_it_is(stage, run):
            message = (
                f"uv run compares {found.environment} with uv.lock, and that with pyproject.toml, before each start"
            )
            message += ": where they differ it does not start" if found.is_closed else ": it installs what differs"
            repair = "write uv run --no-sync, or start the program of the environment itself"
            fix = at_start_fixes.without_sync(run, is_same=found.missing == ())
            yield Finding(where, message, repair, fix=fix, severity=Severity.INFO, is_strict=True)
        return
    what, outcome = _work(found)
    outcome = f"{stage.end.user} may not write there and the container does not start" if found.is_closed else outcome
    repair = "install in the build all that uv run asks for, or write uv run --no-sync"
    fix = None if found.is_made else at_start_fixes.without_sync(run, is_same=False)
    severity = Severity.ERROR if found.is_closed else None
    yield Finding(where, f"uv run {what}: {outcome}", repair, fix=fix, severity=severity)


def _is_for_development(run: UvRun) -> bool:
    """Whether a server starts that looks for changes of its source."""
    words = [word.value for word in run.executed.words]
    return "--reload" in words or ("fastapi" in words and "dev" in words)


def _work(found: Sync) -> tuple[str, str]:
    """What `uv run` has to do, and what that means for a start."""
    if found.is_made:
        return f"makes {found.environment} at the start", "each new container installs the project before it serves"
    missing = found.missing or ()
    listed = enumerated([each.name for each in missing], _SHOWN)
    is_local = all(each.origin.kind in _LOCAL for each in missing)
    outcome = "each new container builds that" if is_local else "each new container downloads that"
    return (
        f"installs {listed} at the start, left out of {found.environment} by the build",
        f"{outcome} before it serves",
    )


@check("ML316")
def install_at_start(stage: Stage) -> Iterator[Finding]:
    """The container installs packages before it serves."""
    for late in late_installs(stage) if stage.is_final else ():
        message = (
            f"{late.shown} runs at each start of a container: the image lacks what it installs, and the service waits"
            f" for the {late.origin}"
        )
        repair = "install in a RUN, so that the image holds what runs"
        where = Location(late.source, late.executed.span)
        yield Finding(where, message, repair, fix=at_start_fixes.in_the_build(stage, late), is_strict=not late.is_sure)
