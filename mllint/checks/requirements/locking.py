"""ML624: lock files and pins that a build does not hold itself to."""

from collections.abc import Iterator, Sequence

from mllint.checks import check
from mllint.edits import insert
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.installing import indexed
from mllint.image.installing.unlocked import Undone, Unheld, is_fresh, undone, unheld
from mllint.image.packages import Install
from mllint.image.stage import Stage

_OPTIONS = {"uv": "--locked", "pipenv": "--deploy"}
_READERS = {
    "uv.lock": "uv sync --locked, or uv export --locked to a requirements file with hashes for pip",
    "poetry.lock": "poetry install --only main, or poetry export to a requirements file with hashes for pip",
}


@check("ML624")
def lock_not_enforced(stage: Stage) -> Iterator[Finding]:
    """An install that may take other releases than those that the lock file, or the list, of the project names."""
    if stage not in stage.build.needed:
        return
    by_lock: dict[tuple[str, str], list[Unheld]] = {}
    for found in unheld(stage):
        by_lock.setdefault((found.lock, found.why), []).append(found)
    for group in by_lock.values():
        yield _finding(stage, group)
    by_what: dict[str, list[Undone]] = {}
    for each in undone(stage):
        by_what.setdefault(each.what, []).append(each)
    for first, *others in by_what.values():
        where, *related = (Location(stage.build.source, each.span) for each in (first, *others))
        again = tuple(Related(location, "and here") for location in related)
        yield Finding(where, first.what, first.repair, again, is_strict=not first.is_sure)


def _finding(stage: Stage, group: Sequence[Unheld]) -> Finding:
    first, *others = group
    source = stage.build.source
    message, repair = _said(stage, first, len(others))
    related = tuple(Related(Location(source, each.install.span), "and here") for each in others)
    fix = _held(stage, group) if first.why == "rewrites" else None
    return Finding(Location(source, first.install.span), message, repair, related, fix, is_strict=not first.is_explicit)


def _said(stage: Stage, found: Unheld, others: int) -> tuple[str, str]:
    """Message and repair."""
    command, lock = f"{indexed.tool(found.install)} {found.install.verb}", found.lock
    call = f"{command}, here and in {others} more place{'s' if others > 1 else ''}," if others else command
    if found.why == "rewrites":
        project = "Pipfile" if lock == "Pipfile.lock" else "pyproject.toml"
        effect = "the image gets releases that nobody tested"
        message = f"{call} locks anew, without a word, where {lock} no longer fits {project}: {effect}"
        return message, f"{command} {_OPTIONS[found.install.manager.name]}, which ends the build then"
    effect = "chooses the releases of the day, and not those that were tested"
    if found.why == "lacks":
        is_ignored = stage.build.context.excludes(found.path)
        message = f"{lock} lies beside the project and is not copied: {call} {effect}"
        return message, f"take {lock} out of the ignore file" if is_ignored else f"copy {lock} with pyproject.toml"
    return f"{call} does not read {lock}, which lies beside the project: it {effect}", _READERS[lock]


def _held(stage: Stage, group: Sequence[Unheld]) -> Fix | None:
    """The option at each call; a lock that is behind its project fails the build from then on."""
    edits = []
    for each in group:
        install = each.install
        word = next((word for word in install.executed.words[1:] if word.value == install.verb), None)
        is_plain = word is not None and stage.build.source.slice(word.span) == word.value
        if word is None or not is_plain or install.step.trigger is not None or _is_of_workspace(install):
            return None
        edits.append(insert(stage.build.source, word.span.end, f" {_OPTIONS[install.manager.name]}"))
    option = _OPTIONS[group[0].install.manager.name]
    is_safe = option == "--locked" and all(is_fresh(stage, each) for each in group)
    return Fix("safe" if is_safe else "unsafe", f"add {option}", tuple(edits))


def _is_of_workspace(install: Install) -> bool:
    """Whether the members of a workspace may be missing still, which alone makes the lock file misfit."""
    return install.has("--package", "--all-packages", "--no-install-workspace")
