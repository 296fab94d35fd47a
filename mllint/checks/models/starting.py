"""Rules about models that the container downloads itself."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Related
from mllint.image.models.late import Late, late
from mllint.image.stage import Stage


@check("ML813")
def hf_model_download_at_start(stage: Stage) -> Iterator[Finding]:
    """A model of the Hub that nothing puts into the image, and that no volume keeps."""
    found = late(stage) if stage.is_final else ()
    if found:
        first, others = found[0], len(found) - 1
        more = f", and {others} more model{'s' if others > 1 else ''}" if others else ""
        message = (
            f"{first.says} {first.model}{more}, and no step of the build downloads that: each new container fetches it"
            f" from the Hub {'when something first asks for it' if first.is_deferred else 'before it can work'}"
        )
        related = tuple(Related(each.place, f"loads {each.model}") for each in found if _is_elsewhere(stage, each))
        yield Finding(Location(*first.where), message, _repair(found), related)


def _is_elsewhere(stage: Stage, each: Late) -> bool:
    return each.place.source is not stage.build.source


def _repair(found: list[Late]) -> str:
    first, others = found[0], len(found) - 1
    more = f" and the other {others}" if others > 1 else f" and {found[1].model}" if others else ""
    offline = ", and set HF_HUB_OFFLINE=1" if first.is_alone else ""
    what = f"download {first.model}{more} in a RUN in front of the source, at a commit{offline}"
    return f"{what}; or keep {first.cache} in a volume"
