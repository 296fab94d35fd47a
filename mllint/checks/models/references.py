"""ML804, ML805: what pickles name and the image does not have."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.runtime.installed_fixes import required
from mllint.findings import Finding, Severity
from mllint.image.models.references import Missing, missing_modules, orphans
from mllint.image.stage import Stage


@check("ML804")
def pickle_missing_package(stage: Stage) -> Iterator[Finding]:
    """A pickle that the service loads names a module that is not there."""
    for each in missing_modules(stage):
        owner = each.owner
        repair = (
            f"install {owner}, in the release that saved the model" if owner else f"copy {each.module} into the image"
        )
        yield Finding(
            each.model.place,
            f"{_needs(each)}: loading it fails with \"No module named '{each.module}'\"",
            repair,
            fix=required(stage, owner) if owner else None,
            severity=None if each.absence.is_verified else Severity.WARNING,
        )


def _needs(each: Missing) -> str:
    if each.owner is not None:
        return f"{each.model.entry.path} holds objects of {each.owner}, which nothing installs"
    return f"{each.model.entry.path} holds objects of a module {each.module}, which the image does not have"


@check("ML805")
def pickle_refers_main(stage: Stage) -> Iterator[Finding]:
    """A pickle that the service loads names classes of the script that saved it."""
    for each in orphans(stage):
        first, *others = each.names
        more = f" and {len(others)} more" if others else ""
        holds = f"{each.model.entry.path} holds {first}{more} of the script that saved it (__main__)"
        yield Finding(
            each.model.place,
            f"{holds}, which here is {each.by}: loading it fails with \"Can't get attribute '{first}'\"",
            f"move {first} into a module that both import, and save the model again",
        )
