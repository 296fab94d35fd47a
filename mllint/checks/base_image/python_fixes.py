"""Repairs of a stage that runs Python and has none: Python from the packages of its operating system."""

from collections.abc import Sequence

from mllint import facts
from mllint.checks.commands import with_packages
from mllint.checks.placing import above, first_work, own_steps
from mllint.checks.requirements.environments import ENTER, MAKE, is_root
from mllint.edits import line_below, replace
from mllint.findings import Edit, Fix
from mllint.image.interpreter import is_python_program
from mllint.image.packages import Install
from mllint.image.serving.uses import Use
from mllint.image.stage import Stage

_NAMES = frozenset({"python", "python3", "pip", "pip3"})
_PIP = frozenset({"pip", "pip3"})


def as_python3(use: Use) -> Fix | None:
    """`python3` where a command says `python`."""
    word = use.executed.words[0]
    written = use.source.slice(word.span)
    if written.strip('"') != "python":
        return None
    edit = replace(use.source, word.span, written.replace("python", "python3"))
    return Fix("safe", "write python3 for python", (edit,))


def installed(stage: Stage, first: Use, uses: Sequence[Use]) -> Fix | None:
    """Python from the packages of the distribution, in a virtual environment where pip needs one; None where the stage
    has packages from elsewhere, or needs a certain version."""
    base, names = stage.root.base, {use.executed.words[0].value for use in uses}
    row = _python_of(base.suite) if isinstance(base.suite, str) and base.family in ("debian", "ubuntu") else None
    called = {name for name in names if is_python_program(name.rpartition("/")[2])}
    if row is None or not called <= _NAMES or not is_root(stage.start.user):
        return None
    if any(step.copy is not None and step.copy.origin != "context" for step in stage.steps):
        return None
    needs_pip = bool(called & _PIP) or any("pip" in use.executed.arguments[:2] for use in uses)
    if needs_pip and row["managed"] == "yes":
        by_root = all(use.step is None or is_root(use.step.before.user) for use in uses)
        return _fix(stage, first, ["python3", "python3-venv"], [f"RUN {MAKE}", ENTER]) if by_root else None
    packages = ["python3", *(["python3-pip"] if needs_pip else [])]
    return _fix(stage, first, [*packages, *(["python-is-python3"] if "python" in called else [])], [])


def _python_of(suite: str) -> dict[str, str] | None:
    rows = facts.by("distro_pythons", "suite").get(suite, ())
    return next((row for row in rows if row["status"] == "verified"), None)


def _fix(stage: Stage, use: Use, packages: list[str], lines: list[str]) -> Fix | None:
    """Install packages with the call of apt that comes first, or by a RUN in front of the work of the stage."""
    title, dockerfile = f"install {' '.join(packages)}", stage.build.dockerfile
    call, first = _call(stage, use), first_work(stage)
    if call is not None:
        made: list[Edit | None] = [with_packages(stage, call, packages)]
        if lines:
            made.append(line_below(call.step.instruction, *lines) if call.step is not use.step else None)
        found = tuple(each for each in made if each is not None)
        return Fix("unsafe", title, found) if len(found) == len(made) else None
    run = [
        f"RUN apt-get update {dockerfile.escape}",
        f"  && apt-get install -y --no-install-recommends {' '.join(packages)} {dockerfile.escape}",
        "  && rm -rf /var/lib/apt/lists/*",
    ]
    return Fix("unsafe", title, (above(dockerfile, first.instruction, *run, *lines),)) if first is not None else None


def _call(stage: Stage, use: Use) -> Install | None:
    """The first call of apt in a stage that surely comes before something is run."""
    for step in own_steps(stage):
        for each in step.installs:
            if step is use.step and each.span.start > use.executed.span.start:
                return None
            if each.manager.name == "apt" and each.is_certain and is_root(step.before.user):
                return each
        if step is use.step:
            return None
    return None
