"""ML623: releases that the newest pip takes for not there."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import asked_in, place_of, uses_of
from mllint.edits import replace
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.installing.invalid_metadata import Refused, refused
from mllint.image.stage import Stage


@check("ML623")
def unpinned_installer_breaks_metadata(subject: Stage | Requirements) -> Iterator[Finding]:
    """A pinned release with broken metadata, and a pip that has become strict about it."""
    for use in uses_of(subject):
        own = tuple(asked_in(subject, use))
        for each in refused(use.stage, use.install):
            if each.asked in own:
                yield _finding(use, each)


def _finding(use: Use, each: Refused) -> Finding:
    says = f" ({each.says})" if each.says else ""
    message = (
        f"pip refuses the metadata of {each.asked.name} {each.asked.version}{says} from 24.1 on:"
        " it finds no matching distribution and the build fails"
    )
    where, call = place_of(use, each.asked)
    upgrade = Related(Location(use.stage.build.source, each.upgrade.span), "brings that pip")
    repair = f'write "pip<24.1", or take another release of {each.asked.name}'
    return Finding(where, message, repair, (upgrade, *((call,) if call else ())), _older_pip(use, each))


def _older_pip(use: Use, each: Refused) -> Fix | None:
    """The last pip that takes such metadata, where an upgrade asks for the newest."""
    source, span = use.stage.build.source, each.upgrade.span
    before, after = source.text[span.start - 1], source.text[span.end : span.end + 1]
    if source.slice(span) != "pip" or use.install.step.trigger is not None or not (before + after).isspace():
        return None
    return Fix("safe", 'install "pip<24.1"', (replace(source, span, '"pip<24.1"'),))
