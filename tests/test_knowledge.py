"""How much the build on paper knows of real images, so that it cannot buy silence with Unknown."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mllint
from mllint.image import python
from mllint.image.build import Build
from mllint.image.events import Interpreter
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
    packages = found if isinstance(found, Unknown) else None
    if isinstance(found, Interpreter):
        packages = python.environment(view, found, state).unknown_requested
    process = stage.command or stage.entrypoint or stage.root.base.is_process_known
    return {
        "python": version.reason if isinstance(version, Unknown) else None,
        "user": state.user.reason if isinstance(state.user, Unknown) else None,
        "command": None if process else f"{stage.root.base.text} may start something",
        "requirements": packages.reason if packages is not None else None,
    }


def test_most_of_real_images_is_known(capsys):
    if not CORPUS:
        pytest.skip("MLLINT_CORPUS names no folder of real build contexts")
    stages, reasons = 0, {kind: Counter[str]() for kind in WANTED}
    for stage in final_stages(Path(CORPUS)):
        stages += 1
        for kind, reason in unknowns(stage).items():
            if reason is not None:
                reasons[kind][reason] += 1
    known = {kind: 100 * (stages - found.total()) / stages for kind, found in reasons.items()}
    with capsys.disabled():
        for kind, found in reasons.items():
            print(f"\n{kind}: known in {known[kind]:.1f} % of {stages}")
            print(*(f"  {times:4} {reason}" for reason, times in found.most_common(8)), sep="\n")
    assert {kind: share for kind, share in known.items() if share < WANTED[kind]} == {}
