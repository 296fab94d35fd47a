"""Scripts that install programs and Pythons: those of conda, uv and pip, and sources that are compiled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mllint.image.copies import context_path
from mllint.image.effects import environments, pyenv, resolving
from mllint.image.effects.files import split
from mllint.image.effects.targets import finish, target_of
from mllint.image.events import Interpreter
from mllint.image.packages import Install, managers
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.values import Unknown, Value
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Callable

    from mllint.image.effects.work import Work
    from mllint.image.events import Scope
    from mllint.image.shell.commands import Executed
    from mllint.sources.shell_tree import Word

_CONDA = regex(r"conda|mamba|forge", re.IGNORECASE)
_CONDA_MINOR = regex(r"(?:conda|forge)\d?[-_]py3(\d+)[-_]", re.IGNORECASE)
_PYTHON_SOURCES = regex(r"Python-(3\.\d+\.\d+)")
_RESOLVERS = frozenset({"pip", "pip3", "uv", "conda", "mamba", "poetry", "pipenv", "python", "python3"})
_WITHOUT_PYTHON = (
    *("nodesource", "rustup", "nvm-sh", "bun.sh", "deno.land", "ollama.com", "packagecloud", "get.docker.com"),
    *("get.sdkman.io", "istio.io", "install-cli.jfrog.io", "get-helm", "starship.rs", "packages.gitlab.com"),
)
"""What stands in the addresses of installers that touch no Python."""
_ANYTHING: tuple[Scope, ...] = ("files", "programs", "interpreters", "distributions")


def script_of_conda(work: Work, each: Executed) -> bool:
    """Carry out `bash Miniconda3-….sh -b -p PREFIX`, under whatever name it was downloaded."""
    operands, options = split(each, "p", ("--prefix",))
    file = operands[0].value if each.name in POSIX_SHELLS and operands else each.words[0].value
    folder = options.get("-p", options.get("--prefix", ""))
    if "-b" not in options or not file.endswith(".sh") or not _CONDA.search(f"{file} {folder}"):
        return False
    prefix = work.path(each, folder) if folder else None
    if not isinstance(prefix, str):
        work.unsure(each, "which folder conda goes to is not known", *_ANYTHING)
        return True
    match = _CONDA_MINOR.search(_text(work))
    version: Value = f"3.{match[1]}" if match else Unknown("the installer of conda decides which Python it brings")
    names = {"python", "python3"} | ({f"python{version}"} if isinstance(version, str) else set())
    site = f"{prefix}/lib/python{version if isinstance(version, str) else 'X'}/site-packages"
    made = Interpreter(work.cause(each), prefix, version, "conda", frozenset(names), False, True, site)
    work.events += [made, environments.preinstalled(work, each, "pip", site, made.bin)]
    for name in ("conda", "mamba") if "forge" in file.lower() else ("conda",):
        work.put(each, f"{made.bin}/{name}", "file", 0o755)
    return True


def _text(work: Work) -> str:
    """The RUN as written, and its words with the variables that are known."""
    return " ".join(
        [work.step.instruction.rest.text, *(word.value for each in work.step.commands for word in each.words)]
    )


def of_script(each: Executed) -> Callable[[Work, Executed], None] | None:
    """The effect of a program that runs a well-known script."""
    values = each.arguments
    if each.name in POSIX_SHELLS:
        return _piped if "-s" in values or all(value.startswith("-") for value in values) else None
    if each.name.startswith("python"):
        if values[:2] == ("-m", "ensurepip") or any(value.rpartition("/")[2] == "get-pip.py" for value in values):
            return _get_pip
        if values == ("-",) or not values:
            return _piped
        if values[0] == "setup.py" and {"install", "develop"} & set(values):
            return _setup_script
    return None


def _piped(work: Work, each: Executed) -> None:
    """Carry out what such a script does, where its address is known."""
    urls = [word.value for other in work.step.commands for word in other.words if "://" in word.value]
    text = " ".join(urls)
    if "get-pip.py" in text and each.name.startswith("python"):
        _get_pip(work, each)
        return
    home = work.view.resolve("~/.local/bin", work.state)
    if "astral.sh/uv" in text and isinstance(home, str):
        folder = work.variable(each, "UV_INSTALL_DIR") or work.variable(each, "XDG_BIN_HOME")
        place = folder if isinstance(folder, str) else home
        for name in ("uv", "uvx"):
            work.put(each, f"{place}/{name}", "file", 0o755)
    elif "pyenv" in text:
        pyenv.install_itself(work, each)
    elif any(mark in text for mark in _WITHOUT_PYTHON):
        work.unsure(each, f"nobody can follow the script of {text}", "files", "programs")
    elif "install.python-poetry.org" in text:
        work.unsure(each, "the script of Poetry makes an environment of its own", "files", "programs")
    elif each.name not in POSIX_SHELLS:
        work.unsure(each, f"nobody can follow what {each.name} runs", "files")
    else:
        work.unsure(each, f"nobody can follow the script of {text or 'the pipe'}", *_ANYTHING)


def _get_pip(work: Work, each: Executed) -> None:
    """`python get-pip.py`."""
    found = environments.interpreter_of(work, each, each.words[0].value)
    if not isinstance(found, Interpreter):
        work.unsure(each, f"which Python {each.words[0].value} is nobody knows", "files", "programs", "distributions")
        return
    if each.is_sure:
        work.events.append(found._replace(has_pip=True))
    target = target_of(found)
    work.events.append(environments.preinstalled(work, each, "pip", target.site, target.scripts))


def _setup_script(work: Work, each: Executed) -> None:
    """`python setup.py install`, which takes what `pip install .` takes."""
    from mllint.image.effects import projects

    found = environments.interpreter_of(work, each, each.words[0].value)
    if not isinstance(found, Interpreter):
        work.unsure(each, f"which Python {each.words[0].value} is nobody knows", "files", "programs", "distributions")
        return
    call = Install(managers()[0], work.step, each, "install", (), ())
    finish(work, each, target_of(found), projects.project(work, call, target_of(found), ".", None))


def _easy_install(work: Work, each: Executed) -> None:
    """`easy_install NAME ...` of setuptools takes what `pip install` takes."""
    found = environments.interpreter_of(work, each, each.words[0].value.replace("easy_install", "python"))
    if isinstance(found, Interpreter):
        call = Install(managers()[0], work.step, each, "install", tuple(split(each)[0]), ())
        resolving.requested(work, call, target_of(found))
    else:
        work.unsure(each, f"which Python {each.words[0].value} belongs to is not known", "distributions", "programs")


def _make(work: Work, each: Executed) -> None:
    """What `make` of the sources of a program compiles and installs; the Makefile of a project may do anything."""
    _, options = split(each, "Cfj", ("--directory",))
    folder = work.path(each, options.get("-C", options.get("--directory", ".")))
    match = _PYTHON_SOURCES.search(_text(work))
    install = next((value for value in each.arguments if value in ("install", "altinstall")), None)
    if match and install:
        _compiled(work, each, match[1], install == "install")
    elif isinstance(folder, str) and context_path(work.stage, work.step, f"{folder}/Makefile") is not None:
        work.unsure(each, f"nobody can follow what {folder}/Makefile does", *_ANYTHING)
    else:
        work.unsure(each, "nobody can follow what make does", "files", "programs")


def _compiled(work: Work, each: Executed, version: str, is_default: bool) -> None:
    """`./configure --prefix=… && make install` in the sources of CPython."""
    given = re.search(r"--prefix[= ](/[\w./-]+)", _text(work))
    prefix = given[1].rstrip("/") if given else "/usr/local"
    minor = version.rpartition(".")[0]
    names = {f"python{minor}"} | ({"python3"} if is_default else set())
    site = f"{prefix}/lib/python{minor}/site-packages"
    made = Interpreter(work.cause(each), prefix, version, "image", frozenset(names), False, True, site)
    work.events += [made, environments.preinstalled(work, each, "pip", site, made.bin)]


def _xargs(work: Work, each: Executed) -> None:
    """The program that xargs runs, with arguments that nobody knows."""
    inner = next((word for word in each.words[1:] if not word.value.startswith("-") and not _is_count(word)), None)
    name = inner.value.rpartition("/")[2] if inner is not None else ""
    if name in _RESOLVERS or name in POSIX_SHELLS:
        work.unsure(each, f"nobody knows what xargs hands to {name}", *_ANYTHING)
    elif name in ("apt-get", "apt", "dpkg", "dnf", "yum", "apk"):
        work.unsure(each, f"nobody knows what xargs hands to {name}", "files", "programs", "interpreters")
    else:
        work.unsure(each, f"nobody knows what xargs hands to {name}", "files")


def _is_count(word: Word) -> bool:
    return word.value.isdecimal() or word.value in ("{}", "%", "\\n", "\\0")


EFFECTS: dict[str, Callable[[Work, Executed], None]] = {
    "easy_install": _easy_install,
    "make": _make,
    "pyenv": pyenv.call,
    "xargs": _xargs,
}
