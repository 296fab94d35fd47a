"""Repairs of a server that nothing installs: a pin of it where the image takes its packages from."""

from typing import Literal

from mllint.edits import insert, lines_at_end
from mllint.findings import Edit, Fix
from mllint.image import distributions
from mllint.image.installing import offered
from mllint.image.installing.fitting import place
from mllint.image.packages import Install
from mllint.image.stage import Stage
from mllint.sources.requirements import Requirement


def required(stage: Stage, name: str, applicability: Literal["safe", "unsafe"] = "unsafe") -> Fix | None:
    """The newest release that fits, in the one requirements file that is installed, else in the one command."""
    calls = [(each, install) for each in stage.build.needed for step in each.steps for install in step.installs]
    calls = [(each, install) for each, install in calls if install.manager.language == "python"]
    files = {file.source: (each, call) for each, call in calls for file in each.closure(call).files.values()}
    if len(files) > 1 or (not files and len(calls) != 1):
        return None
    source, (each, install) = next(iter(files.items()), (None, calls[0]))
    version = _newest(each, install, name)
    if version is None or install.step.trigger is not None:
        return None
    pin = f"{name}=={version}"
    if source is None:
        edit = _behind_words(each, install, pin)
    else:
        edit = lines_at_end(source, [pin]) if "--hash" not in source.text else None
    return Fix(applicability, f"require {pin}", (edit,)) if edit is not None else None


def _newest(stage: Stage, install: Install, name: str) -> str | None:
    """The newest release with a wheel for the interpreter of a call."""
    where = place(stage, install)
    fits = [offer for offer in offered.offers(name) if where and offer.has_wheel(where.minor, where.platform)]
    known = offered.releases(name)
    if not known and where:
        # The tables of releases do not have all that those of requirements have.
        return next((str(row.last) for row in distributions.releases(name) if row.is_verified and row.last), None)
    if not fits or fits[-1].last not in known:
        return None
    found = reversed(known[: known.index(fits[-1].last) + 1])
    return next((version for version in found if not offered.is_yanked(name, version)), None)


def _behind_words(stage: Stage, install: Install, pin: str) -> Edit | None:
    if not all(isinstance(each, Requirement) and each.key for each in install.requirements) or not install.operands:
        return None
    source, last = stage.build.source, install.operands[-1]
    is_there = source.slice(last.span) == last.text
    return insert(source, last.span.end, f" {pin}") if is_there else None
