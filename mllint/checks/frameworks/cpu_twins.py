"""ML718: a distribution with libraries for GPUs in an image that has none."""

import re
from collections.abc import Iterator, Mapping

from mllint import facts
from mllint.checks import check
from mllint.checks.frameworks.cuda_bases import where
from mllint.edits import replace
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.events import Distribution
from mllint.image.installing.fitting import place
from mllint.image.releases import version_of
from mllint.image.serving import gpu
from mllint.image.serving.cuda import call_of
from mllint.image.serving.cuda_users import release_of
from mllint.image.stage import Stage
from mllint.sources.text import Span

_GLIBC = (2, 28)


@check("ML718")
def xgboost_nccl_on_cpu(stage: Stage) -> Iterator[Finding]:
    """XGBoost with NCCL in an image that never sees a GPU."""
    for row in facts.rows("cpu_twins") if stage.is_final else ():
        event = _installed(stage, row["name"])
        release = _with_libraries(stage, event, row["first"]) if event is not None else None
        if event is None or release is None or gpu.intent(stage) != "cpu":
            continue
        message = (
            f"{row['name']} {release} brings {row['brings']}, a library for several GPUs, and nothing here uses one:"
            " about 300 MB that are never loaded"
        )
        newest = row["releases"].split()[-1]
        repair = f"take {row['twin']}, the same without GPUs, which has releases up to {newest}"
        related = (Related(Location(*event.place), "asked for here"),) if event.place is not None else ()
        fix = _renamed(stage, event, row) if release in row["releases"].split() else None
        yield Finding(where(stage, event), message, repair, related, fix)


def _installed(stage: Stage, name: str) -> Distribution | None:
    """The last event of a distribution, where it is installed and not removed."""
    events = (each for each in reversed(stage.log.events) if isinstance(each, Distribution) and each.name == name)
    event = next(events, None)
    return event if event is not None and not event.is_removed else None


def _with_libraries(stage: Stage, event: Distribution, first: str) -> str | None:
    """The release that comes with the libraries: a wheel for glibc 2.28 on x86-64."""
    call = call_of(stage, event)
    release, found = release_of(event, call), place(*call) if call is not None else None
    if release is None or found is None or version_of(release) < version_of(first):
        return None
    platform = found.platform
    is_new = platform.libc_version is None or version_of(platform.libc_version) >= _GLIBC
    return release if platform.libc == "glibc" and is_new and not platform.is_arm else None


def _renamed(stage: Stage, event: Distribution, row: Mapping[str, str]) -> Fix | None:
    """The other name before the same version."""
    source, span = event.place or (stage.build.source, where(stage, event).span)
    name, text = row["name"], source.slice(span)
    if not re.match(rf"{re.escape(name)}\s*==", text):
        return None
    edit = replace(source, Span(span.start, span.start + len(name)), row["twin"])
    return Fix("unsafe", f"take {row['twin']}", (edit,))
