"""A verification for programs: JSON of schema 1. The same outcomes give the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mllint
from mllint.findings import Severity
from mllint.masking import mask
from mllint.report import verify_rows
from mllint.report.inspect_values import masked_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mllint.verification.before_after import Comparison, Measured, State
    from mllint.verification.records import Outcome, Row, Variant
    from mllint.verification.verifying import Means

SCHEMA = 1


def render(outcomes: Sequence[Outcome]) -> str:
    """What came out as a JSON object in ASCII, ending in a newline. Credentials are masked.

    `variants` has one object a variant, in the order of the run: what it is (as in a plan), `verdict` (right, wrong
    or not_verified), `builder` (null if none was found), `notes`, `built` (null if nothing was), `rows` and
    `obstacle` (null where all was looked at). `seconds` and a row's `number` are measurements: seconds, bytes or
    the uid.
    """
    return _document(_verified(outcomes))


def render_comparisons(comparisons: Sequence[Comparison]) -> str:
    """What came out after the fixes, as `render` has it, with `comparisons` of the variants before and after them."""
    found = [
        {
            "name": each.variant.name,
            "fixes": [
                {"rule": finding.rule.id if finding.rule else None, "title": mask(finding.fix.title)}
                for finding in each.fixed.report.repaired
                if finding.fix
            ],
            "changed": [change.name for change in each.fixed.changes],
            "before": _state(each.before),
            "after": _state(each.after),
        }
        for each in comparisons
    ]
    return _document({**_verified([each.after.outcome for each in comparisons]), "comparisons": found})


def render_plan(variants: Sequence[Variant], means: Sequence[Means]) -> str:
    """What would be built and asked, and with what builder, or why none is known."""
    plan = [{**_planned(variant), **_means(how)} for variant, how in zip(variants, means, strict=True)]
    return _document({"plan": plan})


def _means(how: Means) -> dict[str, Any]:
    return {
        "builder": how.builder,
        "notes": [mask(note) for note in how.notes],
        "obstacle": mask(how.obstacle) if how.obstacle is not None else None,
    }


def _verified(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    verdicts = [_verdict(each) for each in outcomes]
    return {
        "variants": [_outcome(each) for each in outcomes],
        "summary": {name: verdicts.count(name) for name in ("right", "wrong", "not_verified")},
    }


def _verdict(outcome: Outcome) -> str:
    return verify_rows.verdict(outcome).replace(" ", "_")


def _document(fields: Mapping[str, Any]) -> str:
    import json

    return json.dumps({"schema": SCHEMA, "tool_version": mllint.__version__, **fields}, indent=2) + "\n"


def _state(state: State) -> dict[str, Any]:
    return {
        "findings": {severity.value: state.count(severity) for severity in Severity},
        **_outcome(state.outcome),
        "measured": _measured(state.measured) if state.measured else None,
    }


def _measured(measured: Measured) -> dict[str, Any]:
    return {
        "warm": measured.warm._asdict() if measured.warm else None,
        "edited": measured.edited,
        "rebuilt": measured.rebuilt._asdict() if measured.rebuilt else None,
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        **_planned(outcome.variant),
        "verdict": _verdict(outcome),
        "builder": outcome.builder or None,
        "notes": [mask(note) for note in outcome.notes],
        "built": outcome.built._asdict() if outcome.built else None,
        "rows": [_row(row) for row in outcome.rows],
        "obstacle": mask(outcome.obstacle) if outcome.obstacle is not None else None,
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": mask(row.name),
        "outcome": row.outcome,
        "value": mask(row.value),
        "detail": verify_rows.log(row.detail) if row.detail else [],
        "number": row.number,
    }


def _planned(variant: Variant) -> dict[str, Any]:
    settings, context = variant.build.settings, variant.build.context
    provider = variant.provider
    return {
        "name": variant.name,
        "dockerfile": variant.build.source.path,
        "context": context.inputs.display(context.root),
        "target": settings.target,
        "build_args": {name: masked_value(name, value) for name, value in settings.build_args.items()},
        "base_images": dict(variant.base_images),
        "gpus": variant.gpus,
        "env": {name: masked_value(name, value) for name, value in variant.env.items()},
        "port": variant.port,
        "health": variant.health,
        "requests": [
            {"method": each.method, "path": mask(each.path), "status": each.status} for each in variant.requests
        ],
        "provider": {"path": provider.path, "member": provider.member} if provider else None,
        "root_is_fine": variant.is_root_fine,
        "limits": variant.limits._asdict(),
    }
