"""Builds and runs the variants of a plan one after the other, and gathers what came out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mllint.verification.builders import Step
from mllint.verification.records import BuildFailed, Outcome, Row, VerifyError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mllint.verification.engines import Engine
    from mllint.verification.records import Built, Variant
    from mllint.verification.session import Session


class Means(NamedTuple):
    """With what a variant would be built."""

    builder: str | None
    """None where that is not known."""
    notes: tuple[str, ...]
    """What would be changed in a copy of the Dockerfile."""
    obstacle: str | None = None
    """Why it is not known, and what to do about it."""


class Watch(Protocol):
    """Who is told how it goes."""

    def begin(self, variant: Variant, state: str = "") -> None:
        """From here on it is about another variant, or another state of it."""

    def step(self, step: Step) -> None:
        """A step begins or ends."""


class Unwatched:
    """Nobody looks."""

    def begin(self, variant: Variant, state: str = "") -> None:
        pass

    def step(self, step: Step) -> None:
        pass


def verify(
    variants: Iterable[Variant],
    engine: Engine,
    session: Session,
    *,
    no_cache: bool = False,
    watch: Watch | None = None,
) -> tuple[Outcome, ...]:
    """Build and run each variant; what cannot be verified has an obstacle, and does not keep the others from it.

    Everything that is made belongs to the session. One is run after the other, so that none is measured while another
    takes the machine; the stages of a build run side by side as the builder sees fit.
    """
    watch = watch or Unwatched()
    outcomes = []
    for variant in variants:
        watch.begin(variant)
        outcomes.append(verify_one(variant, engine, session, no_cache=no_cache, watch=watch))
    return tuple(outcomes)


def verify_one(variant: Variant, engine: Engine, session: Session, *, no_cache: bool, watch: Watch) -> Outcome:
    """Build a variant, run the image, and look at what it does."""
    from mllint.verification import comparing
    from mllint.verification.running import run

    outcome = Outcome(variant, "", (), None, ())
    paper = comparing.foresee(session, variant)
    try:
        outcome = build(outcome, engine, session, no_cache=no_cache, watch=watch)
        if outcome.built is not None:
            phases = _Phases(watch)
            rows = run(session, variant, outcome.built, paper, phases.begin)
            phases.end()
            outcome = outcome._replace(rows=(*outcome.rows, *rows))
    except VerifyError as error:
        return outcome._replace(obstacle=str(error))
    return outcome


class _Phases:
    """Tells a watch what is done one after the other, as of the steps of a build."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.step: Step | None = None
        self.begun = 0.0

    def begin(self, name: str) -> None:
        """The one before is over."""
        self.end()
        # The steps of a build have the numbers from 1 on.
        self.step = Step(self.step.number - 1 if self.step else -1, name, "started")
        self.begun = time.monotonic()
        self.watch.step(self.step)

    def end(self) -> None:
        """The last one is over."""
        if self.step is not None:
            self.watch.step(self.step._replace(state="done", seconds=time.monotonic() - self.begun))


def means(variant: Variant, engine: Engine) -> Means:
    """With what an engine would build a variant; nothing is built."""
    from mllint.verification import builders
    from mllint.verification.staging import staged

    try:
        with staged(engine, variant) as copy:
            return Means(builders.choose(engine, copy).description, copy.notes)
    except VerifyError as error:
        return Means(None, (), str(error))


def build(outcome: Outcome, engine: Engine, session: Session, *, no_cache: bool, watch: Watch) -> Outcome:
    """The outcome with the image, and with the row that tells how the build went, or with what kept it from going.

    Raises VerifyError where nothing can build it.
    """
    from mllint.verification import builders
    from mllint.verification.staging import staged

    variant = outcome.variant
    with staged(engine, variant) as copy:
        builder = builders.choose(engine, copy)
        outcome = outcome._replace(builder=builder.description, notes=copy.notes)
        try:
            built = builders.build(builder, engine, variant, copy, session.labels, watch.step, no_cache)
        except BuildFailed as failed:
            return outcome._replace(rows=(_failed(failed),))
        except VerifyError as error:
            return outcome._replace(obstacle=str(error))
    return outcome._replace(built=built, rows=(_built(built),))


def _built(built: Built) -> Row:
    cached = f", {built.cached} of them cached" if built.cached else ""
    steps = f"{built.steps} step{'' if built.steps == 1 else 's'}"
    return Row("built", "pass", f"in {built.seconds:.1f} s, {steps}{cached}", number=built.seconds)


def _failed(failed: BuildFailed) -> Row:
    return Row("built", "fail", f"after {failed.seconds:.1f} s at {failed.step}", failed.log, failed.seconds)
