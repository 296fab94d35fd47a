"""ML639 and ML640: an index that a call asks beside its wheels, and one that the image goes on to ask."""

import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import uses_of
from mllint.edits import insert
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.installing import indexed, trust
from mllint.image.installing.wheelhouse import folder
from mllint.image.packages import Install
from mllint.image.stage import Stage, Step
from mllint.patterns import regex

_VARIABLES = {
    "pip": ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
    "uv": ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX"),
}
_PROGRAMS = regex(r"(?:pip|uvx?)[0-9.]*")


@check("ML639")
def find_links_without_no_index(stage: Stage) -> Iterator[Finding]:
    """A call that has all wheels of a builder and asks the index as well."""
    for use in uses_of(stage):
        word = folder(stage, use.install)
        if word is not None:
            message = (
                f"{indexed.tool(use.install)} asks the index beside {word.value}: what the builder did not make,"
                " or what the index has in a higher release, comes from there"
            )
            repair = "add --no-index, which takes the wheels of the builder or fails"
            fix = _shut(stage, use.install)
            yield Finding(Location(stage.build.source, word.span), message, repair, fix=fix)


def _shut(stage: Stage, install: Install) -> Fix | None:
    source = stage.build.source
    words = (word for word in install.executed.words if re.match(r"--find-links\b|-f", word.value))
    word = next(words, None)
    if word is None or not source.text.startswith(word.value, word.span.start):
        return None
    return Fix("unsafe", "take wheels from the folder alone", (insert(source, word.span.start, "--no-index "),))


@check("ML640")
def index_in_env(stage: Stage) -> Iterator[Finding]:
    """Variables of the image that name the package index of the build."""
    for tool, variables in _VARIABLES.items() if stage.is_final and not _is_for_region(stage) else ():
        found = [(name, place, urls) for name in variables for place, urls in _kept(stage, name)]
        if not found:
            continue
        names = " and ".join(name for name, _, _ in found)
        hosts = " and ".join(dict.fromkeys(trust.host(url) for _, _, urls in found for url in urls))
        stay = "stays" if len(found) == 1 else "stay"
        message = f"{names} {stay} in the image: every {tool} in it, and in images built on it, asks {hosts}"
        repair = f"write ARG {found[0][0]} instead, or give the address to the call: neither stays in the image"
        yield Finding(found[0][1], message, repair, tuple(Related(place, "and here") for _, place, _ in found[1:]))


def _kept(stage: Stage, name: str) -> Iterator[tuple[Location, list[str]]]:
    """Where the file sets a variable that the image has at the end, and its addresses."""
    value = stage.end.env.get(name)
    urls = value.split() if isinstance(value, str) else []
    place = _set(stage, name)
    if urls and place is not None and not any(map(_is_apart, urls)):
        yield place, urls


def _is_for_region(stage: Stage) -> bool:
    """Whether the container is to ask mirrors too, as one that loads models from a mirror is."""
    endpoint = stage.end.env.get("HF_ENDPOINT")
    return bool(endpoint) and "huggingface.co" not in str(endpoint)


def _is_apart(url: str) -> bool:
    """Whether an address is of other rules: a password, no encryption, the machine itself."""
    return "@" in url or not url.startswith("https://") or trust.kind(url) == "local"


def _set(stage: Stage, name: str) -> Location | None:
    """The last ENV of the image's stages that sets a variable, for a call behind it."""
    for step in reversed(stage.steps_before(None)):
        for pair in step.instruction.pairs if step.instruction.keyword == "ENV" and step.trigger is None else ():
            if pair.key.text == name and pair.value is not None:
                place = Location(stage.build.source, pair.key.span)
                return place if _is_for_build(stage, step) else None
    return None


def _is_for_build(stage: Stage, setting: Step) -> bool:
    """Whether pip or uv is called behind an ENV, in its stage or in one that starts from that."""
    lines = (one.steps_before(None) for one in stage.build.stages)
    behind = (step for line in lines if setting in line for step in line[line.index(setting) :])
    return any(_PROGRAMS.fullmatch(each.name) or "pip" in each.arguments for step in behind for each in step.commands)
