"""A verification in words that the formats share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from mllint.findings import Severity
from mllint.masking import mask
from mllint.report.inspect_values import masked_value
from mllint.report.shown import settled, shown, visible
from mllint.report.summary import count
from mllint.verification.endpoint import port_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mllint.verification.before_after import Comparison, State
    from mllint.verification.records import Built, Outcome, Request, Variant
    from mllint.verification.verifying import Means

NOTHING = "\N{EN DASH}"
_LOOKED_AT = ("healthy", "reachable", "user", "stops", "size")


class Cell(NamedTuple):
    """What a comparison says of one state."""

    text: str
    outcome: Literal["pass", "fail", "note"] = "note"


def title(variant: Variant) -> str:
    """The Dockerfile and which variant of it: `services/api/Dockerfile (gpu)`."""
    path = variant.build.source.path
    return shown(path if variant.name == "default" else f"{path} ({variant.name})")


def verdict(outcome: Outcome) -> str:
    """`right`, `wrong` or `not verified`; what could be looked at and is wrong counts more than what could not."""
    if outcome.is_wrong:
        return "wrong"
    return "not verified" if outcome.obstacle is not None else "right"


def sentence(outcomes: Sequence[Outcome]) -> str:
    """The outcome of a run: `2 variants: 1 right, 1 wrong`."""
    verdicts = [verdict(each) for each in outcomes]
    counts = ((word, verdicts.count(word)) for word in ("right", "wrong", "not verified"))
    return f"{count(len(outcomes), 'variant')}: {', '.join(f'{number} {word}' for word, number in counts if number)}"


def log(lines: Iterable[str]) -> list[str]:
    """The lines of a log, each on one line of a report. They are masked together, as a private key has several."""
    return [visible(line.expandtabs().rstrip()) for line in mask("\n".join(lines)).split("\n")]


def planned(variant: Variant, how: Means) -> Iterator[tuple[str, str]]:
    """What is to be built and asked, and with what builder, as labels and values."""
    settings, context = variant.build.settings, variant.build.context
    yield "Dockerfile", shown(variant.build.source.path)
    yield "context", shown(context.inputs.display(context.root))
    if settings.target:
        yield "target", shown(settings.target)
    for name, value in settings.build_args.items():
        yield "build argument", f"{shown(name)}={masked_value(name, value)}"
    for reference, other in variant.base_images.items():
        yield "base image", f"{shown(reference)} from {shown(other)}"
    yield "builder", shown(how.builder or f"not known: {how.obstacle}")
    for note in how.notes:
        yield "note", shown(note)
    yield "GPUs", {"none": "none", "auto": "where the engine has them", "all": "all"}[variant.gpus]
    for name, value in variant.env.items():
        yield "variable", f"{shown(name)}={masked_value(name, value)}"
    stage = variant.build.final
    port = port_of(variant, stage, {}) if stage is not None else None
    yield "port", "as the image says" if port is None else str(port)
    yield "health", "the image's HEALTHCHECK" if variant.health is None else shown(variant.health)
    for request in variant.requests:
        yield "request", asked(request)
    if variant.provider is not None:
        yield "provider", shown(f"{variant.provider.member} of {variant.provider.path}")
    yield "limits", limits(variant)


def asked(request: Request) -> str:
    """A request and its answer: `POST /predict answers 200`."""
    return shown(f"{request.method} {request.path} answers {request.status}")


def limits(variant: Variant) -> str:
    """`healthy within 120 s, stopped within 10 s, at most 2.0 GB`."""
    from mllint.checks.context.sizes import size

    allowed = variant.limits
    words = [f"healthy within {allowed.healthy:g} s", f"stopped within {allowed.stop:g} s"]
    if allowed.size is not None:
        words.append(f"at most {size(allowed.size)}")
    return ", ".join(words)


def compared(comparison: Comparison) -> Iterator[tuple[str, Cell, Cell]]:
    """What a variant was before the fixes and is after them, by what was looked at."""
    before, after = comparison.before, comparison.after
    yield "findings", _findings(before), _findings(after)
    yield "fixes", Cell(""), Cell(f"{len(comparison.fixed.report.repaired)} applied")
    yield "built", _build(before), _build(after)
    for name in _LOOKED_AT:
        yield name, _row(before, name), _row(after, name)
    if before.measured or after.measured:
        yield "warm build", _warm(before), _warm(after)
        edited = next((each.measured.edited for each in (after, before) if each.measured), None)
        yield f"{shown(edited or 'code')} changed", _rebuilt(before), _rebuilt(after)


def fixes(comparison: Comparison) -> Iterator[str]:
    """What the fixes did, each with its rule, and which of them were undone."""
    for finding in comparison.fixed.report.repaired:
        if finding.fix is not None:
            remark = " (unsafe)" if finding.fix.applicability == "unsafe" else ""
            yield f"{settled(finding)[0].id}{remark}: {shown(finding.fix.title)}"
    for finding, reason in comparison.fixed.report.refused:
        yield f"{settled(finding)[0].id} left as it is: {shown(reason)}"


def built(image: Built) -> str:
    """`14.2 s, 9 steps, 3 of them cached`."""
    cached = f", {image.cached} cached" if image.cached else ""
    return f"{image.seconds:.1f} s, {count(image.steps, 'step')}{cached}"


def _findings(state: State) -> Cell:
    errors, warnings = state.count(Severity.ERROR), state.count(Severity.WARNING)
    words = [count(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number]
    return Cell(", ".join(words) or "no errors, no warnings", "fail" if words else "pass")


def _build(state: State) -> Cell:
    outcome = state.outcome
    if outcome.built is not None:
        return Cell(built(outcome.built), "pass")
    if outcome.obstacle is not None:
        return Cell("not verified")
    return _row(state, "built")


def _row(state: State, name: str) -> Cell:
    found = next((row for row in state.outcome.rows if row.name == name), None)
    return Cell(shown(found.value), found.outcome) if found else Cell(NOTHING)


def _warm(state: State) -> Cell:
    measured = state.measured
    return Cell(NOTHING) if measured is None else Cell(built(measured.warm) if measured.warm else "failed")


def _rebuilt(state: State) -> Cell:
    measured = state.measured
    if measured is None or measured.edited is None:
        return Cell(NOTHING)
    return Cell(built(measured.rebuilt) if measured.rebuilt else "failed")
