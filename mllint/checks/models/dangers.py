"""ML808: pickles that run commands."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding
from mllint.image.models.dangers import dangers
from mllint.image.stage import Stage


@check("ML808")
def unsafe_model_format(stage: Stage) -> Iterator[Finding]:
    """A pickle in the image names a function that runs commands or code."""
    for each in dangers(stage):
        yield Finding(
            each.model.place,
            f"{each.model.entry.path} names {each.name}, as no model does:"
            " who loads it may run what somebody put there",
            "do not load it; take the model from where it came first, as safetensors or ONNX",
        )
