"""Repairs of a RUN that uses what is not there: the package that brings it, in front of the use."""

import re
from collections.abc import Sequence

from mllint import facts
from mllint.checks import placing
from mllint.edits import delete, insert
from mllint.findings import Edit, Fix
from mllint.image import programs
from mllint.image.packages import Install
from mllint.image.serving.uses import Use
from mllint.image.stage import Stage, Step
from mllint.sources.text import Span

_MANAGERS = {"debian": "apt", "ubuntu": "apt", "alpine": "apk", "wolfi": "apk"}
_TRUSTING = frozenset({"curl", "git", "wget"})
_CERTIFICATES = "update-ca-certificates"
_WORK = ("COPY", "RUN", "WORKDIR")
_ROOT = ("root", "0", "")


def installed(stage: Stage, step: Step, program: str, at: int) -> Fix | None:
    """The package of a program added to the last call that installs some in front of an offset, else in a RUN above."""
    package = _package(stage, stage.root.base.family or "", program)
    if package is None:
        return None
    # Without it they trust nobody; apt only recommends it.
    is_needed = package in _TRUSTING and programs.program(stage.view_before(step), _CERTIFICATES, None) is None
    return with_packages(stage, step, ["ca-certificates", package] if is_needed else [package], at)


def at_step(stage: Stage, step: Step | None, packages: Sequence[str]) -> Fix | None:
    """Packages that a stage needs at its end for what a step of its own, or one of another stage, installs."""
    own = next((each for each in stage.steps if each is step), None)
    own = own or next((each for each in stage.steps if each.instruction.keyword in _WORK), None)
    if own is None:
        return None
    start = own.instruction.span.start
    is_behind = any(call.manager.name == _MANAGERS.get(stage.root.base.family or "") for call in _calls(stage, start))
    return with_packages(stage, own, list(packages), start if is_behind else len(stage.build.source.text))


def with_packages(stage: Stage, step: Step, packages: list[str], at: int) -> Fix | None:
    """Packages of the operating system added to the last call that installs some in front of an offset, else in a RUN
    above a step."""
    manager = _MANAGERS.get(stage.root.base.family or "")
    if manager is None or step.trigger is not None or not _is_root(step):
        return None
    calls = [call for each in stage.steps if each.trigger is None for call in each.installs]
    calls = [call for call in calls if call.manager.name == manager]
    if any(word.value == packages[-1] for call in calls for word in call.operands):
        # It comes too late: to move it is more than an insertion.
        return None
    before = [call for call in _calls(stage, at) if call.manager.name == manager]
    edit = _among_words(stage, before[-1], packages) if before else _above(stage, step, manager, packages)
    return Fix("unsafe", f"install {' and '.join(packages)}", (edit,)) if edit is not None else None


def _calls(stage: Stage, at: int) -> list[Install]:
    """What surely installs in front of an offset."""
    calls = (call for each in stage.steps if each.trigger is None for call in each.installs)
    return [call for call in calls if call.span.end <= at and call.is_certain]


def _package(stage: Stage, family: str, program: str) -> str | None:
    """The package that brings a program: that of its name, else the one that brings least beside it."""
    rows = [row for row in facts.rows("system_packages") if family in row.get("family", "").split()]
    rows = [row for row in rows if program in row.get("programs", "").split() and row["status"] == "verified"]
    rows.sort(key=lambda row: (row["package"] != program, len(row["programs"].split()), row["package"]))
    suite = stage.root.base.suite
    for row in rows:
        named = facts.by("apt_names", "name").get(row["package"], ())
        if not any(suite in f"{each.get('gone', '')} {each.get('many', '')}".split() for each in named):
            return str(row["package"])
    return None


def _is_root(step: Step) -> bool:
    user = step.before.user
    return isinstance(user, str) and user.partition(":")[0] in _ROOT


def _among_words(stage: Stage, call: Install, packages: list[str]) -> Edit | None:
    """The package behind the others, on a line of its own where the last of them has one."""
    source = stage.build.source
    last = call.operands[-1] if call.operands else None
    if last is None or source.slice(last.span) != last.text:
        return None
    line = source.line_starts[source.position(last.span.start)[0] - 1]
    indent = source.text[line : last.span.start]
    if indent.strip() or not indent:
        return insert(source, last.span.end, "".join(f" {package}" for package in packages))
    mark = f" {stage.build.dockerfile.escape}\n{indent}"
    return insert(source, last.span.end, "".join(f"{mark}{package}" for package in packages))


def _above(stage: Stage, step: Step, manager: str, packages: list[str]) -> Edit:
    # Above what is copied, so that the layer outlives its changes.
    own = [each for each in stage.steps if each.trigger is None]
    at = next(at for at, each in enumerate(own) if each is step)
    while at and own[at - 1].instruction.keyword in ("ADD", "COPY", "WORKDIR"):
        at -= 1
    tree, below, names = stage.build.dockerfile, own[at].instruction, " ".join(packages)
    if manager == "apk":
        return placing.above(tree, below, f"RUN apk add --no-cache {names}")
    return placing.above(
        tree,
        below,
        f"RUN apt-get update {tree.escape}",
        f"  && apt-get install -y --no-install-recommends {names} {tree.escape}",
        "  && rm -rf /var/lib/apt/lists/*",
    )


def without_sudo(stage: Stage, use: Use) -> Fix | None:
    """Every `sudo` of a RUN taken away, where root runs it anyway and no option of sudo says more."""
    step, source = use.step, stage.build.source
    if step is None or step.trigger is not None or not _is_root(step):
        return None
    edits = []
    for each in step.commands:
        words = each.command.words
        if words[0].value != "sudo":
            continue
        if len(words) == 1 or re.match(r"-|\w+=", words[1].value) or source.slice(words[0].span) != "sudo":
            return None
        edits.append(delete(source, Span(words[0].span.start, words[1].span.start)))
    return Fix("safe", "leave sudo out", tuple(dict.fromkeys(edits))) if edits else None
