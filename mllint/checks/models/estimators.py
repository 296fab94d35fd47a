"""ML802: estimators that another scikit-learn saved."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.pins import pinned_to
from mllint.findings import Finding, Fix, Severity
from mllint.image.installing import offered
from mllint.image.models.estimators import Mismatch, mismatches
from mllint.image.stage import Stage


@check("ML802")
def pickle_sklearn_version_mismatch(stage: Stage) -> Iterator[Finding]:
    """A pickle that the service loads, and another minor release of scikit-learn than the one that saved it."""
    for each in mismatches(stage):
        is_pinned = each.release.is_pinned
        yield Finding(
            each.model.place,
            f"scikit-learn {each.saved} saved {each.model.entry.path}, and {_installed(each)}: {_consequence(each)}",
            f"install scikit-learn {each.saved}, or save the model again with {each.release.version}",
            each.release.related,
            _fix(each),
            None if is_pinned and each.failure is not None else Severity.WARNING,
            is_strict=not is_pinned,
        )


def _installed(each: Mismatch) -> str:
    if each.release.is_pinned:
        return f"the image has {each.release.version}"
    return f"nothing pins it, so that the image gets {each.release.version} or later"


def _consequence(each: Mismatch) -> str:
    if each.failure is None:
        return "loading it warns at best, and it may fail or predict otherwise"
    what = "loading it" if each.failure["fails"] == "load" else "using it"
    return f'{what} fails with "{each.failure["says"]}"'


def _fix(each: Mismatch) -> Fix | None:
    """The release that saved it, where the index has it."""
    asked, call = each.release.asked, each.release.call
    if asked is None or call is None or each.saved not in offered.releases(asked.name):
        return None
    return pinned_to(*call, asked, each.saved)
