"""How a report says what is installed too late, and what to write instead."""

import posixpath
from collections.abc import Sequence
from itertools import takewhile

from mllint.image.installing.downloads import INSTALLERS, is_large, large, requested
from mllint.image.installing.indexed import interpreter_of
from mllint.image.installing.metadata import in_folders, is_workspace, lock, metadata_file, read_by_sync
from mllint.image.installing.order import (
    Late,
    LateProject,
    brings_source,
    brought_along,
    done_again,
    is_of_source,
    movable,
    of_project,
    reads_file,
    syncs_project,
)
from mllint.image.packages import Install
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.markers import Environment, holds
from mllint.sources.requirements import Editable, Invalid, Requirement
from mllint.wording import enumerated

_REPOSITORY = regex(r"(?:git\+)?\w+://\S*?/([\w.-]+?)(?:\.git)?/?(?:[@#].*)?")

_NAMED = 3
_LIST = regex(r"[\w./-]*requirements[\w.-]*\.txt")


def first(stage: Stage, late: LateProject) -> str:
    """How the dependencies of a project are installed in front of its source."""
    project, context = late.project, stage.build.context
    named = posixpath.normpath(posixpath.join(project.written, "pyproject.toml"))
    options = "".join(f" --extra {each}" for each in project.extras)
    others = "".join(f" {each}" for each in project.others)
    if late.install.manager.name == "uv pip":
        system = "--system " if late.install.has("--system") else ""
        return f"install the dependencies first (uv pip install {system}-r {named}{options}{others})"
    list_ = posixpath.join(posixpath.dirname(project.path), "requirements.txt")
    if context.find(list_) is not None and not context.excludes(list_) and not project.extras:
        beside = posixpath.normpath(posixpath.join(project.written, "requirements.txt"))
        return f"install the dependencies first (pip install -r {beside}{others})"
    return (
        f"write the dependencies to a file (outside of the build: uv pip compile {named}{options} -o requirements.txt),"
        " copy and install that"
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
        alone = ", in a RUN of its own" if len(install.step.commands) > len(install.step.installs) else ""
        return f"{program} installs {enumerated(shown, _NAMED)}", again, f"move the {program} command above it{alone}"
    files = enumerated([word.value for word in install.files], _NAMED)
    what = f"{program} installs from {files}" if files else f"{program} installs the dependencies"
    repair = f"copy {_taken(stage, late)} alone, install, then copy the source"
    if _is_apart(stage, late):
        repair = f"move {late.copy.written} below the install"
    return what, _again(stage, late, install), repair


def _is_apart(stage: Stage, late: Late) -> bool:
    """Whether copies that bring no source bring the files that the installs read."""
    read = {path for each in late.installs for path in stage.closure(each).files}
    copies = [step.copy for step in stage.steps if step.copy is not None and step.copy.origin == "context"]
    context = stage.build.context
    with_source = [copy for copy in copies if brings_source(stage, copy)]
    mixed = {entry.path for copy in with_source for source in copy.sources for entry in source.entries(context)}
    return bool(read) and read.isdisjoint(mixed) and len(with_source) == 1


def beside(stage: Stage, late: Late, install: Install) -> tuple[str, str]:
    """What else an edit costs, and what to do about it: the other installs behind the source."""
    others = [each for each in done_again(stage, late) if each is not install]
    if not others:
        return "", ""
    big = next(filter(None, (large(stage, each) for each in others)), None)
    names = list(dict.fromkeys(name for each in others for name in _said(stage, each)))
    told = f", {big} among them" if big and len(names) > 1 else f" ({enumerated(names, _NAMED)})" if names else ""
    programs = " and ".join(dict.fromkeys(each.manager.name for each in others))
    calls = f"call of {programs} is" if len(others) == 1 else f"calls of {programs} are"
    cost = f"; {len(others)} more {calls} done again too{told}"
    # A RUN that stays whole takes all its calls along.
    along = install.step if reads_file(install) else None
    moved = _names(stage, [each for each in movable(stage, late) if each is not install and each.step is not along])
    repair = f"; move what installs {enumerated(moved, _NAMED)} above it too" if moved else ""
    projects = (of_project(stage, each, [late.copy]) for each in others if _dependencies(stage, each) > 1)
    project = next(filter(None, projects), None)
    if project is not None:
        repair += f"; for the project, {first(stage, project)}, and add --no-deps to its call"
    return cost, repair


def _said(stage: Stage, install: Install) -> list[str]:
    """What an install takes, as one says it: its files, or the project, or packages."""
    files = [posixpath.basename(word.value) for word in install.files]
    return files or ([_own(stage, install)] if is_of_source(install) else _names(stage, [install]))


def _own(stage: Stage, install: Install) -> str:
    count = _dependencies(stage, install)
    return f"the project with {count} dependencies" if count > 1 else "the project"


def _dependencies(stage: Stage, install: Install) -> int:
    """How much a call of pip brings along with the project that no other call asks for; 0 where that is not known."""
    others = [each for step in stage.steps_before(None) for each in step.installs if each is not install]
    is_pip = install.manager.name in ("pip", "uv pip") and is_of_source(install) and not install.has("--no-deps")
    if not is_pip or not all(stage.closure(each).is_complete for each in others):
        return 0
    known = {name for each in others for name in requested(stage, each)}
    return len([name for name in brought_along(stage, install) if name not in known])


def _names(stage: Stage, installs: Sequence[Install]) -> list[str]:
    found = [name for each in installs for name in requested(stage, each) if name not in INSTALLERS]
    lines = (line for each in installs for line in each.requirements if isinstance(line, Requirement))
    matches = (_REPOSITORY.fullmatch(line.url) for line in lines if line.url is not None and not line.key)
    return list(dict.fromkeys((*found, *(match[1] for match in matches if match))))


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
    installs = late.installs
    read = [stage.closure(each) for each in installs]
    named = (metadata_file(stage, each, word.value) for each in installs for word in each.files)
    files = dict.fromkeys(path for path in named if path is not None)
    files |= dict.fromkeys(path for each in read for path in (*each.files, *each.constraints))
    # Another branch of the same RUN may read another list.
    lists = ((each, name) for each in installs for name in _LIST.findall(each.step.instruction.rest.text))
    files |= dict.fromkeys(path for each, name in lists if (path := metadata_file(stage, each, name)) is not None)
    syncs = (each for each in installs if each.manager.name in ("uv", "poetry"))
    files |= dict.fromkeys(path for each in syncs for path in read_by_sync(stage, each))
    files = files or dict.fromkeys(word.value.removeprefix("./") for each in installs for word in each.files)
    return enumerated(list(files), _NAMED) or "the files that name the dependencies"


def _again(stage: Stage, late: Late, install: Install) -> str:
    count, names, big = _count(stage, install), requested(stage, install), large(stage, install)
    in_front = takewhile(lambda each: each is not install, done_again(stage, late))
    if any(is_large(name) for each in in_front for name in requested(stage, each)):
        # What makes it large is in place by then.
        big = None
    if count == 1 and names:
        return f"installs {names[0]} again"
    what = f"its {count} packages" if count and count > 1 else "all those packages"
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
