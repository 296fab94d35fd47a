"""The repair of an install into a Python of the operating system: a virtual environment."""

from mllint import edits
from mllint.checks.commands import in_front, with_packages
from mllint.findings import Edit, Fix
from mllint.image.installing.managed import refused
from mllint.image.packages import Install
from mllint.image.stage import Stage
from mllint.patterns import regex

PATH = "/opt/venv"
MAKE, ENTER = f"python3 -m venv {PATH}", f"ENV PATH={PATH}/bin:$PATH"
_ROOT = frozenset({"", "0", "root", "0:0", "root:root"})
# Where the environment would not be looked for, or what it would not see.
_ELSEWHERE = regex(
    r"/usr/(?:local|bin|lib)\b|dist-packages|\bpython3-(?!pip\b|venv\b|dev\b|full\b|setuptools\b|wheel\b)"
)


def is_root(user: object) -> bool:
    """Whether a user is root for sure."""
    return user in _ROOT


def with_environment(stage: Stage) -> Fix | None:
    """A virtual environment in front of the first call of a stage that pip refuses; None where something may rely on
    the Python of the system."""
    calls = [each for step in stage.steps for each in step.installs if refused(stage, each) is not None]
    first = calls[0]
    package = package_of_python(stage, first)
    if package is None or not all(map(_can_move, calls)) or relies_on_system(stage):
        return None
    made: list[Edit | None] = [] if has_venv(package) else [with_packages(stage, package, ["python3-venv"])]
    above = [ENTER]
    if package.step is first.step:
        made.append(in_front(stage, first, MAKE))
    else:
        above.insert(0, f"RUN {MAKE}")
    made.append(edits.line_above(stage.build.dockerfile, first.step.instruction, *above))
    found = tuple(each for each in made if each is not None)
    return Fix("unsafe", f"make a virtual environment in {PATH}", found) if len(found) == len(made) else None


def relies_on_system(stage: Stage) -> bool:
    """Whether the file speaks of folders or packages of the system's Python, which an environment does not have."""
    return _ELSEWHERE.search(stage.build.source.text) is not None


def has_venv(package: Install) -> bool:
    """Whether a call of apt brings what `python3 -m venv` needs."""
    return any(word.value.endswith(("-venv", "-full")) for word in package.operands)


def package_of_python(stage: Stage, first: Install) -> Install | None:
    """The call of apt that brings Python into a stage, in front of another call."""
    for step in stage.steps:
        for each in step.installs:
            if each is first:
                return None
            brings = any(word.value.startswith("python3") for word in each.operands)
            if each.manager.name == "apt" and brings and each.is_certain and step.trigger is None:
                return each
    return None


def _can_move(install: Install) -> bool:
    """Whether a call does the same in a virtual environment that root made."""
    step, executed = install.step, install.executed
    is_plain = install.manager.name == "pip" and not install.has("--user") and not executed.wrappers
    return is_plain and step.trigger is None and executed.user is None and is_root(step.before.user)
