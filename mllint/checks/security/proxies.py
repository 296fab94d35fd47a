"""ML214: the proxy of a build that stays in the image."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.stage import Stage, Step
from mllint.patterns import regex

# Which hosts are asked without one is of use in a container.
_PROXY = regex(r"(?:https?|ftp|all)_proxy|(?:HTTPS?|FTP|ALL)_PROXY")
_VARIABLE = regex(r"\$\{?(\w+)")


@check("ML214")
def proxy_in_env(stage: Stage) -> Iterator[Finding]:
    """A proxy that ENV writes into the image."""
    final = stage.build.final
    pairs = [
        (step, pair)
        for step in stage.steps
        if step.instruction.keyword == "ENV" and step.trigger is None
        for pair in step.instruction.pairs
        if _PROXY.fullmatch(pair.key.text) and _may_be_set(step, pair.value.text)
    ]
    if not pairs or final is None or not stage.is_in_image:
        return
    (_, first), *others = pairs
    name, is_given = first.key.text, "$" in first.value.text
    whose = "the proxy that the build is given" if is_given else "a proxy"
    message = f"ENV {name} puts {whose} into the image: programs send their requests there in each container too"
    if all(final.end.env.get(pair.key.text) == "" for _, pair in pairs):
        message = f"ENV {name} keeps {whose} in the history of the image, which emptying it later does not change"
    # The build knows a name in both cases of its letters.
    known = list({pair.key.text.lower(): pair.key.text for _, pair in reversed(pairs)}.values())
    given = " ".join(f"--build-arg {each}=..." for each in reversed(known))
    reach, stay = ("reach", "stay") if known[1:] else ("reaches", "stays")
    repair = f"leave it out: docker build {given} {reach} each RUN without ENV, and {stay} nowhere"
    if is_given:
        repair = f"leave it and its ARG out: {given} {reach} each RUN without them, and {stay} nowhere"
    related = [Related(Location(stage.build.source, pair.key.span), "and here") for _, pair in others[:5]]
    related += _arguments(stage, _VARIABLE.findall(first.value.text))
    where = Location(stage.build.source, first.key.span)
    yield Finding(where, message, repair, tuple(related), severity=Severity.INFO)


def _may_be_set(step: Step, written: str) -> bool:
    """Whether a value is not empty, or rests on an argument that whoever builds can give."""
    names = _VARIABLE.findall(written)
    return step.before.expand(written) != "" or any(name in step.before.args for name in names)


def _arguments(stage: Stage, names: list[str]) -> Iterator[Related]:
    """Where the build takes the proxy as an argument."""
    for instruction in (step.instruction for step in stage.steps if step.instruction.keyword == "ARG"):
        for word in instruction.words:
            if word.text.partition("=")[0] in names:
                yield Related(Location(stage.build.source, word.span), "its ARG")
