"""ML806: models that ONNX Runtime is too old for."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.pins import pinned_to
from mllint.findings import Finding, Fix, Severity
from mllint.image.models.onnx import TooNew, too_new
from mllint.image.stage import Stage


@check("ML806")
def onnx_model_too_new(stage: Stage) -> Iterator[Finding]:
    """A model that the service loads is written in a version of ONNX that its runtime refuses."""
    for each in too_new(stage):
        way = f"install {each.release.event.name} {each.enough} or later" if each.enough else "install a newer release"
        what = f"IR version {each.most}" if each.is_ir else f"opset {each.most}"
        yield Finding(
            each.model.place,
            f"{each.model.entry.path} {_written(each)}, and {each.release.shown} loads {each.most} at most:"
            " making the session fails",
            f"{way}, or export the model again for {what}",
            each.release.related,
            _fix(each),
            None if each.release.is_pinned else Severity.WARNING,
        )


def _written(each: TooNew) -> str:
    return f"has IR version {each.wanted}" if each.is_ir else f"uses opset {each.wanted} of ONNX"


def _fix(each: TooNew) -> Fix | None:
    asked, call = each.release.asked, each.release.call
    if each.enough is None or asked is None or call is None:
        return None
    return pinned_to(*call, asked, each.enough)
