"""ML614: what needs a module that setuptools has dropped."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import asked_in, place_of, uses_of
from mllint.checks.requirements.pins import pinned_below, repinned
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Fix, Severity
from mllint.image.installing import indexed
from mllint.image.installing.indexed import Asked
from mllint.image.installing.pkg_resources import LAST, Need, needs
from mllint.image.stage import Stage


@check("ML614")
def pkg_resources_gone(subject: Stage | Requirements) -> Iterator[Finding]:
    """A requirement that imports pkg_resources, where no setuptools has it."""
    seen = set()
    for use in uses_of(subject):
        if not indexed.is_public(use.stage, use.install):
            continue
        for each in asked_in(subject, use):
            need = needs(use.stage, use.install, each) if each not in seen else None
            if need is not None:
                seen.add(each)
                yield _finding(use, each, need)


def _finding(use: Use, each: Asked, need: Need) -> Finding:
    where, other = place_of(use, each)
    release = f"{each.name} {each.version}" if each.version else each.name
    fixed = need.row.get("fixed")
    if need.row["when"] == "build":
        message = (
            f"{release} is built from source with the newest setuptools, and its setup.py imports pkg_resources, which"
            " setuptools 82 dropped: the build fails with ModuleNotFoundError"
        )
        repair = f"take {each.name} {fixed} or later"
    else:
        message = (
            f"{release} imports pkg_resources, which setuptools 82 dropped, and no older setuptools is installed for"
            f" Python {need.minor}: the import fails with ModuleNotFoundError"
        )
        repair = f"ask for setuptools{LAST} too" + (f", or take {each.name} {fixed} or later" if fixed else "")
    is_sure = need.is_certain and need.row["status"] == "verified"
    severity = None if is_sure else Severity.WARNING
    return Finding(where, message, repair, (other,) if other else (), _fix(use, each, need), severity)


def _fix(use: Use, each: Asked, need: Need) -> Fix | None:
    """A release that does without, or else the last setuptools that has it."""
    if "fixed" in need.row and each.version is not None:
        return repinned(each, need.row["fixed"])
    return pinned_below(use, each, "setuptools", need.older) if need.older is not None else None
