"""ML901: programs that a RUN runs."""

import posixpath
from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.system import fixes
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image import programs
from mllint.image.interpreter import is_python_program
from mllint.image.packages import Install
from mllint.image.paths import DEFAULT_PATH
from mllint.image.serving import absence, uses
from mllint.image.serving.absence import Absence
from mllint.image.serving.uses import Use
from mllint.image.stage import Stage, Step
from mllint.sources.requirements import Editable, Requirement

_MANAGERS = {"apt-get": "debian ubuntu", "apt": "debian ubuntu", "apk": "alpine wolfi", "dnf": "rhel", "yum": "rhel"}
_ADD = {
    "debian": "apt-get install -y --no-install-recommends",
    "ubuntu": "apt-get install -y --no-install-recommends",
    "alpine": "apk add --no-cache",
    "wolfi": "apk add --no-cache",
}


@check("ML901")
def run_tool_missing(stage: Stage) -> Iterator[Finding]:
    """A RUN that uses what is not there yet."""
    seen: set[str] = set()
    for step in stage.steps if stage in stage.build.needed and stage.root.base.kind != "scratch" else ():
        if step.instruction.keyword != "RUN":
            continue
        yield from _shell(stage, step, seen)
        for use in uses.of_step(stage, step):
            for name, word in use.names:
                folder, plain = posixpath.split(name)
                if plain in seen or (folder and folder not in DEFAULT_PATH.split(":")):
                    continue
                missing = absence.of_program(use, name)
                if missing is not None and not _is_for_python(use, plain):
                    seen.add(plain)
                    found = _running(stage, use.where(word), name, missing)
                    yield found._replace(fix=_fix(stage, step, use, plain))
            yield from _fetching(stage, use, seen)


def _fix(stage: Stage, step: Step, use: Use, name: str) -> Fix | None:
    if name == "sudo":
        return fixes.without_sudo(stage, use)
    return fixes.installed(stage, step, name, use.executed.command.span.start)


def _is_for_python(use: Use, name: str) -> bool:
    """Whether it lacks a Python altogether, which is another rule's business."""
    return name.startswith("python") or (is_python_program(name) and not absence.has_python(use))


def _running(stage: Stage, where: Location, name: str, missing: Absence) -> Finding:
    base = stage.root.base
    plain = posixpath.basename(name)
    message = f"RUN runs {name}, which {base.text} does not have and nothing installs before: {plain}: not found"
    return Finding(where, message, _repair(stage, plain), severity=_severity(missing))


def _severity(missing: Absence) -> Severity | None:
    return None if missing.is_verified else Severity.WARNING


def _repair(stage: Stage, name: str) -> str:
    add = _ADD.get(stage.root.base.family or "")
    if name in _MANAGERS:
        return f"use the package manager of this base: {add}" if add else "start from a base that has it"
    if name == "sudo":
        return "leave sudo away: USER says as whom a RUN runs"
    if name in ("uv", "uvx"):
        return "COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /uvx /bin/"
    if name in ("poetry", "pipenv"):
        return f"pip install {name} first"
    package = {"cc": "gcc", "c++": "g++", "nc": "netcat-openbsd", "ps": "procps", "pip": "python3-pip"}.get(name, name)
    return f"install it first: {add} {package}" if add else "install it first"


def _shell(stage: Stage, step: Step, seen: set[str]) -> Iterator[Finding]:
    """A RUN whose shell is not there: that of SHELL, or the first word of an exec form."""
    instruction, state = step.instruction, step.before
    word = instruction.words[0] if instruction.is_exec_form and instruction.words else None
    shell = word.text if word is not None else state.shell[0] if state.shell else "/bin/sh"
    plain = posixpath.basename(shell)
    if plain not in ("sh", "bash", "zsh", "ash") or plain in seen:
        return
    view, path = stage.view_before(step), state.env.get("PATH")
    if view.base.program(plain) == "absent" and programs.program(view, shell, path, state.directory) is None:
        seen.add(plain)
        where = Location(stage.build.source, word.span if word is not None else instruction.span)
        found = _running(stage, where, shell, Absence(absence.is_verified(view, plain)))
        is_own = word is not None and word.text in (f"/bin/{plain}", plain)
        yield found._replace(fix=fixes.installed(stage, step, plain, instruction.span.start) if is_own else None)


def _fetching(stage: Stage, use: Use, seen: set[str]) -> Iterator[Finding]:
    """An install of something that only git can fetch."""
    install = next((each for each in use.step.installs if each.executed is use.executed), None) if use.step else None
    found = next(_with_git(stage, install), None) if install is not None else None
    missing = absence.of_program(use, "git") if found is not None and "git" not in seen else None
    if install is not None and found is not None and missing is not None:
        seen.add("git")
        text, place = found
        lack = f"{stage.root.base.text} has none and nothing installs it before: the build fails"
        message = f"{install.manager.name} needs git to fetch {text}, and {lack}"
        related = (Related(place, "it is asked for here"),) if place is not None else ()
        where = use.where(use.executed.words[0])
        fix = _fix(stage, install.step, use, "git")
        yield Finding(where, message, _repair(stage, "git"), related, fix, _severity(missing))


def _with_git(stage: Stage, install: Install) -> Iterator[tuple[str, Location | None]]:
    """The requirements of pip and uv that name a repository, with their places in files."""
    if install.manager.name not in ("pip", "uv pip"):
        return
    for word in (*install.operands, *install.values("-e", "--editable")):
        if "git+" in word.value:
            yield word.value.rpartition("@ ")[2].partition("#")[0], None
    for file in stage.closure(install).files.values():
        for line in file.lines:
            if isinstance(line, Requirement | Editable) and (line.url or "").startswith("git+"):
                yield (line.key or line.url or ""), Location(file.source, line.span)
