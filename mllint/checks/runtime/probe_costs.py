"""Rules about how soon a health check gives up, and what it costs each time."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.runtime import probe, probe_fixes
from mllint.edits import insert, replace
from mllint.findings import Finding, Fix, Location
from mllint.image.serving import loading, modules, passing, probes, uses
from mllint.image.serving.loading import Loading
from mllint.image.serving.probes import Probe
from mllint.image.stage import Stage
from mllint.sources import python

# Modules that take seconds and hundreds of megabytes to import.
_HEAVY = frozenset(
    "torch torchvision tensorflow keras jax transformers diffusers sentence_transformers vllm ultralytics whisper"
    " faster_whisper lightning pytorch_lightning paddle onnxruntime".split()
)


@check("ML344")
def healthcheck_start_period_too_short(stage: Stage) -> Iterator[Finding]:
    """A health check that has failed for good before the model is loaded."""
    found = probes.of(stage) if stage.is_final else ()
    needed = loading.loading(stage) if found else None
    for each in found:
        given = each.times.start_period + each.times.retries * each.times.interval
        if needed is None or given >= needed.seconds or passing.why(each, stage.end.shell) is not None:
            continue
        period = f"{needed.seconds:.0f}s"
        message = (
            f"{each.who} calls the container unhealthy about {given:.0f} s after its start, while {_loads(needed)}:"
            " whoever waits for it gives up, and Swarm starts it anew each time"
        )
        fix = _with_start_period(each, period)
        yield Finding(each.where, message, f"set the start period to {period}, or what the model takes", fix=fix)


def _loads(needed: Loading) -> str:
    if needed.is_server:
        return f"{needed.what} may take minutes to load its model"
    return f"{needed.what} may still load or download its model"


def _with_start_period(each: Probe, period: str) -> Fix | None:
    instruction = each.instruction
    if instruction is None:
        old = each.service.healthcheck.start_period if each.service and each.service.healthcheck else None
        edits = (replace(each.where.source, old.span, period),) if old is not None else ()
    else:
        word = instruction.flag("start-period")
        at = instruction.keyword_span.end
        added = insert(instruction.source, at, f" --start-period={period}")
        edits = (added if word is None else replace(instruction.source, word.span, f"--start-period={period}"),)
    return Fix("unsafe", f"set the start period to {period}", edits) if edits else None


@check("ML345")
def healthcheck_heavy_import(stage: Stage) -> Iterator[Finding]:
    """A health check that loads a framework, or the application, each time."""
    for each in probes.of(stage) if stage.is_final else ():
        found = None if probe.is_broken(stage, each) else _heavy(stage, each)
        if found is not None:
            name, what, where = found
            message = (
                f"{each.who} imports {name}{what}: every {each.times.interval:.0f} s a second process spends seconds of"
                " CPU and hundreds of megabytes beside the server"
            )
            repair = "ask the server by HTTP with urllib.request, which needs no package"
            fix = probe_fixes.asking_server(stage, each.instruction) if each.instruction is not None else None
            yield Finding(where, message, repair, fix=fix)


def _heavy(stage: Stage, each: Probe) -> tuple[str, str, Location] | None:
    """The module that costs, what it is besides its name, and where it is imported."""
    targets = modules.targets(stage, stage.process) if stage.process is not None else ()
    own = {target.module for target in targets if target.module and _is_heavy(stage, target)}
    for use in each.uses:
        code = uses.code(stage, use)
        module = stage.build.context.inputs.parsed(code[0], python.parse) if code is not None else None
        for imported in module.statements if module is not None else ():
            if imported.level or imported.is_deferred:
                continue
            if imported.name.partition(".")[0] in _HEAVY:
                return imported.name, "", probe.named(use, imported.name)
            if imported.name in own:
                return imported.name, ", the application with all it loads", probe.named(use, imported.name)
    return None


def _is_heavy(stage: Stage, target: modules.Target) -> bool:
    """Whether the source of an application imports such a module itself."""
    source = modules.source_of(stage, target)
    module = stage.build.context.inputs.parsed(source, python.parse) if source is not None else None
    return module is not None and bool(module.packages & _HEAVY)
