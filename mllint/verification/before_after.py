"""An image before and after the fixes of its files, each built and run from a copy: the files themselves stay."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import mllint
from mllint.image import service
from mllint.verification.records import Outcome
from mllint.verification.verifying import build, verify_one
from mllint.verification.working_copy import WorkingCopy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mllint.findings import Report, Severity
    from mllint.image.build import Build
    from mllint.image.context import Entry
    from mllint.image.stage import Stage
    from mllint.verification.engines import Engine
    from mllint.verification.records import Built, Variant
    from mllint.verification.session import Session
    from mllint.verification.verifying import Watch


class Measured(NamedTuple):
    """What builds took that had something in the cache."""

    warm: Built | None
    """With nothing changed; None where it failed."""
    edited: str | None
    """The file of the context that was changed then, None where no Python file comes into the image."""
    rebuilt: Built | None
    """After the change; None without one, and where it failed."""


class State(NamedTuple):
    """What the files are like, and the image that they make."""

    report: Report
    outcome: Outcome
    measured: Measured | None
    """None where it was not asked for, or nothing was built."""

    def count(self, severity: Severity) -> int:
        """The findings of a severity."""
        return sum(finding.severity is severity for finding in self.report.findings)


class Comparison(NamedTuple):
    """A variant before and after the fixes."""

    variant: Variant
    fixed: mllint.Fixed
    before: State
    after: State


def compare(
    variants: Iterable[Variant],
    engine: Engine,
    session: Session,
    *,
    config: Path | str | None,
    no_config: bool,
    no_cache: bool,
    measure: bool,
    watch: Watch,
) -> tuple[Comparison, ...]:
    """Verify each variant as it is and as it is with all fixes, the unsafe ones too.

    With `measure` both are first built without cache, then again with it, and again after a change of the code. Raises
    VerifyError where a build context cannot be copied.
    """
    found = []
    for variant in variants:
        build = variant.build
        choices: dict[str, Any] = {
            "context": build.context.root,
            "target": build.settings.target,
            "build_args": build.settings.build_args,
            "config": config,
            "no_config": no_config,
            "cwd": build.context.inputs.cwd,
        }
        report = mllint.lint([variant.path], **choices)
        fixed = mllint.fix([variant.path], unsafe=True, write=False, **choices)
        with tempfile.TemporaryDirectory(prefix="mllint-") as folder:
            copy = WorkingCopy(variant, Path(folder))
            look = _Look(copy, engine, session, no_cache or measure, measure, watch)
            before = look(report, "as it is")
            copy.write(fixed.changes)
            after = look(fixed.report, "with all fixes")
        found.append(Comparison(variant, fixed, before, after))
    return tuple(found)


class _Look(NamedTuple):
    """Looks at a copy in the state that it is in."""

    copy: WorkingCopy
    engine: Engine
    session: Session
    no_cache: bool
    measure: bool
    watch: Watch

    def __call__(self, report: Report, state: str) -> State:
        variant = self.copy.as_variant()
        self.watch.begin(self.copy.variant, state)
        outcome = verify_one(variant, self.engine, self.session, no_cache=self.no_cache, watch=self.watch)
        is_measured = self.measure and outcome.built is not None
        measured = self._measured(variant, state) if is_measured else None
        # Reports name the files, not the copy, which is gone by then.
        return State(report, outcome._replace(variant=self.copy.variant), measured)

    def _measured(self, variant: Variant, state: str) -> Measured:
        self.watch.begin(self.copy.variant, f"{state}, built again")
        warm = self._built(variant)
        edited = next((path for path in code(variant.build) if self.copy.holds(self.copy.root / path)), None)
        if edited is None:
            return Measured(warm, None, None)
        file = self.copy.root / edited
        data = file.read_bytes()
        # No build has seen this one before, not even that of the other state.
        file.write_bytes(data + f"\n# {uuid.uuid4()}\n".encode())
        self.watch.begin(self.copy.variant, f"{state}, built after a change of {edited}")
        rebuilt = self._built(variant)
        file.write_bytes(data)
        return Measured(warm, edited, rebuilt)

    def _built(self, variant: Variant) -> Built | None:
        nothing = Outcome(variant, "", (), None, ())
        return build(nothing, self.engine, self.session, no_cache=False, watch=self.watch).built


def code(build: Build) -> Iterator[str]:
    """The Python files of the context that come into the image: first those that the server is started from."""
    assert build.final is not None, "what was built has a final stage"
    for path in _started(build.final):
        source = service.file_of_image(build.final, path)
        if source is not None:
            yield source.path
    for stage in build.needed:
        yield from (entry.path for entry in _brought(stage) if entry.name.endswith(".py"))


def _started(stage: Stage) -> Iterator[str]:
    """Where the code of the process may lie, from its working directory."""
    process = service.process(stage)
    server = service.server(stage, process) if process else None
    if server is not None and server.app is not None:
        module = server.app.value.partition(":")[0].replace(".", "/")
        yield from (f"{module}.py", f"{module}/__init__.py")
    for each in reversed(process.commands if process else ()):
        script, _, is_module = service.interpreted(each)
        if script:
            yield f"{script.replace('.', '/')}.py" if is_module else script


def _brought(stage: Stage) -> Iterator[Entry]:
    """The files of the context that copies bring."""
    for step in stage.steps:
        if step.copy is not None and step.copy.origin == "context":
            for source in step.copy.sources:
                yield from source.entries(stage.build.context)
