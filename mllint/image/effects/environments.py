"""Commands that make Python environments: venv, virtualenv, uv, conda, pyenv."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from mllint.image import python
from mllint.image.effects.files import split
from mllint.image.events import Distribution, Gone, Interpreter, Put
from mllint.image.values import Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllint.image.commands import Executed
    from mllint.image.effects.work import Work
    from mllint.sources.shell_tree import Word

_WITH_SYSTEM = "--system-site-packages"
_UV_VALUES = ("--python", "--prompt", "--seed-packages", "--cache-dir", "--index-url", "--project", "--directory")
_CONDA_MINOR = re.compile(r"(?:[\w-]+::)?python(?:\s*[=<>!~]=?=?\s*|=)(3(?:\.\d+){0,2})")


def interpreter_of(work: Work, each: Executed, name: str) -> Interpreter | Unknown | None:
    """The interpreter behind `python`, `python3`, `/opt/venv/bin/pip` … as a command of the step finds it."""
    folder, _, program = name.rpartition("/")
    if re.fullmatch(r"pip[0-9.]*", program):
        name = posixpath.join(folder, program.replace("pip", "python", 1)) if folder else "python" + program[3:]
    path = work.variable(each, "PATH")
    place = work.path(each, name) if folder else None
    found = python.interpreter(work.view, place if isinstance(place, str) else name, path)
    if found is None and not folder and program == "pip":
        # Where only python3 is there, its package of pip brings `pip` too.
        found = python.interpreter(work.view, "python3", path)
    return found


def _python(work: Work, each: Executed) -> None:
    """`python -m venv`, `python setup.py install`, or anything else, which may write files."""
    values = [word.value for word in each.words[1:]]
    if values[:2] in (["-m", "venv"], ["-m", "virtualenv"]):
        operands, options = split(each._replace(words=each.words[2:]), "p", ("--prompt", "--python"))
        base = interpreter_of(work, each, each.words[0].value)
        for word in operands:
            make(work, each, word, base, "--without-pip" not in options, _WITH_SYSTEM in options)
    elif values[:2] == ["-m", "ensurepip"] or values[-1:] in (["--version"], ["-V"]):
        return
    elif values[:1] == ["setup.py"] or "get-pip.py" in " ".join(values):
        work.unsure(each, f"nobody can follow {' '.join(values)}", "files", "distributions", "programs")
    elif values[:2] == ["-m", "pip"] or values[:2] == ["-m", "compileall"]:
        return
    else:
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
    if has_pip:
        work.events.append(preinstalled(work, each, "pip", site, f"{path}/bin"))


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
        case ["pip", ("uninstall" | "list" | "freeze" | "check" | "show" | "compile" | "tree")] | [
            ("cache" | "lock" | "export" | "version" | "tree" | "self" | "init"),
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
    if not isinstance(chosen, str) or not chosen:
        found = interpreter_of(work, each, "python3")
        return found if found is not None else interpreter_of(work, each, "python")
    if re.fullmatch(r"3\.\d+(?:\.\d+)?", chosen):
        found = interpreter_of(work, each, "python" + ".".join(chosen.split(".")[:2]))
        return found if isinstance(found, Interpreter) else _downloaded(work, each, chosen)
    return interpreter_of(work, each, chosen)


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
    found = interpreter_of(work, each, each.words[0].value)
    if isinstance(found, Interpreter):
        for name in values[1:]:
            normal = re.sub(r"[-_.]+", "-", name).lower()
            gone = Distribution(
                work.cause(each), normal, "", frozenset(), found.site, found.bin, "pip", None, is_removed=True
            )
            work.events.append(gone)


def _nothing(work: Work, each: Executed) -> None:
    """Configures, and installs nothing by itself."""


def piped(work: Work, each: Executed) -> None:
    """A shell without operands reads a script from what stands in front of it in the pipe."""
    urls = [word.value for other in work.step.commands for word in other.words if "://" in word.value]
    text = " ".join(urls)
    home = work.view.resolve("~/.local/bin", work.state)
    if "astral.sh/uv" in text and isinstance(home, str):
        folder = work.variable(each, "UV_INSTALL_DIR") or work.variable(each, "XDG_BIN_HOME")
        place = folder if isinstance(folder, str) else home
        for name in ("uv", "uvx"):
            work.put(each, f"{place}/{name}", "file", 0o755)
    elif "nodesource" in text or "deb.nodesource" in text:
        work.unsure(each, "a script of nodesource adds a repository", "files")
    else:
        work.unsure(each, f"nobody can follow the script of {text or 'the pipe'}", "files", "programs", "distributions")


EFFECTS: dict[str, Callable[[Work, Executed], None]] = {
    "python": _python,
    "virtualenv": _virtualenv,
    "uv": _uv,
    "pip": _pip,
    "conda": _conda,
    "mamba": _conda,
    "micromamba": _conda,
    "poetry": _nothing,
    "pipenv": _nothing,
    "pipx": _nothing,
}
