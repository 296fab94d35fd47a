"""Commands that make Python environments: venv, virtualenv, uv, conda, pyenv."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from mllint.image import python
from mllint.image.effects import bases
from mllint.image.effects.files import split
from mllint.image.effects.targets import is_set
from mllint.image.events import Distribution, Gone, Interpreter, Put
from mllint.image.paths import upward
from mllint.image.values import Unknown, Value
from mllint.image.view import covers
from mllint.patterns import regex
from mllint.sources.requirements import normalised

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllint.image.effects.work import Work
    from mllint.image.shell.commands import Executed
    from mllint.image.view import View
    from mllint.sources.shell_tree import Word

_GLUED = regex(r"-m(?:venv|virtualenv|pip)")
_WITH_SYSTEM = "--system-site-packages"
_FIRST_WITHOUT_SETUPTOOLS = 12
"""The minor release of Python 3 whose ensurepip brings pip alone."""
_OUTPUTS = ("--output-file", "--output")
_UV_VALUES = ("--python", "--prompt", "--seed-packages", "--cache-dir", "--index-url", "--project", "--directory")


def interpreter_of(work: Work, each: Executed, name: str) -> Interpreter | Unknown | None:
    """The interpreter behind `python`, `python3`, `/opt/venv/bin/pip` … as a command of the step finds it."""
    folder, _, program = name.rpartition("/")
    path = work.variable(each, "PATH")
    is_pip = re.fullmatch(r"pip[0-9.]*", program) is not None
    if is_pip:
        place = work.path(each, folder) if folder else None
        folders = [place] if isinstance(place, str) else [] if isinstance(path, Unknown) else work.view.search(path)
        owner = next((found for each_one in folders if (found := _of_pip(work.view, each_one, program))), None)
        if owner is not None:
            return owner
        name = posixpath.join(folder, program.replace("pip", "python", 1))
    found = _named(work, each, name, path)
    if found is None and is_pip and not folder:
        # Where only python3 is there, its package of pip brings `pip` too.
        found = _named(work, each, "python3", path)
    if isinstance(found, Interpreter) or folder or not isinstance(work.base.python, Unknown) or not each.is_sure:
        return found
    # What runs is there, though nobody knows what it is.
    own = bases.interpreter(work.base, work.cause(each), is_there=True)
    if own is not None:
        work.events.append(own)
    return own


def _named(work: Work, each: Executed, name: str, path: Value | None) -> Interpreter | Unknown | None:
    place = work.path(each, name) if "/" in name else name
    return python.interpreter(work.view, place if isinstance(place, str) else name, path)


def _of_pip(view: View, folder: str, program: str) -> Interpreter | Unknown | None:
    """Whose packages the pip of a folder installs."""
    doubt: Unknown | None = None
    for event in view.behind():
        if isinstance(event, Put) and event.path == f"{folder}/{program}" and isinstance(event.target, str):
            target = posixpath.normpath(posixpath.join(folder, event.target))
            return _of_pip(view, *target.rsplit("/", 1)) if target != event.path else None
        if isinstance(event, Gone) and event.cause.is_sure and covers(event.path, f"{folder}/{program}"):
            return None
        found: Interpreter | None = None
        if isinstance(event, Interpreter) and event.bin == folder and event.has_pip is True:
            found = event
        elif isinstance(event, Distribution) and event.name == "pip" and event.scripts == folder:
            found = None if event.is_removed else python.by_site(view, event.site)
        if found is not None and program in ("pip", "pip3", f"pip{found.minor}"):
            if event.cause.is_sure:
                return found if doubt is None else python.interpreter(view, f"{folder}/python3", None)
            doubt = doubt or Unknown(f"whether {folder}/{program} is there depends on a branch")
    return doubt


def _python(work: Work, each: Executed) -> None:
    """`python -m venv`, `python -m pip uninstall`, or anything else, which may write files."""
    glued = each.words[1] if len(each.words) > 1 and _GLUED.fullmatch(each.words[1].value) else None
    if glued is not None:
        parts = tuple(glued._replace(text=text, value=text) for text in ("-m", glued.value[2:]))
        each = each._replace(words=(each.words[0], *parts, *each.words[2:]))
    values = [word.value for word in each.words[1:]]
    if values[:2] in (["-m", "venv"], ["-m", "virtualenv"]):
        operands, options = split(each._replace(words=each.words[2:]), "p", ("--prompt", "--python"))
        base = interpreter_of(work, each, each.words[0].value)
        for word in operands:
            make(work, each, word, base, "--without-pip" not in options, _WITH_SYSTEM in options)
    elif values[:2] == ["-m", "pip"]:
        _pip(work, each._replace(words=each.words[2:]))
    elif values[-1:] not in (["--version"], ["-V"]) and values[:2] != ["-m", "compileall"]:
        work.unsure(each, f"nobody can follow what {each.words[0].value} runs", "files")


def make(
    work: Work, each: Executed, word: Word | Value, base: Interpreter | Unknown | None, has_pip: bool, sees_system: bool
) -> None:
    """A virtual environment is made in a folder."""
    path = work.path(each, word)
    if isinstance(path, Unknown) or work.is_mounted(path):
        return
    version: Value = base.version if isinstance(base, Interpreter) else Unknown("which Python made it is not known")
    if isinstance(base, Unknown):
        version = base
    minor = ".".join(version.split(".")[:2]) if isinstance(version, str) else None
    names = {"python", "python3"} | ({f"python{minor}"} if minor else set())
    site = f"{path}/lib/python{minor or 'X'}/site-packages"
    made_from = base.prefix if isinstance(base, Interpreter) else None
    cause = work.cause(each)
    work.events.append(Gone(cause, site))
    work.events.append(
        Interpreter(cause, path, version, "venv", frozenset(names), False, has_pip, site, made_from, sees_system)
    )
    for name in _seeds(minor) if has_pip else ():
        work.events.append(preinstalled(work, each, name, site, f"{path}/bin"))


def _seeds(minor: str | None) -> tuple[str, ...]:
    """What comes with pip: setuptools too before Python 3.12."""
    if minor is not None and int(minor.partition(".")[2]) < _FIRST_WITHOUT_SETUPTOOLS:
        return "pip", "setuptools"
    return ("pip",)


def preinstalled(work: Work, each: Executed, name: str, site: str, scripts: str) -> Distribution:
    """A distribution that comes with an environment, in whatever release."""
    version = Unknown(f"the release of {name} comes with the environment")
    return Distribution(work.cause(each), name, version, frozenset(), site, scripts, "venv")


def _virtualenv(work: Work, each: Executed) -> None:
    operands, options = split(each, "p", ("--python", "--prompt", "--pip", "--setuptools", "--wheel"))
    chosen = options.get("-p", options.get("--python", "python3"))
    name = chosen if not re.fullmatch(r"[0-9.]+", chosen) else f"python{chosen}"
    base = interpreter_of(work, each, name)
    for word in operands:
        make(work, each, word, base, "--no-pip" not in options, _WITH_SYSTEM in options)


def _uv(work: Work, each: Executed) -> None:
    values = [word.value for word in each.words[1:] if not word.value.startswith("-")]
    match values[:2]:
        case ["venv", *_]:
            _uv_venv(work, each)
        case ["python", "install"]:
            _uv_python(work, each, values[2:])
        case ["pip", "compile"] | [("export" | "lock" | "init"), *_]:
            _writes(work, each)
        case ["pip", "uninstall"]:
            _uv_uninstall(work, each, values[2:])
        case ["pip", ("list" | "freeze" | "check" | "show" | "tree")] | [
            ("cache" | "version" | "tree" | "self"),
            *_,
        ]:
            return
        case _:
            work.unsure(each, "nobody can follow this call of uv", "files")


def _uv_venv(work: Work, each: Executed) -> None:
    words = list(each.words)
    at = next((index for index, word in enumerate(words) if word.value == "venv"), 0)
    operands, options = split(each._replace(words=tuple(words[at:])), "p", _UV_VALUES)
    chosen = options.get("-p", options.get("--python", work.variable(each, "UV_PYTHON")))
    environment = (
        work.variable(each, "UV_PROJECT_ENVIRONMENT") if work.state.env.get("UV_PROJECT_ENVIRONMENT") else None
    )
    place: Word | Value = operands[0] if operands else environment or ".venv"
    make(work, each, place, uv_python(work, each, chosen), "--seed" in options, _WITH_SYSTEM in options)


def uv_python(work: Work, each: Executed, chosen: Value | None) -> Interpreter | Unknown | None:
    """The interpreter uv takes: the one asked for by version or path, else the first on PATH; one of its own downloads
    where the version is not there."""
    if isinstance(chosen, Unknown) and "not set in this file" not in chosen.reason:
        return chosen
    is_own = _wants_own(work, each)
    if not isinstance(chosen, str) or not chosen:
        if is_own:
            return Unknown("which Python uv downloads is not known")
        found = interpreter_of(work, each, "python3")
        return found if found is not None else interpreter_of(work, each, "python")
    if re.fullmatch(r"3\.\d+(?:\.\d+)?", chosen):
        if is_own:
            return _downloaded(work, each, chosen)
        found = interpreter_of(work, each, "python" + ".".join(chosen.split(".")[:2]))
        return found if isinstance(found, Interpreter) else _downloaded(work, each, chosen)
    return interpreter_of(work, each, chosen)


def _wants_own(work: Work, each: Executed) -> bool:
    """Whether uv is told to take none but its own builds of Python."""
    words = " ".join(each.arguments)
    if "--managed-python" in each.arguments or re.search(r"--python-preference[= ]only-managed", words):
        return True
    preference, managed = (work.variable(each, name) for name in ("UV_PYTHON_PREFERENCE", "UV_MANAGED_PYTHON"))
    return preference == "only-managed" or managed in ("1", "true")


def _downloaded(work: Work, each: Executed, version: str) -> Interpreter | Unknown:
    """A build of CPython that uv keeps in its own folder."""
    folder = work.variable(each, "UV_PYTHON_INSTALL_DIR")
    if not isinstance(folder, str):
        folder = work.view.resolve("~/.local/share/uv/python", work.state)
    if isinstance(folder, Unknown):
        return folder
    minor = ".".join(version.split(".")[:2])
    for event in work.view.behind():
        if isinstance(event, Interpreter) and event.kind == "uv" and event.minor == minor:
            return event
    prefix = f"{folder}/cpython-{version}-linux-x86_64-gnu"
    site = f"{prefix}/lib/python{minor}/site-packages"
    names = frozenset({"python", "python3", f"python{minor}"})
    found = Interpreter(work.cause(each), prefix, version, "uv", names, True, True, site)
    work.events.append(found)
    return found


def _uv_python(work: Work, each: Executed, versions: list[str]) -> None:
    for version in versions:
        if not re.fullmatch(r"3\.\d+(?:\.\d+)?", version):
            work.unsure(each, f"which Python {version} is nobody knows", "files")
            continue
        found = _downloaded(work, each, version)
        folder = work.view.resolve("~/.local/bin", work.state)
        if isinstance(found, Interpreter) and isinstance(folder, str):
            name = f"python{found.minor}"
            work.events.append(Put(work.cause(each), f"{folder}/{name}", "link", "0", 0o777, f"{found.bin}/{name}"))


def _conda(work: Work, each: Executed) -> None:
    """What conda does beside installing: nothing that changes an environment."""
    values = [word.value for word in each.words[1:] if not word.value.startswith("-")]
    if values[:1] in (["remove"], ["uninstall"], ["run"], ["build"]) or values[:2] == ["env", "remove"]:
        work.unsure(each, f"nobody can follow conda {values[0]}", "files", "distributions")


def _pip(work: Work, each: Executed) -> None:
    values = [word.value for word in each.words[1:] if not word.value.startswith("-")]
    if values[:1] != ["uninstall"]:
        return
    _uninstall(work, each, interpreter_of(work, each, each.words[0].value), values[1:])


def _uninstall(work: Work, each: Executed, found: Interpreter | Unknown | None, names: list[str]) -> None:
    """Distributions are taken out of an interpreter."""
    if isinstance(found, Interpreter):
        for name in names:
            gone = Distribution(
                work.cause(each), normalised(name), "", frozenset(), found.site, found.bin, "pip", is_removed=True
            )
            work.events.append(gone)


def active_environment(work: Work, each: Executed) -> Interpreter | Unknown | None:
    """The virtual environment that VIRTUAL_ENV, CONDA_PREFIX or a folder `.venv` names."""
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        value = work.variable(each, name)
        if isinstance(value, str) and value:
            return python.by_prefix(work.view, posixpath.normpath(value))
    folders = upward(each.directory) if isinstance(each.directory, str) else ()
    found = (python.by_prefix(work.view, posixpath.join(folder, ".venv")) for folder in folders)
    return next((environment for environment in found if environment is not None), None)


def _uv_uninstall(work: Work, each: Executed, names: list[str]) -> None:
    """From the active environment, or with `--system` from the first Python on PATH."""
    if "--system" in each.arguments or is_set(work.variable(each, "UV_SYSTEM_PYTHON")):
        _uninstall(work, each, uv_python(work, each, None), names)
        return
    found = active_environment(work, each)
    if found is None or any(option in each.arguments for option in ("-p", "--python", "-r", "--requirements")):
        work.unsure(each, "nobody can follow this call of uv", "distributions")
    else:
        _uninstall(work, each, found, names)


def _writes(work: Work, each: Executed) -> None:
    """`uv pip compile`, `uv export`, `poetry lock` …: the file that an option names, else one they name themselves."""
    outputs = split(each, "o", _OUTPUTS)[1]
    named = [outputs[name] for name in ("-o", *_OUTPUTS) if name in outputs]
    for path in named:
        work.put(
            each, work.path(each, path if "$" not in path else Unknown(f"the shell computes {path}")), "file", 0o644
        )
    if not named and {"lock", "init"} & set(each.arguments):
        work.unsure(each, f"nobody knows where {each.name} writes", "files")


def _poetry(work: Work, each: Executed) -> None:
    if {"export", "lock", "init"} & set(each.arguments):
        _writes(work, each)


def _nothing(work: Work, each: Executed) -> None:
    """Configures, and installs nothing by itself."""


EFFECTS: dict[str, Callable[[Work, Executed], None]] = {
    "python": _python,
    "virtualenv": _virtualenv,
    "uv": _uv,
    "pip": _pip,
    "conda": _conda,
    "mamba": _conda,
    "micromamba": _conda,
    "poetry": _poetry,
    "pipenv": _nothing,
    "pipx": _nothing,
}
