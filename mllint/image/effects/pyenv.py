"""pyenv: Pythons that it builds, and the shims through which they are called."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from mllint.image import python
from mllint.image.effects.environments import preinstalled
from mllint.image.events import Interpreter
from mllint.image.releases import minor_of
from mllint.image.values import Unknown, Value
from mllint.patterns import regex

if TYPE_CHECKING:
    from mllint.image.effects.work import Work
    from mllint.image.shell.commands import Executed

_VERSION = regex(r"3\.\d+(?:\.\d+)?")


def install_itself(work: Work, each: Executed) -> None:
    """Carry out the script of pyenv.run, which puts pyenv into its folder."""
    root = _root(work, each)
    work.put(each, f"{root}/bin/pyenv" if isinstance(root, str) else root, "file", 0o755)


def call(work: Work, each: Executed) -> None:
    """`pyenv install` builds a Python in a folder of its own; `pyenv global` makes it the one behind the shims."""
    values = [word.value for word in each.words[1:] if not word.value.startswith("-")]
    verb, rest = "".join(values[:1]), values[1:]
    if verb not in ("install", "global", "local", "virtualenv"):
        return
    root, versions = _root(work, each), [value for value in rest if _VERSION.fullmatch(value)]
    if isinstance(root, Unknown) or not versions or verb == "virtualenv":
        work.unsure(each, "which Python pyenv takes is not known", "files", "programs", "interpreters", "distributions")
        return
    for version in versions:
        _build(work, each, root, version)
    if verb != "install":
        _lead_shims(work, each, root, versions[0])


def _root(work: Work, each: Executed) -> Value:
    given = work.variable(each, "PYENV_ROOT")
    return posixpath.normpath(given) if isinstance(given, str) and given else work.view.resolve("~/.pyenv", work.state)


def _build(work: Work, each: Executed, root: str, version: str) -> None:
    prefix, minor = f"{root}/versions/{version}", minor_of(version)
    if python.by_prefix(work.view, prefix) is None:
        names = frozenset({"python", "python3", f"python{minor}"})
        site = f"{prefix}/lib/python{minor}/site-packages"
        made = Interpreter(work.cause(each), prefix, version, "pyenv", names, False, True, site)
        work.events += [made, preinstalled(work, each, "pip", site, made.bin)]


def _lead_shims(work: Work, each: Executed, root: str, version: str) -> None:
    minor, shims = minor_of(version), f"{root}/shims"
    work.unsure(each, "pyenv has a shim for whatever pip installs", "files", "programs", below=shims)
    for name in ("python", "python3", f"python{minor}", "pip", "pip3", f"pip{minor}"):
        work.put(each, f"{shims}/{name}", "link", 0o777, f"{root}/versions/{version}/bin/{name}")
