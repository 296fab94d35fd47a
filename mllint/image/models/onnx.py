"""ONNX models that are newer than the ONNX Runtime that loads them, by the table `onnx_support`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mllint import facts
from mllint.image.installing import offered
from mllint.image.models.installed import Release, release
from mllint.image.models.served import loaded
from mllint.image.releases import version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.models.held import Held
    from mllint.image.stage import Stage

_RUNTIMES = ("onnxruntime", "onnxruntime-gpu")


class TooNew(NamedTuple):
    """A model that the runtime of the service refuses."""

    model: Held
    release: Release
    is_ir: bool
    """Whether it is the version of the format, else that of the operator set."""
    wanted: int
    most: int
    """The newest version that the runtime loads."""
    enough: str | None
    """The first release of the runtime that loads the model for the interpreter; None where there is none, or it needs
    another CUDA."""


def too_new(stage: Stage) -> Iterator[TooNew]:
    """The models that the service names and the ONNX Runtime of the image does not load."""
    for service, model in loaded(stage):
        there = [name for name in _RUNTIMES if name in service.packages] if model.kind == "onnx" else []
        found = release(stage, service, *there) if len(there) == 1 else None
        row = _row(found.version) if found is not None else None
        if found is None or row is None:
            continue
        wanted = (_version(model, "ir_version"), _opset(model))
        minor = service.interpreter.minor
        for need, column in zip(wanted, ("ir", "opset"), strict=True):
            if need > int(row[column]):
                enough = _enough(found, wanted, minor) if isinstance(minor, str) else None
                yield TooNew(model, found, column == "ir", need, int(row[column]), enough)
                break


def _row(version: str) -> dict[str, Any] | None:
    rows = (row for row in facts.rows("onnx_support") if row["status"] == "verified")
    return next(
        (row for row in rows if version_of(row["first"]) <= version_of(version) <= version_of(row["last"])), None
    )


def _version(model: Held, key: str) -> int:
    found = model.model.details.get(key, 0)
    return found if isinstance(found, int) else 0


def _opset(model: Held) -> int:
    """The operator set of ONNX itself that a model is written for; 0 where it is not known."""
    opsets = model.model.details.get("opsets", ())
    for each in opsets if isinstance(opsets, tuple) else ():
        domain, _, version = each.rpartition(":")
        if domain in ("", "ai.onnx") and version.isdecimal():
            return int(version)
    return 0


def _enough(found: Release, wanted: tuple[int, int], minor: str) -> str | None:
    name, cuda = found.event.name, _cuda(found.version)
    for version in offered.releases(name):
        row = _row(version) if version_of(version) > version_of(found.version) else None
        offer = offered.offer(name, version)
        if row is None or offer is None or not (offer.admits(minor) and minor in offer.python):
            continue
        is_same = name == "onnxruntime" or _cuda(version) == cuda
        if is_same and int(row["ir"]) >= wanted[0] and int(row["opset"]) >= wanted[1]:
            return version
    return None


def _cuda(version: str) -> str | None:
    rows = facts.rows("onnxruntime_cuda")
    found = (row for row in rows if version_of(row["first"]) <= version_of(version) <= version_of(row["last"]))
    return next((row["cuda"] for row in found), None)
