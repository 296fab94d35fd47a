"""ML4: what layers cost, and what has to be built again when something changes."""

import posixpath
import re
from collections.abc import Iterator

from mllint import facts
from mllint.checks import check
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.copies import Copy
from mllint.image.packages import Install, closure
from mllint.image.stage import Stage, State, Step
from mllint.sources.requirements import Editable, Requirement

_CODE = re.compile(r"\.(?:py|pyx|ipynb|js|ts|tsx|html|css|sh|c|cc|cpp|cu|rs|go)$")
_PROJECT = frozenset({".", "./"})


@check("ML401")
def deps_after_code(stage: Stage) -> Iterator[Finding]:
    """Source is copied before the dependencies are installed."""
    if stage not in stage.build.needed:
        return
    copied: Copy | None = None
    for step in stage.steps:
        if copied is None and step.copy is not None and _brings_code(stage, step.copy):
            copied = step.copy
        for install in step.installs if copied else ():
            if copied is not None and _stands_alone(stage, install):
                yield _late(stage, copied, install)
                return


def _brings_code(stage: Stage, copy: Copy) -> bool:
    if copy.origin != "context":
        return False
    if copy.takes_all():
        return True
    folders = [source for source in copy.sources if isinstance(source.path, str) and not source.is_remote]
    for source in folders:
        found = stage.build.context.find(source.path) if isinstance(source.path, str) else None
        if found is not None and found.is_folder and any(_CODE.search(each.path) for each in source.entries(stage.build.context)):
            return True
    return False


def _stands_alone(stage: Stage, install: Install) -> bool:
    """Whether what is installed does not need the source that was copied."""
    if install.manager.language != "python" or not install.is_certain:
        return False
    if install.manager.name in ("uv", "poetry", "pipenv"):
        return _locks_alone(install)
    if install.manager.name in ("conda", "micromamba"):
        return bool(install.values("-f", "--file")) or bool(install.operands)
    if install.has("-e", "--editable", "--no-index", "--find-links", "-f") or not (install.files or install.operands):
        return False
    if any(_is_local(word.value) for word in install.operands) or _is_only_tools(install):
        return False
    lines = [line for file in closure(stage, install).files.values() for line in file.lines]
    return not any(isinstance(line, Editable) or (isinstance(line, Requirement) and _is_local(line.url or "")) for line in lines)


def _locks_alone(install: Install) -> bool:
    """`uv sync` and its like install the project too, unless told not to; then the lock file alone is enough."""
    return install.verb in ("sync", "install") and install.has(
        "--no-install-project", "--no-install-workspace", "--no-root", "--only-deps"
    )


def _is_local(text: str) -> bool:
    return text in _PROJECT or text.startswith((".", "/", "$", "file:")) or text.endswith((".whl", ".tar.gz", ".zip"))


_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv", "poetry", "pipenv", "pipx", "build", "hatch"})


def _is_only_tools(install: Install) -> bool:
    return not install.files and all(
        isinstance(each, Requirement) and each.key in _TOOLS for each in install.requirements
    )


def _late(stage: Stage, copy: Copy, install: Install) -> Finding:
    source = stage.build.source
    what = " ".join(f"-r {word.value}" for word in install.files) or "its packages"
    taken = " ".join(each.word.text for each in copy.sources)
    message = (
        f"{copy.step.instruction.keyword} {taken} comes before {install.manager.name} installs {what}:"
        " each edit of the source installs all dependencies again"
    )
    repair = "copy only the files that name the dependencies, install them, then copy the source"
    related = (Related(Location(source, install.span), "installs what the copied source does not change"),)
    return Finding(Location(source, copy.step.instruction.span), message, repair, related)


@check("ML402")
def installer_cache_kept(stage: Stage) -> Iterator[Finding]:
    """pip or uv leaves its download cache in a layer of the image."""
    if not stage.is_in_image:
        return
    for step in stage.steps:
        for install in step.installs:
            if install.manager.name in ("pip", "uv pip", "uv") and _keeps_cache(step, install):
                yield _cache_finding(stage, install)
                break


def _cache_finding(stage: Stage, install: Install) -> Finding:
    tool = install.manager.name.partition(" ")[0]
    big = sorted(_requested(stage, install) & _large())
    cost = f", with {big[0]} gigabytes" if big else ""
    option = "--no-cache-dir" if tool == "pip" else "--no-cache"
    message = f"{tool} leaves its download cache in this layer of the image{cost}"
    repair = f"add {option}, or mount a cache: RUN --mount=type=cache,target=/root/.cache/{tool} …"
    severity = Severity.WARNING if big else None
    return Finding(Location(stage.build.source, install.span), message, repair, severity=severity)


def _requested(stage: Stage, install: Install) -> set[str]:
    named = {each.key for each in install.requirements if isinstance(each, Requirement) and each.key}
    return named | {line.key for _, line in closure(stage, install).lines() if line.key}


def _large() -> frozenset[str]:
    return frozenset(row["name"] for row in facts.rows("ml_frameworks") if row["gigabytes"] == "yes")


def _keeps_cache(step: Step, install: Install) -> bool:
    is_pip = install.manager.name == "pip"
    option, variable = ("--no-cache-dir", "PIP_NO_CACHE_DIR") if is_pip else ("--no-cache", "UV_NO_CACHE")
    if install.has(option, "-n") if not is_pip else install.has(option):
        return False
    if install.has("--dry-run", "--download") or _is_set(step.before, install, variable):
        return False
    folder = "pip" if is_pip else "uv"
    return not _has_cache_mount(step, folder) and not _is_removed(step, folder)


def _is_set(state: State, install: Install, variable: str) -> bool:
    """Whether a variable has any value: pip takes even `off` for no cache (its own remark in `cmdoptions.py`)."""
    if variable in install.executed.assignments:
        return True
    if variable not in state.env and variable not in state.args:
        return any(variable == each.name for each in _exported(install))
    return state.get(variable) != ""


def _exported(install: Install) -> Iterator[object]:
    for each in install.step.commands:
        if each.name == "export":
            yield from each.command.assignments


def _has_cache_mount(step: Step, folder: str) -> bool:
    for word in step.instruction.flag_words:
        if not word.text.startswith("--mount=") or not re.search(r"type=(?:cache|tmpfs)", word.text):
            continue
        target = re.search(r"(?:target|dst|destination)=([^,]+)", word.text)
        if target is None or folder in target.group(1) or target.group(1).rstrip("/").endswith(".cache"):
            return True
        # A cache folder given by a variable or an option may well be the mounted one.
        if any(name in step.before.env for name in ("PIP_CACHE_DIR", "UV_CACHE_DIR", "XDG_CACHE_HOME")):
            return True
        if "$" in target.group(1):
            return True
    return False


def _is_removed(step: Step, folder: str) -> bool:
    for each in step.commands:
        words = [word.value for word in each.words]
        if each.name == "rm" and any(_covers_cache(word, folder) for word in words[1:]):
            return True
        if words[1:3] in (["cache", "purge"], ["cache", "clean"], ["cache", "prune"]) or words[-2:] == ["cache", "purge"]:
            return True
        if each.name in ("pip", "pip3") and words[1:3] == ["config", "set"] and "no-cache-dir" in " ".join(words):
            return True
    return False


def _covers_cache(path: str, folder: str) -> bool:
    path = posixpath.normpath(path.rstrip("*/")) if path.rstrip("*/") else path
    return path.endswith((f".cache/{folder}", ".cache")) or path in ("/root", "~", "$HOME")
