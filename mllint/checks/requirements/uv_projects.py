"""ML626 to ML628: what `uv sync` brings into an image, and what it leaves behind."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.base_image.retagging import retagged
from mllint.edits import insert
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.installing.uv_syncs import Another, another_python, development, left_behind, syncs
from mllint.image.names import common_name
from mllint.image.packages import Install
from mllint.image.published import exact_tag, missing_tag
from mllint.image.serving.uv_runs import uv_runs
from mllint.image.stage import Stage
from mllint.sources.reference import Reference

_SHOWN = 2


@check("ML626")
def uv_dev_group_in_image(stage: Stage) -> Iterator[Finding]:
    """`uv sync` installs what only developers need."""
    calls = list(syncs(stage))
    found = development(stage, calls[-1]) if calls else None
    if found is None:
        return
    names = ", ".join(found.packages[:_SHOWN])
    more = len(found.packages) - _SHOWN
    message = (
        f"uv sync installs the group {found.name} too, which is its default: the image carries"
        f" {names}{f' and {more} more' if more > 0 else ''}"
    )
    repair = "write uv sync --no-dev" if found.name == "dev" else f"write uv sync --no-group {found.name}"
    if len(calls) > 1:
        repair += " in this last call, which decides what stays"
    where = Location(stage.build.source, calls[-1].span)
    final = stage.build.final
    is_kept = final is None or any(True for _ in uv_runs(final)) or found.name != "dev"
    fix = None if is_kept else _with_option(stage, calls, "--no-dev", "unsafe")
    yield Finding(where, message, repair, fix=fix)


def _with_option(stage: Stage, calls: list[Install], option: str, applicability: str) -> Fix | None:
    """An option behind `sync`, in all calls that lack it."""
    edits = []
    for call in calls:
        verb = next((word for word in call.executed.words if word.value == "sync"), None)
        source = stage.build.source
        if verb is None or source.slice(verb.span) != "sync" or call.step.trigger is not None:
            return None
        if not call.has(option):
            edits.append(insert(source, verb.span.end, f" {option}"))
    return Fix("safe" if applicability == "safe" else "unsafe", f"add {option}", tuple(edits))


@check("ML627")
def uv_downloads_another_python(stage: Stage) -> Iterator[Finding]:
    """uv does not take the Python of the image, and downloads another one."""
    for call in syncs(stage):
        found = another_python(stage, call)
        if found is None:
            continue
        asks = (
            f"{found.by} asks for {found.asked}"
            if found.by == "requires-python"
            else f"{found.by} asks for Python {found.asked}"
        )
        base = stage.root.base.text
        outcome = "uv downloads another one beside it"
        if found.is_forbidden:
            outcome = "uv may download none, and the build fails"
        message = f"{asks} and {base} has Python {found.there.minor}: {outcome}"
        repair = f"start from an image with Python {found.minor or found.asked}, or ask for {found.there.minor}"
        where = Location(stage.build.source, call.span)
        related = (
            (Related(Location(found.source, found.source.line_span(1)), "asked for here"),) if found.source else ()
        )
        severity = Severity.ERROR if found.is_forbidden else None
        yield Finding(where, message, repair, related, fix=_from_that(stage, found), severity=severity)
        return


def _from_that(stage: Stage, found: Another) -> Fix | None:
    """Start from the image of the Python that is asked for."""
    minor = found.minor
    if minor is None or stage.root.base.reference is None or common_name(stage.root.base.reference) != "python":
        return None

    def tag_of(reference: Reference) -> str | None:
        version, dash, rest = (reference.tag or "").partition("-")
        wanted = reference._replace(tag=f"{minor}{dash}{rest}")
        if not version.startswith("3.") or missing_tag(wanted) is not None:
            return None
        return (exact_tag(wanted) if version.count(".") > 1 else None) or wanted.tag

    edits = retagged(stage.root, tag_of)
    return Fix("unsafe", f"start from Python {minor}", edits) if edits else None


@check("ML628")
def editable_left_behind(stage: Stage) -> Iterator[Finding]:
    """An environment is copied without the source that it points to."""
    found = left_behind(stage)
    if found is None:
        return
    home = next(each for each in stage.build.stages if found.call.step in each.steps)
    needs = f"{found.used_by} ends with ModuleNotFoundError" if found.used_by else "nothing can import it"
    message = f"the environment holds only a link to {found.path}, which stays in another stage: {needs}"
    repair = "write uv sync --no-editable, or copy the source to the same path"
    where = Location(stage.build.source, found.call.span)
    fix = _with_option(home, list(syncs(home)), "--no-editable", "safe" if found.used_by else "unsafe")
    severity = None if found.used_by else Severity.WARNING
    yield Finding(where, message, repair, fix=fix, severity=severity, is_strict=not found.used_by)
