"""ML643: distributions whose project has ended or goes on under another name."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

from mllint import facts
from mllint.checks import check
from mllint.checks.requirements.asking import wishes
from mllint.engine import Requirements
from mllint.findings import Finding, Severity
from mllint.image.releases import version_of
from mllint.image.stage import Stage
from mllint.sources.generated import is_generated

_WRITERS = tuple(product(("generate", "gen", "make", "update", "compile"), "-_", (".sh", ".py")))


@check("ML643")
def discontinued_package(subject: Stage | Requirements) -> Iterator[Finding]:
    """A distribution that gets no releases any more."""
    seen = set()
    for wish in wishes(subject):
        each = wish.asked
        row = next(iter(facts.by("ended_packages", "name").get(each.name, ())), None)
        # What a program listed is what others require.
        if row is None or each in seen or is_generated(each.source) or _is_listed(subject):
            continue
        seen.add(each)
        where, other = wish.place
        last = f"no release since {row['month']} ({row['last']}): {row['why']}"
        message, severity = f"{each.name} has had {last}", None
        if "broken_from" in row:
            message = f"{each.name} cannot be imported from Python {row['broken_from']} on, and has had {last}"
            is_broken = wish.minor is not None and version_of(wish.minor) >= version_of(row["broken_from"])
            severity = Severity.WARNING if is_broken else None
        yield Finding(where, message, row["instead"], (other,) if other else (), severity=severity)


def _is_listed(subject: Stage | Requirements) -> bool:
    """Whether a script beside a requirements file has the name of one that writes it."""
    if isinstance(subject, Stage):
        return False
    for use in subject.uses:
        inputs = use.stage.build.context.inputs
        folder, _, name = (inputs.cwd / subject.file.source.path).as_posix().rpartition("/")
        stem = name.rpartition(".")[0]
        if any(inputs.exists(Path(folder, f"{verb}{mark}{stem}{end}")) for verb, mark, end in _WRITERS):
            return True
    return False
