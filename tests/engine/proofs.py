"""Builds and runs the examples of rules that say what an engine shows of their fault (`text engine`): as they are they
fail in just that way, and as the fix of the rule leaves them they work.

    python tests/engine/proofs.py [RULE...]

Prints a line for each proof, of all rules or of those named, and how many of the rules whose findings are errors have
one. Exits with 1 where a proof does not hold.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from engine import Engine as Images
from engine import EngineError

import mllint
from mllint import catalogue, examples
from mllint.catalogue import Rule
from mllint.examples import Case
from mllint.findings import Severity
from mllint.verification import engines
from mllint.verification.engines import Engine
from mllint.verification.plan import plan
from mllint.verification.records import Limits, Outcome
from mllint.verification.session import Session
from mllint.verification.verifying import Unwatched, verify_one

RULES = Path(__file__).parents[2] / "rules"
AT_ONCE = 2
LIMITS = Limits(healthy=30, stop=2)
NOT_ITS_SUBJECT = "stops"
"""A row that may fail: an example of a few lines handles no signals."""


class Proof(NamedTuple):
    """An example that says what an engine shows of it."""

    rule: Rule
    case: Case

    @property
    def name(self) -> str:
        title = self.case.name.partition(": ")[2]
        return f"{self.rule.id} {self.rule.name}" + (f" ({title})" if title else "")

    @property
    def bases(self) -> frozenset[str]:
        """The images that it builds on, before and after the fix."""
        text = "\n".join(file.content.decode("utf-8", "replace") for file in (*self.case.files, *self.case.fixed))
        stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE))
        return frozenset(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - stages


class Shown(NamedTuple):
    """What the engine shows of a proof."""

    proof: Proof
    wrong: tuple[str, ...]
    """In what it is not as the example says; nothing where the proof holds."""
    broken: float
    """Seconds until the files failed as they are."""
    fixed: float
    """Seconds until those that the fix leaves worked."""

    def __str__(self) -> str:
        symptom = self.proof.case.symptom
        assert symptom is not None, "only such cases are proofs"
        outcome = "NO" if self.wrong else "yes"
        line = f"{outcome:<4} {self.proof.name:<72} {self.broken:>5.1f} s {self.fixed:>5.1f} s"
        return "\n".join((f"{line}  {symptom.row}: {symptom.text}", *(f"     {each}" for each in self.wrong)))


def proofs() -> list[Proof]:
    """Those of all rules, in the order of their ids."""
    found = []
    for rule in catalogue.read(RULES).values():
        path = RULES / rule.family / f"{rule.id}-{rule.name}.md"
        if rule.proof is not None:
            found += [Proof(rule, case) for case in examples.cases(path.read_text("utf-8"), path) if case.symptom]
    return found


def show(proof: Proof, engine: Engine, session: Session) -> Shown:
    """Build and run an example as it is, and again after the fix of its rule."""
    with tempfile.TemporaryDirectory(prefix="mllint-proof-") as name:
        folder = Path(name)
        proof.case.write(folder)
        begun = time.perf_counter()
        before = verified(folder, engine, session)
        between = time.perf_counter()
        mllint.fix([folder], unsafe=True, select=[proof.rule.id], preset="all", cwd=folder)
        after = verified(folder, engine, session)
        end = time.perf_counter()
    wrong = (*_other_than_foretold(proof.case, before), *_still_wrong(after))
    return Shown(proof, wrong, between - begun, end - between)


def verified(folder: Path, engine: Engine, session: Session) -> Outcome:
    """What a build and a run show, but for what other rules are about: the user, and that there is a health check."""
    (variant,) = plan([folder], cwd=folder)
    variant = variant._replace(gpus="none", is_root_fine=True, health="none", limits=LIMITS)
    return verify_one(variant, engine, session, no_cache=False, watch=Unwatched())


def _other_than_foretold(case: Case, outcome: Outcome) -> Iterator[str]:
    assert case.symptom is not None, "only such cases are proofs"
    if outcome.obstacle is not None:
        yield f"as it is: {outcome.obstacle}"
        return
    failed = next((row for row in outcome.rows if row.outcome == "fail"), None)
    if failed is None:
        yield "as it is: nothing fails"
        return
    said = "\n".join((failed.value, *failed.detail))
    if failed.name != case.symptom.row or case.symptom.text.lower() not in said.lower():
        yield f"as it is: {failed.name}: {said}"


def _still_wrong(outcome: Outcome) -> Iterator[str]:
    if outcome.obstacle is not None:
        yield f"after the fix: {outcome.obstacle}"
    for row in outcome.rows:
        if row.outcome == "fail" and row.name != NOT_ITS_SUBJECT:
            yield "\n".join((f"after the fix: {row.name}: {row.value}", *row.detail))


def summary(shown: list[Shown]) -> str:
    """How many proofs hold, and how many rules of those whose findings are errors have one."""
    errors = {rule.id for rule in catalogue.read(RULES).values() if rule.severity is Severity.ERROR}
    holding = {each.proof.rule.id for each in shown} - {each.proof.rule.id for each in shown if each.wrong}
    of_errors = f'{len(holding & errors)} of {len(errors)} rules that say "this will fail" are proven'
    return f"{sum(not each.wrong for each in shown)} of {len(shown)} proofs hold; {of_errors}"


def main() -> None:
    """Prints what the engine shows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rules", nargs="*", metavar="RULE")
    named = parser.parse_args().rules
    asked = [proof for proof in proofs() if not named or proof.rule.id in named or proof.rule.name in named]
    if unknown := set(named) - {word for proof in asked for word in (proof.rule.id, proof.rule.name)}:
        parser.error(f"there is no proof of {', '.join(sorted(unknown))}")
    try:
        images = Images()
        for reference in sorted(frozenset[str]().union(*(proof.bases for proof in asked))):
            images.base(reference)
    except EngineError as error:
        sys.exit(f"proofs.py: {error}")
    engine = engines.connect()
    shown = []
    with Session(engine.client) as session, ThreadPoolExecutor(AT_ONCE) as pool:
        for each in pool.map(lambda proof: show(proof, engine, session), asked):
            print(each, flush=True)
            shown.append(each)
    print(summary(shown))
    sys.exit(any(each.wrong for each in shown))


if __name__ == "__main__":
    main()
