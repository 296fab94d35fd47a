"""ML637: one Python for pip and for the package manager of the operating system."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Related
from mllint.image.installing import indexed
from mllint.image.packages import Install
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.wording import enumerated

_MARK = "EXTERNALLY-MANAGED"
_BREAKS = "--break-system-packages"
_PIPS = frozenset({"pip", "uv pip"})
# What programs import; what pip, virtual environments and builds are made of is no matter of requirements.
_LIBRARY = regex(
    r"python3\d*-(?!(?:pip|dev|devel|venv|virtualenv|setuptools|wheel|distutils|full|minimal|apt|gi|dbus|pkg-resources"
    r"|pipx|poetry|tk|tkinter|idle|doc|debian|software-properties|libs|base|rpm|dnf|gpg|lib2to3|testsuite|dbm|curses|build|packaging"
    r"|py-build-cmake)\b)[\w.-]+(?<!-devel)(?<!-dev)"
)
# What others are compiled against or check the release of, and so what hurts most.
_COMPILED_AGAINST = regex(r"-(?:numpy|scipy|opencv|pandas|protobuf)\b")


@check("ML637")
def pip_over_system_packages(stage: Stage) -> Iterator[Finding]:
    """pip is let into a Python whose packages another package manager keeps."""
    if stage not in stage.build.needed:
        return
    kept: list[tuple[Install, list[str]]] = []
    for step in stage.steps_before(None):
        kept += [(each, names) for each in step.installs if (names := _libraries(each))]
        is_own = step in stage.steps and step.trigger is None
        opening = next((each for each in step.commands if is_own and each.is_sure and _opens(each)), None)
        if opening is not None and kept and _installs_behind(stage, opening):
            yield _finding(stage, opening, kept)
            return


def _libraries(install: Install) -> list[str]:
    names = (word.value.partition("=")[0] for word in install.operands)
    return [name for name in names if _LIBRARY.fullmatch(name)] if not install.manager.language else []


def _opens(each: Executed) -> bool:
    """Whether a command lets pip into the Python of the operating system."""
    if each.name in ("rm", "mv"):
        return any(word.endswith(_MARK) for word in each.arguments)
    return _BREAKS in each.arguments and "install" in each.arguments


def _installs_behind(stage: Stage, opening: Executed) -> bool:
    """Whether pip then installs something for that Python."""
    for step in stage.steps:
        for each in step.installs:
            is_pip = each.manager.name in _PIPS and each.span.start >= opening.span.start
            if is_pip and not each.has("--target", "-t", "--prefix", "--user", "--python", "-p"):
                found = indexed.interpreter_of(stage, each)
                if (found is None or found.kind == "system") and each.variable("VIRTUAL_ENV") is None:
                    return True
    return False


def _finding(stage: Stage, opening: Executed, kept: list[tuple[Install, list[str]]]) -> Finding:
    install, names = kept[-1][0], list(dict.fromkeys(name for _, each in kept for name in each))
    tool = install.executed.name
    names.sort(key=lambda name: not _COMPILED_AGAINST.search(name))
    how = f"without {_MARK}" if opening.name in ("rm", "mv") else f"with {_BREAKS}"
    message = f"{how} pip changes the Python whose packages {tool} keeps: it may replace or hide {enumerated(names, 1)}"
    repair = "hold pip to what is there, with the output of pip freeze for -c, or install into a virtual environment"
    related = (Related(Location(stage.build.source, install.span), f"{tool} installs them"),)
    return Finding(Location(stage.build.source, opening.span), message, repair, related)
