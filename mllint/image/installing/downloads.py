"""What a call of pip or uv downloads, and whether its cache stays in the layer."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from mllint import facts
from mllint.image.copies import relative
from mllint.image.distributions import closure
from mllint.image.installing.fitting import place
from mllint.image.installing.indexed import is_from_lock, locked
from mllint.image.installing.locked import LockedFiles
from mllint.image.paths import joined
from mllint.image.values import Unknown, Value
from mllint.patterns import regex
from mllint.sources.requirements import Options, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.copies import Copy
    from mllint.image.packages import Closure, Install
    from mllint.image.stage import Stage, Step

# Small enough that nobody misses the space.
INSTALLERS = frozenset({"build", "hatch", "pip", "pipenv", "pipx", "poetry", "setuptools", "uv", "wheel"})

_INDEXES = ("-i", "--index-url", "--extra-index-url", "--index", "--default-index", "-f", "--find-links")
_INDEX_VARIABLES = tuple(
    "PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_INDEX UV_DEFAULT_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL".split()
)
_FRAMEWORKS = ("torch", "tensorflow", "jax")
_LARGE = 500 * 10**6
# Images that bring an operating system and at most an interpreter.
_BARE = regex(
    r"(?:.*/)?(?:alma|amazon|rocky)?(?:linux|alpine|buildpack-deps|centos|cuda|debian|fedora|mambaforge|micromamba"
    r"|miniconda3?|miniforge3?|pypy|python|ubi[89](?:-\w+)?|ubuntu|uv)"
)
_ENVIRONMENT = regex(r"venv|conda|mamba|\.local|site-packages|(?:^|/)(?:lib|local|usr|opt)$")
_PURGES = frozenset({"clean", "prune", "purge", "remove"})
_REPOSITORY = regex(r"git\+[^\s#]*/(?P<name>[\w.-]+?)(?:\.git)?(?:@(?P<ref>[^#]*))?(?:#.*)?")
# A variable may stand for one.
_COMMIT = regex(r"[0-9a-f]{40}|.*\$.*")
_PIP_CONFIGURED = regex(r"pip3? config\b.*no-cache-dir|pip\.conf.*no-cache-dir|no-cache-dir.*pip\.conf", re.DOTALL)


def is_only_installers(install: Install) -> bool:
    """Whether it installs nothing but pip and its like."""
    asked = [each for each in install.requirements if isinstance(each, Requirement)]
    return bool(asked) and not install.files and all(each.key in INSTALLERS for each in asked)


def downloads_little(install: Install) -> bool:
    """Whether it installs nothing but pip and its like, or wheels that are already there."""
    has_wheels_only = (
        bool(install.operands)
        and not install.files
        and all(word.value.endswith(".whl") and "://" not in word.value for word in install.operands)
    )
    return has_wheels_only or is_only_installers(install)


def requested(stage: Stage, install: Install) -> tuple[str, ...]:
    """The normalised names that a call asks for, on the command line and in its files."""
    lines = [each for each in install.requirements if isinstance(each, Requirement)]
    lines += [line for _, line in stage.closure(install).lines()]
    return tuple(dict.fromkeys(line.key for line in lines if line.key))


def large(stage: Stage, install: Install) -> str | None:
    """A distribution that makes a call download more than 500 MB, by the sizes in a lock file or by the table
    `ml_frameworks`; None where there is none, where it may be in place already, and where an index of builds without
    GPU support is asked."""
    if is_from_lock(stage, install):
        return _largest_locked(stage, install)
    reference = stage.root.base.reference
    if reference is None or not _BARE.fullmatch(reference.familiar) or _is_for_cpu(install, stage.closure(install)):
        return None
    for step in stage.steps_before(install.step):
        if step.copy is not None and step.copy.origin != "context" and _brings_packages(step.copy):
            return None
        if any(large_names().intersection(requested(stage, earlier)) for earlier in step.installs):
            return None
    found = [name for name in requested(stage, install) if name in large_names()]
    # What brings one of the others is named after it.
    return next((name for name in found if name in _FRAMEWORKS), next(iter(found), None))


def is_large(name: str) -> bool:
    """Whether a distribution comes with more than 500 MB, by the table `ml_frameworks`."""
    return name in large_names()


def _largest_locked(stage: Stage, install: Install) -> str | None:
    """The largest of what a call takes from a lock file, where all of that is more than 500 MB."""
    where = place(stage, install)
    found = [LockedFiles(each.locked) for each in locked(stage, install) if each.locked is not None]
    sizes = {each.locked.name: each.size(where.minor, where.platform) or 0 for each in found} if where else {}
    return max(sizes, key=lambda name: sizes[name]) if sum(sizes.values()) > _LARGE else None


def _brings_packages(copy: Copy) -> bool:
    return any(isinstance(source.path, Unknown) or _ENVIRONMENT.search(source.path) for source in copy.sources)


@cache
def large_names() -> frozenset[str]:
    """The distributions that download more than 500 MB with what they require, by the table `ml_frameworks`."""
    return frozenset(row["name"] for row in facts.rows("ml_frameworks") if row["gigabytes"] == "yes")


def _is_for_cpu(install: Install, read: Closure) -> bool:
    texts = [word.value for word in (*install.operands, *install.values(*_INDEXES, "--torch-backend"))]
    texts += [str(install.variable(name)) for name in (*_INDEX_VARIABLES, "UV_TORCH_BACKEND")]
    for file in read.files.values():
        for line in file.lines:
            if isinstance(line, Options):
                texts += [option.value or "" for option in line.options]
            elif isinstance(line, Requirement):
                texts.append(line.text)
    return any(re.search(r"(?:^|[/+])cpu\b", text) for text in texts)


def keeps_cache(stage: Stage, install: Install) -> bool:
    """Whether a call of pip or uv leaves its download cache in the layer."""
    if install.manager.name not in ("pip", "uv pip", "uv") or install.has("--no-index", "--dry-run"):
        return False
    tool = install.manager.name.partition(" ")[0]
    if tool == "pip" and _builds_alone(install):
        return False
    if _is_off(install, tool) or (tool == "pip" and _is_configured_off(stage, install)):
        return False
    folder = _cache_folder(install, tool)
    return not _is_mounted(install.step, folder) and not _is_removed(install.step, folder, tool)


def _builds_alone(install: Install) -> bool:
    """Whether all that pip does is to clone repositories and to build what requires nothing: a clone leaves nothing in
    the cache, and the wheel does by a full commit alone, as `_should_cache` in its `wheel_builder.py` says."""
    lines = install.requirements
    names = [_cloned(each.url or "") for each in lines if isinstance(each, Requirement)]
    if not names or len(names) < len(lines) or None in names or install.files or install.has("-e", "--editable"):
        return False
    if install.has("--no-deps") and install.has("--no-build-isolation"):
        return True
    brought = [closure([(name, None, frozenset())], None) for name in names if name]
    return all(each.is_complete and len(each.via) == 1 and not each.possible for each in brought)


def _cloned(url: str) -> str | None:
    """The name of a repository that an address without a full commit has cloned; None for any other address."""
    match = _REPOSITORY.fullmatch(url)
    return match["name"].lower() if match is not None and not _COMMIT.fullmatch(match["ref"] or "") else None


def copies_out_of_cache(install: Install) -> bool:
    """Whether uv copies what it installs; as a rule it makes hard links, which take no room in the layer."""
    modes = [word.value for word in install.values("--link-mode")]
    return (modes[-1] if modes else install.variable("UV_LINK_MODE")) == "copy"


def _is_off(install: Install, tool: str) -> bool:
    if install.has("--no-cache-dir") or (tool == "uv" and install.has("--no-cache", "-n")):
        return True
    value = install.variable("PIP_NO_CACHE_DIR" if tool == "pip" else "UV_NO_CACHE")
    if isinstance(value, Unknown):
        return True
    # pip takes any value, even `off`, for no cache, as a remark in its `cmdoptions.py` says.
    return bool(value) if tool == "pip" else (value or "").lower() in ("1", "t", "true", "y", "yes", "on")


def _is_configured_off(stage: Stage, install: Install) -> bool:
    for step in (*stage.steps_before(install.step), install.step):
        if step.instruction.keyword == "RUN" and _PIP_CONFIGURED.search(step.instruction.rest.text):
            return True
        for source in step.copy.sources if step.copy and step.copy.origin == "context" else ():
            for entry in source.entries(stage.build.context):
                if entry.name in ("pip.conf", ".pip.conf") and _says_no_cache(stage, entry.path):
                    return True
    return False


def _says_no_cache(stage: Stage, path: str) -> bool:
    text = stage.build.context.text(path)
    return text is not None and "no-cache-dir" in text.text


def _cache_folder(install: Install, tool: str) -> Value:
    """Where the cache lies; one in the home folder begins with `~`."""
    given = install.values("--cache-dir")
    if given:
        folder: Value | None = given[-1].value if given[-1].is_literal else Unknown("the shell sets the cache")
    else:
        folder = install.variable(f"{tool.upper()}_CACHE_DIR")
    if folder is None:
        home = install.variable("XDG_CACHE_HOME")
        folder = home if isinstance(home, Unknown) else f"{home or '~/.cache'}/{tool}"
    return folder


def _is_mounted(step: Step, folder: Value) -> bool:
    mounts = [mount for mount in step.mounts if mount.kind in ("cache", "tmpfs")]
    return any(isinstance(mount.target, Unknown) or _lies_in(folder, mount.target) for mount in mounts)


def _lies_in(folder: Value, path: str) -> bool:
    """Whether a cache lies in a folder, as far as one can tell: the home folder may be any."""
    if isinstance(folder, Unknown):
        return True
    if not folder.startswith("~"):
        return relative(folder, path) is not None
    parts = folder.split("/")
    ends = ["/".join(parts[1:end]) for end in range(2, len(parts) + 1)]
    return any(f"/{path}".endswith(f"/{end}") for end in ends) or path in ("~", "$HOME", "/root", "/")


def _is_removed(step: Step, folder: Value, tool: str) -> bool:
    for each in step.commands:
        words = [word.value for word in each.words]
        if each.name == "rm" and any(_lies_in(folder, path) for path in _removed(step, words[1:])):
            return True
        if "cache" in words and _PURGES.intersection(words) and tool in " ".join(words):
            return True
    return False


def _removed(step: Step, words: list[str]) -> Iterator[str]:
    for word in words:
        path = word if word.startswith(("~", "$")) else joined(step.before.directory, word)
        if isinstance(path, str):
            yield re.sub(r"/?\.?\*+$", "", path.rstrip("/")) or "/"
