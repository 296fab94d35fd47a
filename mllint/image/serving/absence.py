"""Which programs and Python modules are surely not in an image, and whether the tables that say so were held against
their sources."""

from __future__ import annotations

import posixpath
import sys
from typing import TYPE_CHECKING, NamedTuple

from mllint.image import distributions, programs, python
from mllint.image.base import Base
from mllint.image.events import Distribution, Installed, Interpreter, Programs
from mllint.image.interpreter import is_python_program
from mllint.image.values import Unknown
from mllint.image.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mllint.image.python import Environment
    from mllint.image.serving.uses import Use
    from mllint.image.stage import State

_NOTHING = Base("scratch", "scratch", None, None, "root", None)
# Modules that came with Python until 3.11 or 3.12.
_ONCE_STANDARD = frozenset(
    "aifc asynchat asyncore audioop binhex cgi cgitb chunk crypt distutils imghdr imp lib2to3 mailcap msilib nis"
    " nntplib ossaudiodev pipes smtpd sndhdr spwd sunau telnetlib uu xdrlib".split()
)
_ANYWHERE = frozenset({"python", "py", "lib", "core", "client", "api", "sdk", "utils"})
"""Parts of the names of distributions that tell nothing."""
_OF_PYTHON = ("python", "py3-", "libpython")


class Absence(NamedTuple):
    """Something is not there; `is_verified` is false where that rests on a row from memory, which feeds no error."""

    is_verified: bool


def of_program(use: Use, name: str) -> Absence | None:
    """Whether a program is not there when a command of the image runs; None where it is or nobody can tell."""
    view, plain = use.view, posixpath.basename(name)
    # Only what the base surely lacks can be missing, and to ask it first saves most of the time.
    if view.base.program(plain) != "absent" or use.look_up(name) is not None:
        return None
    owners = distributions.providers_of_script(plain)
    if owners and (view.doubt("distributions") or _has_unread_install(view)):
        return None
    return Absence(is_verified(view, plain) and (not owners or _is_closed(list(_installed(view)), None)))


def is_verified(view: View, name: str) -> bool:
    """Whether that neither the base nor a package of the operating system brings a program was held against them."""
    packages = (event for event in view.behind() if isinstance(event, Programs))
    return view.base.is_verified(name) and all(event.is_verified for event in packages)


def of_module(use: Use, found: Interpreter, module: str, folder: str | None) -> Absence | None:
    """Whether an interpreter cannot import a module, by its dotted name, where `folder` is the one that it looks into
    first; None where it can or nobody can tell."""
    view, top = use.view, module.partition(".")[0]
    if top in sys.stdlib_module_names or top in _ONCE_STANDARD or _is_local(view, use.state, top, folder):
        return None
    environment = python.environment(view, found, use.state)
    if environment.unknown is not None or (found.kind == "system" and _has_other_packages(view)):
        return None
    installed = list(environment.distributions.values())
    brought = environment.brought()
    owners = distributions.providers_of_import(module)
    is_known = _is_made(view, found) or view.base.is_verified("python3")
    if not owners:
        is_absent = _provides_none(installed, brought, top)
        return Absence(is_known and _is_closed(installed, found)) if is_absent else None
    return _of_all(environment, (top, *owners), owners, is_known)


def of_distributions(use: Use, found: Interpreter, names: tuple[str, ...]) -> Absence | None:
    """Whether an interpreter can import what none of these distributions brings; None where one is there or nobody can
    tell."""
    environment = python.environment(use.view, found, use.state)
    if environment.unknown is not None or (found.kind == "system" and _has_other_packages(use.view)):
        return None
    return _of_all(environment, names, names, _is_made(use.view, found) or use.view.base.is_verified("python3"))


def _of_all(
    environment: Environment, names: tuple[str, ...], owners: tuple[str, ...], is_known: bool
) -> Absence | None:
    found, installed = environment.interpreter, list(environment.distributions.values())
    brought = environment.brought()
    if _may_be_renamed(installed, names):
        return None
    answers = {brought.brings(owner) for owner in owners}
    if answers == {"absent"}:
        return Absence(is_known and _is_closed(installed, found))
    # Older releases may bring it: a resolver takes the newest, unless something holds it back.
    newest = _newest(installed, found)
    is_open = "present" not in answers and all(newest.brings(owner) == "absent" for owner in owners)
    return Absence(False) if is_open else None


