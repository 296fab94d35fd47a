"""Rules about models of the Hugging Face Hub: which commit of them, and whose code."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Related
from mllint.image.models import hub, remote_code
from mllint.image.models.caches import is_offline
from mllint.image.models.hub import Wanted
from mllint.image.models.remote_code import Trusted
from mllint.image.stage import Stage

_SHOWN = 10


@check("ML811")
def hf_unpinned_revision(stage: Stage) -> Iterator[Finding]:
    """A model that is taken at the head of its branch."""
    if stage not in stage.build.needed:
        return
    built = _loose(hub.of_build(stage))
    for each in built.values():
        message = f"{each.how} takes {each.model} {_at(each)}: the image holds whatever that is on the day of the build"
        related = (Related(each.place, "it is asked for here"),) if each.place.source is not stage.build.source else ()
        yield Finding(Location(stage.build.source, each.command or each.place.span), message, _pinned(each), related)
    if stage.is_final and stage.process is not None and not is_offline(stage):
        fetched = {each.model for other in stage.build.needed for each in hub.of_build(other) if not each.is_pinned}
        found = [each for each in _loose(hub.of_service(stage)).values() if each.model not in fetched]
        if found:
            yield _of_service(stage, Location(stage.build.source, stage.process.instruction.span), found)


def _loose(wanted: tuple[Wanted, ...]) -> dict[str, Wanted]:
    """The first call for each model at no commit; what runs its code is for another rule to say."""
    trusted = {each.model for each in wanted if each.runs_code}
    found: dict[str, Wanted] = {}
    for each in wanted:
        if not (each.is_pinned or each.is_old) and each.model not in trusted:
            found.setdefault(each.model, each)
    return found


def _at(each: Wanted) -> str:
    if each.revision in hub.MOVING:
        return "at the head of its main branch"
    return f"at {each.revision}, a name that can be moved"


def _of_service(stage: Stage, where: Location, found: list[Wanted]) -> Finding:
    first, others = found[0], len(found) - 1
    more = f", as {others} more model{'s are' if others > 1 else ' is'}" if others else ""
    message = (
        f"{first.where} loads {first.model} {_at(first)}{more}: two containers of one image may load different weights"
    )
    related = tuple(Related(each.place, f"loads {each.model}") for each in found[:_SHOWN])
    return Finding(where, message, _pinned(first), related)


def _pinned(each: Wanted) -> str:
    """How a call is told a commit."""
    if each.option == "--revision":
        return f"add --revision with a commit of {each.model}, 40 hexadecimal digits"
    if each.option == "model_kwargs":
        return f'pass model_kwargs={{"revision": …}} with a commit of {each.model}'.replace("…", "COMMIT")
    return f"pass revision= with a commit of {each.model}, 40 hexadecimal digits"


@check("ML812")
def remote_code_unpinned(stage: Stage) -> Iterator[Finding]:
    """Code of a repository that is run as it is on that day."""
    seen: set[str] = set()
    for each in remote_code.trusted(stage) if stage in stage.build.needed else ():
        if each.repository not in seen:
            seen.add(each.repository)
            yield _trusted(each)


def _trusted(each: Trusted) -> Finding:
    message = (
        f"{each.what} runs code of {each.repository} at the head of its branch: whoever can push there runs code in"
        f" {each.victim}"
    )
    related = (Related(each.place, "it is asked for here"),) if each.place.source is not each.where.source else ()
    return Finding(each.where, message, each.repair, related)
