"""Makes the process find the Python packages that the image has: by PATH, or by the same Python in all stages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mllint import edits
from mllint.checks import placing
from mllint.findings import Fix
from mllint.image.events import Distribution, Interpreter
from mllint.image.names import common_name
from mllint.image.packages import BUILD_TOOLS
from mllint.image.published import missing_tag
from mllint.image.view import covers
from mllint.patterns import regex
from mllint.sources.text import Span

if TYPE_CHECKING:
    from mllint.image.content.bypassed import Bypassed
    from mllint.image.copies import Copy
    from mllint.image.stage import Stage, Step

_PLAIN_PATH = regex(r"/[\w./+-]+")
_VERSION = regex(r"(?P<version>3\.\d+(?:\.\d+)?)(?:-.*)?")


def on_path(stage: Stage, found: Bypassed) -> Fix | None:
    """Put a virtual environment in front of PATH behind what makes it, or brings it to the stage."""
    step, folder = found.environment.cause.step, found.environment.prefix
    if step not in placing.own_steps(stage) or step is None or not _PLAIN_PATH.fullmatch(folder):
        return None
    # A container that is only unhealthy works with the Python it has.
    is_safe = found.started.by == "container" and not _installs_behind(stage, step)
    edit = edits.line_below(step.instruction, _path_line(folder))
    return Fix("safe" if is_safe else "unsafe", f"put {folder}/bin in front of PATH", (edit,))


def _path_line(folder: str) -> str:
    return f'ENV PATH="{folder}/bin:$PATH"'


def _installs_behind(stage: Stage, step: Step) -> bool:
    """Whether steps behind one install Python packages, which would then go to the environment."""
    steps = stage.steps_before(None)
    behind = steps[steps.index(step) + 1 :]
    return any(each.manager.language == "python" for other in behind for each in other.installs)


def lasting_activation(stage: Stage, step: Step, folder: str) -> Fix | None:
    """Put ENV in the place of an activation that ends with its RUN, or below it where the RUN does more. What was
    installed without the environment before would not be seen from then on."""
    is_own = step in placing.own_steps(stage)
    if not is_own or not _PLAIN_PATH.fullmatch(folder) or _has_others(stage, step, folder):
        return None
    line, instruction = _path_line(folder), step.instruction
    edit = edits.line_below(instruction, line)
    if len(step.commands) == 1 and not instruction.flag_words and not instruction.comments:
        edit = edits.replace(instruction.source, instruction.span, line)
    return Fix("unsafe", f"put {folder}/bin in front of PATH", (edit,))


def _has_others(stage: Stage, step: Step, folder: str) -> bool:
    """Whether packages are installed outside of an environment before a step, or the environment is not made yet."""
    view = stage.view_after(step)
    made = any(isinstance(event, Interpreter) and event.prefix == folder for event in view.behind())
    others = (
        isinstance(event, Distribution) and event.name not in BUILD_TOOLS and not covers(folder, event.site)
        for event in view.behind()
    )
    return not made or any(others)


def same_python(stage: Stage, copy: Copy) -> Fix | None:
    """Start the stage from the Python that the packages were installed for, which this build has proved to work with
    them, where both are images of Python and only the version differs."""
    if copy.stage is None or stage.parent is not None or stage.build.stages[copy.stage].parent is not None:
        return None
    here, there = stage.root.base, stage.build.stages[copy.stage].root.base
    mine, other = here.reference, there.reference
    if mine is None or other is None or mine.digest or {common_name(mine), common_name(other)} != {"python"}:
        return None
    old, new = _VERSION.fullmatch(mine.tag or ""), _VERSION.fullmatch(other.tag or "")
    if old is None or new is None or old["version"] == new["version"]:
        return None
    word = stage.from_word
    at = word.text.rfind(f":{old['version']}")
    written = stage.build.source.slice(word.span)
    wanted = mine._replace(tag=re.sub(r"^[0-9.]+", new["version"], mine.tag or ""))
    if at < 0 or written != word.text or missing_tag(wanted) is not None:
        return None
    start = word.span.start + at + 1
    edit = edits.replace(stage.build.source, Span(start, start + len(old["version"])), new["version"])
    return Fix("unsafe", f"start from python:{wanted.tag}", (edit,))
