"""ML615: pins on releases that their maintainers withdrew."""

from collections.abc import Iterator

from mllint import facts
from mllint.checks import check
from mllint.checks.requirements.asking import Wish, wishes
from mllint.checks.requirements.pins import repinned
from mllint.engine import Requirements
from mllint.findings import Finding
from mllint.image.installing import offered
from mllint.image.installing.fitting import place
from mllint.image.stage import Stage
from mllint.sources.generated import is_generated

_NO_REASON = "no reason given"


@check("ML615")
def yanked_pin(subject: Stage | Requirements) -> Iterator[Finding]:
    """A pin on a release that resolvers would pass over."""
    seen = set()
    for wish in wishes(subject):
        pin = wish.asked
        reason = _reason(pin.name, pin.version)
        if reason is None or pin.version is None or pin in seen:
            continue
        seen.add(pin)
        where, other = wish.place
        told = "" if reason == _NO_REASON else f" ({reason})"
        message = (
            f"{pin.name} {pin.version} was withdrawn from the package index by its maintainers{told}: {wish.tool}"
            " installs it for this pin all the same, with a warning in the log"
        )
        near = _next(wish)
        repair = f"pin {pin.name}=={near}" if near else "pin another release"
        fix = repinned(pin, near) if near else None
        if is_generated(pin.source):
            repair = f"run the command in the head of {pin.source.path} again, with --upgrade-package {pin.name}"
            fix = None
        yield Finding(where, message, repair, (other,) if other else (), fix=fix)


def _reason(name: str, version: str | None) -> str | None:
    """Why a release was withdrawn, in its maintainers' words; None where it was not."""
    rows = (row for row in facts.by("yanked", "name").get(name, ()) if row["version"] == version)
    row = next(rows, None)
    return (
        row["reason"].replace("\u2026", "...").rstrip(" ") if row is not None and row["status"] == "verified" else None
    )


def _next(wish: Wish) -> str | None:
    """The next release of the same line, as far as it fits the place."""
    near = offered.next_of_line(wish.asked.name, wish.asked.version or "")
    where = place(wish.use.stage, wish.use.install) if wish.use is not None else None
    offer = offered.offer(wish.asked.name, near) if near is not None else None
    is_fit = where is None or offer is None or offer.has_wheel(where.minor, where.platform)
    return near if is_fit else None
