"""What the errors of rules foretell comes true on an engine, and does not after the fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import proofs
import pytest
from proofs import AT_ONCE, Proof, Shown

from mllint.verification import engines
from mllint.verification.session import Session

ALL = {proof.name: proof for proof in proofs.proofs()}


@pytest.fixture(scope="module")
def shown(engine, base: Callable[[str], str], request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Shown]]]:
    """What the engine shows of the proofs that are asked for, as it comes."""
    own = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    asked: list[Proof] = [ALL[item.callspec.params["name"]] for item in own]
    for proof in asked:
        for reference in sorted(proof.bases):
            base(reference)
    connected = engines.connect()
    with Session(connected.client) as session, ThreadPoolExecutor(AT_ONCE) as pool:
        yield {proof.name: pool.submit(proofs.show, proof, connected, session) for proof in asked}


@pytest.mark.parametrize("name", ALL)
def test_an_example_fails_as_its_rule_says_and_works_once_it_is_fixed(shown: dict[str, Future[Shown]], name: str):
    assert shown[name].result().wrong == ()
