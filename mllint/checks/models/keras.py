"""ML807: models in formats that the Keras of the image does not load."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.models.keras import newer_files, saved_models
from mllint.image.stage import Stage


@check("ML807")
def keras_format_mismatch(stage: Stage) -> Iterator[Finding]:
    """A SavedModel for Keras 3, or a file of Keras 3 for Keras 2."""
    for each in saved_models(stage):
        call = Related(Location(each.source, each.source.line_span(each.line)), "load_model is called here")
        yield Finding(
            each.model.place,
            f"{each.path} is a SavedModel, which load_model of Keras 3 ({each.release.shown}) does not load: it raises"
            ' ValueError "File format not supported"',
            "load it with keras.layers.TFSMLayer, save it as .keras, or install tf-keras and set TF_USE_LEGACY_KERAS=1",
            (call, *each.release.related),
        )
    for newer in newer_files(stage):
        yield Finding(
            newer.model.place,
            f"Keras {newer.saved} saved {newer.model.entry.path}, and {newer.release.shown} has Keras 2: loading it"
            " fails on what only Keras 3 knows",
            "install tensorflow 2.16 or later, or save the model with Keras 2",
            newer.release.related,
            severity=Severity.WARNING,
        )
