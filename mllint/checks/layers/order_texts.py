"""How a report says what is installed too late, and what to write instead."""

import posixpath
from collections.abc import Sequence

from mllint.image.installing.downloads import INSTALLERS, large, requested
from mllint.image.installing.indexed import interpreter_of
from mllint.image.installing.metadata import in_folders, is_workspace, lock, metadata_file, read_by_sync
from mllint.image.installing.order import Late, LateProject, reads_file, syncs_project
from mllint.image.packages import Install
from mllint.image.stage import Stage
from mllint.sources.markers import Environment, holds
from mllint.sources.requirements import Editable, Invalid, Requirement


def first(stage: Stage, late: LateProject) -> str:
    """How the dependencies of a project are installed in front of its source."""
    project, context = late.project, stage.build.context
    named = posixpath.normpath(posixpath.join(project.written, "pyproject.toml"))
    options = "".join(f" --extra {each}" for each in project.extras)
    others = "".join(f" {each}" for each in project.others)
    if late.install.manager.name == "uv pip":
        return f"install the dependencies first (uv pip install -r {named}{options}{others})"
    list_ = posixpath.join(posixpath.dirname(project.path), "requirements.txt")
    if context.find(list_) is not None and not context.excludes(list_) and not project.extras:
        beside = posixpath.normpath(posixpath.join(project.written, "requirements.txt"))
        return f"install the dependencies first (pip install -r {beside}{others})"
    return (
        f"write the dependencies to a file (uv pip compile {named}{options} -o requirements.txt), copy and install that"
        f" first (pip install -r requirements.txt{others})"
    )


def in_front(stage: Stage, late: Late, install: Install) -> tuple[str, str, str]:
    """What is installed, what an edit costs, and what to write instead."""
    program = install.manager.name
    if syncs_project(install):
        return f"{program} {install.verb}", "installs all dependencies again", _synced(stage, install)
    names = requested(stage, install)
    if not reads_file(install):
        names = (*(each for each in names if each not in INSTALLERS), *(each for each in names if each in INSTALLERS))
        is_plain = all(isinstance(each, Requirement) and each.key for each in install.requirements)
        shown = names if names and is_plain else [word.value for word in install.operands]
        again = "installs them again" if len(shown) > 1 else "installs it again"
        return f"{program} installs {_listed(shown)}", again, f"move the {program} command above it"
    files = _listed([word.value for word in install.files])
    what = f"{program} installs from {files}" if files else f"{program} installs the dependencies"
    return what, _again(stage, install), f"copy {_taken(stage, late)} alone, install, then copy the source"


def _synced(stage: Stage, install: Install) -> str:
    program = install.manager.name
    option = "--no-install-project" if program == "uv" else "--no-root"
    if is_workspace(stage, install):
        option = "--frozen --no-install-workspace"
    elif program == "uv" and (folders := in_folders(stage, install)) is not None:
        # Without --frozen uv reads what these folders ask for.
        option = " ".join(("--frozen --no-install-project", *(f"--no-install-package {each}" for each in folders)))
    files = " and ".join(read_by_sync(stage, install)) + ("" if lock(stage, install) else " alone")
    return f"copy {files}, run {program} {install.verb} {option}, then copy the source"


def _taken(stage: Stage, late: Late) -> str:
    """The files that the installs read, as the context has them."""
    read = [stage.closure(each) for each in late.installs]
    named = (metadata_file(stage, each, word.value) for each in late.installs for word in each.files)
    files = dict.fromkeys(path for path in named if path is not None)
    files |= dict.fromkeys(path for each in read for path in (*each.files, *each.constraints))
    syncs = (each for each in late.installs if each.manager.name in ("uv", "poetry"))
    files |= dict.fromkeys(path for each in syncs for path in read_by_sync(stage, each))
    return " and ".join(files) if 0 < len(files) < 3 else _listed(list(files)) or "the files that name the dependencies"


def _again(stage: Stage, install: Install) -> str:
    count, names, big = _count(stage, install), requested(stage, install), large(stage, install)
    if count == 1 and names:
        return f"installs {names[0]} again"
    what = f"its {count} packages" if count and count > 1 else "all its packages"
    return f"installs {what} again" + (f", {big} among them" if big else "")


def _count(stage: Stage, install: Install) -> int | None:
    """How many packages the files of a call ask for; None where nobody can tell."""
    read, found = stage.closure(install), interpreter_of(stage, install)
    lines = [line for file in read.files.values() for line in file.lines]
    minor = found.minor if found is not None else None
    if not read.is_complete or install.projects or any(isinstance(line, Invalid) for line in lines):
        return None
    asked: set[str] = set()
    for line in (*install.requirements, *lines):
        if isinstance(line, Requirement) and line.marker is not None:
            if not isinstance(minor, str):
                return None
            if not holds(line.marker, Environment(minor)):
                continue
        if isinstance(line, Requirement | Editable):
            asked.add(line.key or line.url or "")
    return len(asked)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
