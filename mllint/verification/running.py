"""Runs an image as it says and tells how it does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from mllint.verification import comparing, container, health, process, provider
from mllint.verification.asking import Answer, NoAnswer, ask, difference, text
from mllint.verification.container import Container, NoGpu, NotStarted
from mllint.verification.endpoint import Endpoint, Silence, endpoint, port_of, wait
from mllint.verification.engines import answering
from mllint.verification.probes import Probe
from mllint.verification.provider import NO_GPU, Gpus
from mllint.verification.records import Row, VerifyError
from mllint.verification.secrets import secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from mllint.image.stage import Stage
    from mllint.verification.comparing import Predicted
    from mllint.verification.records import Built, Request, Variant
    from mllint.verification.session import Session

_PATIENCE = 60.0
"""Seconds that a service may be silent over a request."""
_MEGA = 1e6
_NO_PORT = "no port of the service is known: name it under `port`"
_REMOTE = "the engine is on another machine, whose loopback cannot be asked from here"


def run(
    session: Session,
    variant: Variant,
    built: Built,
    paper: Future[Predicted] | None = None,
    tell: Callable[[str], object] = lambda doing: None,
) -> tuple[Row, ...]:
    """Start a container of the image as the image says, without init, its port published on the loopback, and look at
    all but the build itself, in this order: `healthy`, `reachable`, each request, `user`, `stops`, `size`, `provider`,
    `secrets`, `as predicted`. What cannot be looked at because the container does not run is left out. `paper`
    is what `comparing.foresee` gave, if it was begun before, and `tell` is told what is done next. Raises VerifyError
    where the engine, not the image, is to blame."""
    stage = variant.build.final
    if stage is None:
        raise VerifyError(f"{variant.path} has no stage {variant.build.settings.target}")
    with answering(), ThreadPoolExecutor(1, "mllint-compare") as worker:
        api = session.client.api
        config = api.inspect_image(built.image)["Config"] or {}
        port = port_of(variant, stage, config)
        # On paper, while the container starts.
        foreseen = paper or comparing.foresee(session, variant)
        tell("start the container")
        started: _Service | Row
        try:
            started = _start(session, variant, stage, built.image, port)
        except NotStarted as error:
            started = Row("healthy", "fail", f"it does not start: {error}")
        # In truth: a container that waits takes nothing from the one that loads, and it is asked while that one stops.
        probe = worker.submit(Probe, session, built.image)
        seen = _Seen((started,)) if isinstance(started, Row) else _look_at(started, variant, stage, config, port, tell)
        comparison = worker.submit(lambda: comparing.compared(foreseen.result(), probe.result()))
        rows: list[Row | None] = [*seen.rows]
        told = None
        if seen.service is not None:
            first = process.first(seen.service.container)
            rows.append(process.user(first.uid, variant))
            told = provider.row(variant, stage, seen.endpoint, seen.answers, seen.service.gpus)
            tell("stop the container")
            rows.append(process.stops(seen.service.container, variant, first.command))
        tell("compare the image with what was predicted")
        rows += (_size(variant, built), told, secrets(config, api.history(built.image)), comparison.result())
        return tuple(filter(None, rows))


class _Service(NamedTuple):
    """A container with what it was given."""

    container: Container
    gpus: Gpus


class _Seen(NamedTuple):
    """What was seen of a container from outside."""

    rows: tuple[Row, ...]
    service: _Service | None = None
    """None where it does not run."""
    endpoint: Endpoint | None = None
    answers: Mapping[str, Answer] = MappingProxyType({})
    """What it answered, by path."""


def _start(session: Session, variant: Variant, stage: Stage, image: str, port: int | None) -> _Service:
    given = provider.gpus(session, variant, stage)
    try:
        return _Service(container.start(session, image, variant.env, port, given.devices), given)
    except NoGpu as error:
        if variant.gpus == "all":
            advice = "install NVIDIA's Container Toolkit and restart the engine, or set `gpus: none`"
            raise VerifyError(f"the engine has no GPU for containers ({error}): {advice}") from error
        return _Service(container.start(session, image, variant.env, port, None), Gpus(None, NO_GPU))


def _look_at(
    service: _Service,
    variant: Variant,
    stage: Stage,
    config: Mapping[str, Any],
    port: int | None,
    tell: Callable[[str], object],
) -> _Seen:
    """Whether it is healthy, and what it answers."""
    tell("wait until it is healthy")
    ran = service.container
    is_local = ran.session.is_local
    host_port = ran.published(port) if port is not None and is_local else None
    end = endpoint(variant, stage, config, port, host_port) if port is not None and host_port is not None else None
    rows = [health.healthy(ran, config, end, variant)]
    if not ran.state()["Running"]:
        return _Seen(tuple(rows))
    answers: dict[str, Answer] = {}
    if end is None:
        rows.append(Row("reachable", "note", _NO_PORT if is_local else _REMOTE))
    else:
        tell(f"ask GET {end.path}")
        rows.append(_reachable(ran, end, variant, answers))
        for each in variant.requests if rows[-1].outcome == "pass" else ():
            tell(f"ask {each.method} {each.path}")
            rows.append(_answered(end, each, answers))
    return _Seen(tuple(rows), service, end, answers)


def _reachable(ran: Container, end: Endpoint, variant: Variant, answers: dict[str, Answer]) -> Row:
    answer = wait(ran, end, variant.limits.healthy)
    if isinstance(answer, Silence):
        return Row("reachable", "fail", answer.reason, ran.log())
    answers[end.path] = answer
    value = f"GET {end.path}: {answer.status or 'an answer that is no HTTP'} {_in(answer.seconds)}"
    is_wrong = variant.health is not None and not end.is_up(answer)
    return Row("reachable", "fail" if is_wrong else "pass", value, number=answer.seconds)


def _answered(end: Endpoint, request: Request, answers: dict[str, Answer]) -> Row:
    name = f"{request.method} {request.path}"
    try:
        answer = ask(end.host_port, request, _PATIENCE)
    except NoAnswer as error:
        return Row(name, "fail", str(error))
    answers[request.path] = answer
    if answer.status != request.status:
        value = f"{answer.status or 'no HTTP'}, not {request.status}, {_in(answer.seconds)}"
        return Row(name, "fail", value, text(answer.body), answer.seconds)
    if request.shape is not None:
        try:
            other = difference(answer.json, request.shape)
        except (ValueError, RecursionError):
            other = "the answer is no JSON"
        if other is not None:
            return Row(name, "fail", other, text(answer.body), answer.seconds)
    return Row(name, "pass", f"{answer.status} {_in(answer.seconds)}", number=answer.seconds)


def _in(seconds: float) -> str:
    return f"in {seconds * 1000:.0f} ms"


def _size(variant: Variant, built: Built) -> Row:
    limit = variant.limits.size
    value = f"{built.size / _MEGA:.1f} MB in {built.layers} layer{'' if built.layers == 1 else 's'}"
    if limit is not None and built.size > limit:
        return Row("size", "fail", f"{value}, more than {limit / _MEGA:.1f} MB", number=built.size)
    return Row("size", "pass", value, number=built.size)
