"""ML810: models that transformers is too old for."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.pins import pinned_to
from mllint.findings import Finding, Fix, Severity
from mllint.image.installing import offered
from mllint.image.models.architectures import Unknown, unknown_kinds
from mllint.image.stage import Stage


@check("ML810")
def transformers_too_old_for_model(stage: Stage) -> Iterator[Finding]:
    """A model that the service loads is of a kind that its transformers does not know."""
    for each in unknown_kinds(stage):
        yield Finding(
            each.model.place,
            f"{each.configuration} says model_type {each.kind}, which transformers knows from {each.first} on and the"
            f" image has {each.release.version}: loading the model fails",
            f"install transformers {each.first} or later",
            each.release.related,
            _fix(each),
            None if each.release.is_pinned else Severity.WARNING,
        )


def _fix(each: Unknown) -> Fix | None:
    asked, call = each.release.asked, each.release.call
    if asked is None or call is None or each.first not in offered.releases("transformers"):
        return None
    return pinned_to(*call, asked, each.first)
