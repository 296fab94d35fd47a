"""Waits until a container is healthy, by the health check of its image."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from mllint.verification.container import lines
from mllint.verification.endpoint import Silence, wait
from mllint.verification.records import Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mllint.verification.container import Command, Container, Ran
    from mllint.verification.endpoint import Endpoint
    from mllint.verification.records import Variant

_POLL = 0.05
"""Seconds between two looks."""
_TRY = 1.0
"""Seconds between two runs of the test while the service does not answer; it is to load, not to share its processor."""
_FIRST_TRY = 0.5
"""Seconds until the first run of it, unless the service answers before that."""
_RETRY = 0.3
"""Seconds between two runs of the test while it does."""
_SETTLED = 1.0
"""Seconds after which a process has not ended at once, where nothing else can be told."""
_LINES = 10
_NANOSECONDS = 1e9
_TIMEOUT = 30.0
_RETRIES = 3


class Test(NamedTuple):
    """The test of a health check, as the engine runs it."""

    command: tuple[str, ...]
    timeout: float
    """Seconds."""
    retries: int


def test_of(config: Mapping[str, Any]) -> Test | None:
    """The test in the configuration of an image; None where it has none."""
    check = config.get("Healthcheck") or {}
    kind, *words = check.get("Test") or ["NONE"]
    if kind == "NONE":
        return None
    command = (*(config.get("Shell") or ("/bin/sh", "-c")), *words) if kind == "CMD-SHELL" else tuple(words)
    return Test(command, check.get("Timeout", 0) / _NANOSECONDS or _TIMEOUT, check.get("Retries", 0) or _RETRIES)


def healthy(container: Container, config: Mapping[str, Any], endpoint: Endpoint | None, variant: Variant) -> Row:
    """The row `healthy`: by the image's own health check as the engine runs it, or as it is run here where the engine
    is slow to or does not, until it passes or surely never will; without one by an answer from outside."""
    test = test_of(config)
    if test is not None:
        return _Waiting(container, test, endpoint, variant.limits.healthy).row()
    return _without_test(container, endpoint, variant)


class _Waiting:
    """The wait for a test to pass."""

    def __init__(self, container: Container, test: Test, endpoint: Endpoint | None, limit: float) -> None:
        self.container = container
        self.test = test
        self.endpoint = endpoint
        self.limit = limit
        self.last: Ran | None = None
        self.failures = 0
        """How often the test failed although the service answers, or could not be run."""
        self.trial: Command | None = None
        """The test that runs now."""
        self.next_try = _FIRST_TRY
        self.was_up = False
        """Whether the service answered when the test was begun last."""

    def row(self) -> Row:
        container = self.container
        while True:
            state = container.state()
            if not state["Running"]:
                return ended(container, state)
            health = state.get("Health") or {}
            if health.get("Status") == "healthy" or self._passes():
                return Row("healthy", "pass", f"in {container.seconds:.1f} s", number=container.seconds)
            if health.get("Status") == "unhealthy":
                return self._failed("unhealthy", _logged(health))
            if self.failures >= self.test.retries:
                why = "cannot be run" if self._cannot_run else "fails although the service answers"
                return self._failed(f"its health check {why}", self._output)
            if container.seconds >= self.limit:
                return self._failed(f"not healthy within {self.limit:g} s", self._output or _logged(health))
            time.sleep(_POLL)

    def _passes(self) -> bool:
        """Whether the test that was begun passes. It is begun where it is worth it: the service has come to answer, or
        some time has gone by."""
        if self.trial is not None:
            ran = self.trial.ran
            if ran is None:
                return False
            self.last = ran
            self._count(self.trial)
            self.trial = None
            return ran.code == 0
        is_up = self.endpoint is not None and self.endpoint.is_up(self.endpoint.answer())
        if self.container.seconds >= self.next_try or (is_up and not self.was_up):
            self.was_up = is_up
            self.trial = self.container.begin(self.test.command, self.test.timeout)
        return False

    def _count(self, trial: Command) -> None:
        is_telling = self.was_up and self.endpoint is not None and self.endpoint.is_certain
        self.failures = self.failures + 1 if is_telling or self._cannot_run else 0
        taken = time.perf_counter() - trial.begun
        self.next_try = self.container.seconds + (_RETRY if self.failures else max(_TRY, 3 * taken))

    @property
    def _cannot_run(self) -> bool:
        return self.last is not None and self.last.cannot_run

    @property
    def _output(self) -> tuple[str, ...]:
        return self.last.output if self.last is not None else ()

    def _failed(self, why: str, output: tuple[str, ...]) -> Row:
        value = f"{why}: {output[-1]}" if output else why
        detail = (*output[-_LINES:], *(f"container: {line}" for line in self.container.log()[-_LINES:]))
        return Row("healthy", "fail", value, detail)


def _logged(health: Mapping[str, Any]) -> tuple[str, ...]:
    """What the test printed last."""
    log = health.get("Log") or [{}]
    return lines(log[-1].get("Output", "").encode())


def ended(container: Container, state: Mapping[str, Any]) -> Row:
    """The row of a container that ended by itself."""
    why = ", killed for want of memory" if state.get("OOMKilled") else ""
    log = container.log()
    last = f": {log[-1]}" if log else ""
    value = f"the container ended by itself with exit code {state['ExitCode']}{why}{last}"
    return Row("healthy", "fail", value, log)


def _without_test(container: Container, endpoint: Endpoint | None, variant: Variant) -> Row:
    """By an answer from outside."""
    if endpoint is None:
        while (state := container.state())["Running"] and container.seconds < _SETTLED:
            time.sleep(_POLL)
        if not state["Running"]:
            return ended(container, state)
        return _not_asked(variant, "and no port of it is known")
    answer = wait(container, endpoint, variant.limits.healthy)
    if isinstance(answer, Silence):
        state = container.state()
        return ended(container, state) if not state["Running"] else _failed_outside(container, answer.reason)
    after = f"after {container.seconds:.1f} s"
    told = f"GET {endpoint.path} answers {answer.status or 'without HTTP'} {after}"
    if not endpoint.is_up(answer):
        return _failed_outside(container, told)
    if variant.health not in (None, "none"):
        return Row("healthy", "pass", told, number=container.seconds)
    return _not_asked(variant, f"answers {after}")._replace(number=container.seconds)


def _not_asked(variant: Variant, what: str) -> Row:
    if variant.health == "none":
        return Row("healthy", "note", f"no health check is asked for, {what}")
    return Row("healthy", "fail", f"the image has no HEALTHCHECK, {what}")


def _failed_outside(container: Container, reason: str) -> Row:
    return Row("healthy", "fail", reason, container.log())
