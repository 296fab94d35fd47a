"""Estimators that another scikit-learn saved than the one that the image loads them with, by the table
`sklearn_pickles`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mllint import facts
from mllint.image.models.installed import Release, release
from mllint.image.models.served import loaded
from mllint.image.releases import minor_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.models.held import Held
    from mllint.image.stage import Stage


class Mismatch(NamedTuple):
    """A pickle of one minor release of scikit-learn in an image with another."""

    model: Held
    saved: str
    """The release that wrote it."""
    release: Release
    failure: dict[str, Any] | None
    """How loading or using it surely fails; None where it may work."""


def mismatches(stage: Stage) -> Iterator[Mismatch]:
    """The pickles that the service loads with another minor release of scikit-learn."""
    for service, model in loaded(stage):
        saved = model.model.details.get("sklearn_version")
        there = release(stage, service, "scikit-learn") if isinstance(saved, str) else None
        if there is not None and isinstance(saved, str) and minor_of(there.version) != minor_of(saved):
            yield Mismatch(model, saved, there, _failure(model, minor_of(saved), minor_of(there.version)))


def _failure(model: Held, saved: str, image: str) -> dict[str, Any] | None:
    for row in facts.rows("sklearn_pickles"):
        if saved in row["saved"].split() and image in row["image"].split():
            name = row["name"]
            if any(each == name or (name.endswith((".", "_")) and each.startswith(name)) for each in model.globals):
                return row
    return None