def of_server(use: Use, name: str) -> Absence | None:
    """The same as `of_program` for a server, which is also missing where the only Python cannot import it."""
    missing = of_program(use, name)
    view, owners = use.view, distributions.providers_of_script(name)
    pythons = {event.prefix: event for event in view.behind() if isinstance(event, Interpreter)}
    if missing is not None or not isinstance(use.look_up(name), Unknown) or len(pythons) != 1 or not owners:
        return missing
    names = distributions.imports(owners[0], None)
    is_packaged = any(isinstance(event, Programs) and event.package in owners for event in view.behind())
    if is_packaged or view.doubt("programs") or isinstance(names, Unknown) or name not in names:
        return None
    return of_module(use, next(iter(pythons.values())), name, use.state.directory)


def is_elsewhere(use: Use, name: str) -> bool:
    """Whether a distribution is in the image all the same, for another interpreter or where nothing looks for it."""
    return python.brought_by(list(_installed(use.view)), None).brings(name) == "present"


def interpreter(use: Use) -> Interpreter | None:
    """The Python that runs a command: itself, or the one that its script belongs to; None where that is not known."""
    name = use.executed.words[0].value
    found = python.interpreter(use.view, name, use.path, use.executed.directory)
    if isinstance(found, Interpreter) or is_python_program(posixpath.basename(name)):
        return found if isinstance(found, Interpreter) else None
    program = use.look_up(name)
    place = program.path if isinstance(program, programs.Program) else None
    beside = python.interpreter(use.view, f"{posixpath.dirname(place)}/python3", None) if place else None
    found = python.interpreter(use.view, "python3", use.path) if beside is None else beside
    return found if isinstance(found, Interpreter) else None


def _is_made(view: View, found: Interpreter) -> bool:
    """Whether the build itself makes an interpreter, and nothing of the base lies where that one looks for packages."""
    is_apart = found.kind == "venv" and not found.sees_system
    return found.cause.step is not None and found.cause.is_sure and (is_apart or view.base.is_plain)


def _installed(view: View) -> Iterator[Distribution]:
    return (event for event in view.behind() if isinstance(event, Distribution) and not event.is_removed)


def _newest(installed: list[Distribution], found: Interpreter | None) -> distributions.Brought:
    """What comes along with the newest releases that may be chosen."""
    return python.brought_by(installed, found.minor if found is not None else None, newest=True)


def _is_closed(installed: list[Distribution], found: Interpreter | None) -> bool:
    """Whether what they require was read from their metadata."""
    brought = _newest(installed, found)
    return brought.is_complete and not brought.from_memory


def _provides_none(installed: list[Distribution], brought: distributions.Brought, top: str) -> bool:
    """Whether all that is there is known, and none of it provides a module that no table knows."""
    versions = {each.name: each.version for each in installed}
    if not brought.is_complete:
        return False
    for name in (*brought.via, *brought.possible):
        names = distributions.imports(name, versions.get(name))
        if isinstance(names, Unknown) or top in names:
            return False
    return True


def _may_be_renamed(installed: list[Distribution], names: Iterable[str]) -> bool:
    """Whether a distribution that no table knows has a part of its name from what is looked for, as variants have that
    provide the same modules."""
    parts = {part for name in names for part in distributions.guess_import(name).split("_")} - _ANYWHERE
    return any(
        not parts.isdisjoint(each.name.split("-"))
        for each in installed
        if not each.brings_more and isinstance(distributions.imports(each.name, each.version), Unknown)
    )


def _is_local(view: View, state: State, top: str, folder: str | None) -> bool:
    """Whether a module may lie in one of the folders that are looked into before those of packages."""
    path = state.env.get("PYTHONPATH")
    if isinstance(path, Unknown) or folder is None:
        return True
    # An operating system has no modules of Python beside those of its packages.
    inside = View(_NOTHING, view.context, view.events, view.end) if view.base.is_plain else view
    folders = [folder, *(posixpath.join(state.directory, each) for each in (path or "").split(":") if each)]
    places = [posixpath.normpath(f"{each}/{top}{ending}") for each in folders for ending in ("", ".py")]
    return any(inside.find(place) is not None for place in places)


def has_python(use: Use) -> bool:
    """Whether any Python is, or may be, there."""
    is_made = any(isinstance(event, Interpreter) for event in use.view.behind())
    return is_made or use.look_up("python3") is not None


def has_installs(view: View) -> bool:
    """Whether the build installs any distribution; where it does not, they come from a volume or another build."""
    return any(isinstance(event, Distribution) and event.cause.step is not None for event in view.behind())


def _has_unread_install(view: View) -> bool:
    return any(isinstance(event, Installed) and not event.is_complete for event in view.behind())


def _has_other_packages(view: View) -> bool:
    """Whether a package of the operating system that needs Python may have brought modules along."""
    return any(
        isinstance(event, Programs)
        and not event.package.startswith(_OF_PYTHON)
        and "python3" in (event.names or frozenset({"python3"})) | event.perhaps
        for event in view.behind()
    )
