"""How much the build on paper knows of real images, so that it cannot buy silence with Unknown."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mllint
from mllint.image import python
from mllint.image.build import Build
from mllint.image.copies import context_path
from mllint.image.events import Distribution, Installed, Interpreter, Unsure
from mllint.image.values import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.stage import Stage

CORPUS = os.environ.get("MLLINT_CORPUS")
# Percent of the final stages whose base the tables know.
WANTED = {"python": 85, "user": 95, "command": 95, "requirements": 85}


def final_stages(folder: Path) -> Iterator[Stage]:
    for target in mllint.find([folder], cwd=folder).targets:
        stage = Build(target.dockerfile, target.context, target.settings, target.services).final
        if stage is not None and stage.root.base.family is not None and not stage.is_windows:
            yield stage


def unknowns(stage: Stage) -> dict[str, str | None]:
    """Why each kind of knowledge is missing, None for what is known."""
    state, view = stage.end, stage.view
    path = state.env.get("PATH")
    found = python.interpreter(view, "python3", path)
    if not isinstance(found, Interpreter):
        found = python.interpreter(view, "python", path) or found
    version = found.version if isinstance(found, Interpreter) else found
    packages = found if isinstance(found, Unknown) and asking(stage) else None
    if isinstance(found, Interpreter):
        packages = python.environment(view, found, state).unknown_requested
    process = stage.command or stage.entrypoint or stage.root.base.is_process_known
    return {
        "python": version.reason if isinstance(version, Unknown) else None,
        "user": state.user.reason if isinstance(state.user, Unknown) else None,
        "command": None if process else f"{stage.root.base.text} may start something",
        "requirements": packages.reason if packages is not None else None,
    }


def asking(stage: Stage) -> list[Distribution | Installed | Unsure]:
    """What its steps do from which distributions may come."""
    kinds = (Distribution, Installed, Unsure)
    events = [event for event in stage.log.events if isinstance(event, kinds) and event.cause.step is not None]
    return [event for event in events if not isinstance(event, Unsure) or "distributions" in event.about]


def undecidable(stage: Stage, reason: str) -> str | None:
    """A file that the corpus does not keep, where nothing but such files makes the requirements unknown."""
    unknown = [event for event in asking(stage) if not isinstance(event, Distribution)]
    reasons = [
        event.reason
        for event in unknown
        if isinstance(event, Unsure) or not (event.is_complete or event.is_all_asked_known)
    ]
    files = [blanked(stage, each) for each in [reason, *reasons]]
    return files[0] if all(files) else None


def blanked(stage: Stage, reason: str) -> str | None:
    """The file named by a reason of which the corpus keeps no more than its length, as NULs."""
    context = stage.build.context
    for name in re.findall(r"[\w./+-]*[\w/]", reason):
        found = {name} if context.find(name) is not None else set()
        if name.startswith("/"):
            found |= {context_path(each, step, name) for each in stage.build.stages for step in (None, *each.steps)}
        for path in filter(None, found):
            file = context.root / path
            if file.is_file() and (data := file.read_bytes()) and not data.strip(b"\0"):
                return file.name
    return None


def test_most_of_real_images_is_known(capsys):
    if not CORPUS:
        pytest.skip("MLLINT_CORPUS names no folder of real build contexts")
    stages = 0
    reasons, left_out = {kind: Counter[str]() for kind in WANTED}, Counter[str]()
    for stage in final_stages(Path(CORPUS)):
        stages += 1
        for kind, reason in unknowns(stage).items():
            file = undecidable(stage, reason) if reason is not None and kind == "requirements" else None
            if file is not None:
                left_out[f"not decidable: the corpus keeps no {file}"] += 1
            elif reason is not None:
                reasons[kind][reason] += 1
    asked = {kind: stages - (left_out.total() if kind == "requirements" else 0) for kind in WANTED}
    known = {kind: 100 * (asked[kind] - found.total()) / asked[kind] for kind, found in reasons.items()}
    with capsys.disabled():
        for kind, found in reasons.items():
            print(f"\n{kind}: known in {known[kind]:.1f} % of {asked[kind]}")
            print(*(f"  {times:4} {reason}" for reason, times in found.most_common(8)), sep="\n")
        print(f"\nleft out of requirements: {left_out.total()}")
        print(*(f"  {times:4} {reason}" for reason, times in left_out.most_common(8)), sep="\n")
    assert {kind: share for kind, share in known.items() if share < WANTED[kind]} == {}
