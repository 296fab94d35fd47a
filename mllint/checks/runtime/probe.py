"""Rules about the command of a HEALTHCHECK."""

import posixpath
import re
from collections.abc import Iterable, Iterator

from mllint.checks import check
from mllint.checks.runtime import probe_fixes
from mllint.checks.runtime.probe_fixes import Test
from mllint.findings import Finding, Location, Related, Severity
from mllint.image import programs
from mllint.image.distributions import providers_of_import
from mllint.image.interpreter import is_python_program
from mllint.image.paths import DEFAULT_PATH
from mllint.image.serving import absence, lookalikes, probes, uses
from mllint.image.serving.absence import Absence
from mllint.image.serving.probes import Probe
from mllint.image.serving.uses import Use
from mllint.image.stage import Stage
from mllint.sources import python
from mllint.sources.python import Import
from mllint.sources.text import Source, Span

_NEVER = "the container will never be healthy"
_CLIENTS = frozenset({"requests", "httpx", "urllib3", "aiohttp"})


@check("ML302")
def healthcheck_module_missing(stage: Stage) -> Iterator[Finding]:
    """A health check whose Python imports what is not there."""
    for each in probes.of(stage) if stage.is_final else ():
        yield from _imported(stage, each.who, each.uses, _test(stage, each))


def is_broken(stage: Stage, probe: Probe) -> bool:
    """Whether a health check lacks a module or program, so that it never asks anything."""
    found = (*_imported(stage, probe.who, probe.uses, None), *_missing(stage, probe.who, probe.uses, None))
    return any(True for _ in found)


def _test(stage: Stage, probe: Probe) -> Test | None:
    """Where a test can be repaired: not that of an ONBUILD of an image above."""
    if probe.service is not None and probe.service.healthcheck is not None and probe.service.healthcheck.test:
        return probe_fixes.of_compose(probe.service, probe.service.healthcheck.test)
    step = stage.step_of(stage.end.healthcheck)
    return probe_fixes.of_instruction(step.instruction) if step is not None and step.trigger is None else None


def _imported(stage: Stage, who: str, used: Iterable[Use], test: Test | None) -> Iterator[Finding]:
    seen: set[str] = set()
    for use in used:
        code, interpreter = uses.code(stage, use), absence.interpreter(use)
        if code is None or interpreter is None:
            continue
        source, folder = code
        module = stage.build.context.inputs.parsed(source, python.parse)
        for each in module.statements if module is not None else ():
            if each.level or each.condition or each.is_deferred or each.name in seen:
                continue
            is_own = not providers_of_import(each.name)
            if is_own and lookalikes.may_be_brought(stage, folder or "/"):
                continue
            missing = absence.of_module(use, interpreter, each.name, folder)
            if missing is not None:
                seen.add(each.name)
                found = _importing(who, use, source, each, missing)
                fix = probe_fixes.with_standard_library(stage, use, test) if test and not source.path else None
                yield found._replace(fix=fix)


def _importing(who: str, use: Use, source: Source, each: Import, missing: Absence) -> Finding:
    repair = f"install {next(iter(providers_of_import(each.name)), each.name)}"
    if each.name.partition(".")[0] in _CLIENTS:
        repair += ", or ask with urllib.request, which comes with Python and raises where the answer is an error"
    severity = None if missing.is_verified else Severity.WARNING
    if not source.path:
        message = f"{who} imports {each.name}, which nothing installs: {_NEVER}"
        return Finding(named(use, each.name), message, repair, severity=severity)
    script = posixpath.basename(source.path)
    message = f"{who} runs {script}, which imports {each.name}, and nothing installs that: {_NEVER}"
    related = (Related(Location(source, source.line_span(each.line)), "it is imported here"),)
    return Finding(use.place, message, repair, related, severity=severity)


def named(use: Use, module: str) -> Location:
    """The place of a module's name in the code behind -c."""
    span = use.executed.span
    name = re.compile(rf"(?<![\w.]){re.escape(module)}(?!\w)").search(use.source.text, span.start, span.end)
    if name is None or use.source is not use.place.source:
        return use.place
    return Location(use.source, Span(*name.span()))


@check("ML304")
def healthcheck_tool_missing(stage: Stage) -> Iterator[Finding]:
    """A health check that runs what is not there."""
    for each in probes.of(stage) if stage.is_final else ():
        test = _test(stage, each)
        if each.needs_own_shell and (found := _shell(stage, each.who, each.where)):
            fix = probe_fixes.without_shell(stage, each.instruction) if each.instruction and test else None
            yield found._replace(fix=fix)
        else:
            yield from _missing(stage, each.who, each.uses, test)


def _shell(stage: Stage, who: str, where: Location) -> Finding | None:
    """A health check in the form of a text for a shell that is not there."""
    base, shell = stage.root.base, stage.end.shell[0] if stage.end.shell else "/bin/sh"
    if programs.program(stage.view, shell, None) is not None:
        return None
    severity = None if base.is_verified(posixpath.basename(shell)) else Severity.WARNING
    message = f"{who} needs {shell}, which {base.text} does not have: {_NEVER}"
    repair = "write it as a list of words, the first of them a program that is there"
    return Finding(where, message, repair, severity=severity)


def _missing(stage: Stage, who: str, used: Iterable[Use], test: Test | None) -> Iterator[Finding]:
    base, seen = stage.root.base, set()
    for use in used:
        for name, word in use.names:
            folder, plain = posixpath.split(name)
            # A missing Python, and a script of one's own, are the business of other rules.
            if plain in seen or is_python_program(plain) or (folder and folder not in DEFAULT_PATH.split(":")):
                continue
            missing = absence.of_program(use, name)
            if missing is not None:
                seen.add(plain)
                severity = None if missing.is_verified else Severity.WARNING
                message = f"{who} runs {name}, which {base.text} does not have and nothing installs: {_NEVER}"
                fix = probe_fixes.with_python(stage, use, test) if test is not None else None
                yield Finding(use.where(word), message, _instead(stage, plain), use.related(word), fix, severity)


def _instead(stage: Stage, name: str) -> str:
    server = stage.server
    url = f"http://127.0.0.1:{(server and server.port) or 8000}{(server and server.health) or '/health'}"
    ask = f"ask with what is there, python -c \"import urllib.request as r; r.urlopen('{url}')\""
    has_python = isinstance(programs.program(stage.view, "python", stage.end.env.get("PATH")), programs.Program)
    return f"{ask}, or install {name}" if has_python else f"install {name}, or ask with a program that is there"
