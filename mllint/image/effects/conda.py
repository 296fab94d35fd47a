"""Installs by conda, mamba and micromamba."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mllint.image import python
from mllint.image.effects import environments
from mllint.image.effects.declared import Folder
from mllint.image.effects.targets import Target, note, pinned
from mllint.image.events import Installed, Interpreter, Programs
from mllint.image.values import Unknown, Value
from mllint.patterns import regex
from mllint.sources import conda
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from mllint.image.effects.work import Work
    from mllint.image.packages import Install

_NAMED = regex(r"[\w.-]+[=<>]")


def install(work: Work, call: Install) -> None:
    """Write what a call installs into the log."""
    each = call.executed
    if call.has("--download-only"):
        return
    # A version that the shell computes leaves the name known.
    specs = [word.value for word in call.operands if word.is_literal or _NAMED.match(word.value)]
    reasons = ["the shell computes a package"] if len(specs) < len(call.operands) else []
    pips: list[Requirement] = []
    name: str | None = None
    for word in call.values("-f", "--file"):
        source = Folder(work, call, "").text(word.value)
        if source is None:
            reasons.append(f"{word.value} is not known")
        elif word.value.endswith((".yml", ".yaml")):
            parsed = work.stage.build.context.inputs.parsed(source, conda.parse)
            name = parsed.name.text if parsed.name is not None else None
            specs += [str(each_spec.text) for each_spec in parsed.dependencies]
            pips += [line for line in parsed.pip if isinstance(line, Requirement)]
        else:
            specs += [line.strip() for line in source.text.splitlines() if line.strip() and not line.startswith("#")]
    prefix = _prefix(work, call, name)
    if prefix is None:
        work.unsure(each, "which conda environment is meant is not known", "distributions", "programs")
        return
    made = _python(work, call, prefix, specs)
    target = Target(made.site, made.bin, made.minor)
    for spec in specs:
        title, version = _spec(spec)
        if title != "python":
            work.events.append(Programs(work.cause(each), title, frozenset({title})))
            note(work, call, target, title, version)
    for line in pips:
        if line.key:
            note(work, call, target, line.key, pinned(line))
    reasons.append("what conda packages bring along is not in the tables")
    work.events.append(
        Installed(work.cause(each), target.site, False, reasons[0], is_all_asked_known=len(reasons) == 1)
    )


def _spec(spec: str) -> tuple[str, Value]:
    text = spec.rpartition("::")[2].strip()
    match = re.match(r"([\w.-]+)(?:\[.*\])?\s*(?:==?\s*([\w.]+))?", text)
    if match is None:
        return text, Unknown("no match specification")
    return match.group(1), match.group(2) or Unknown(f"{match.group(1)} is not pinned")


def _root(work: Work, call: Install) -> str | None:
    root = work.variable(call.executed, "MAMBA_ROOT_PREFIX")
    if isinstance(root, str) and root:
        return root
    program = call.executed.words[0].value
    if program.endswith("/bin/conda"):
        return program.removesuffix("/bin/conda")
    found = next((e for e in work.view.behind() if isinstance(e, Interpreter) and e.kind == "conda"), None)
    if found is not None:
        return found.prefix.partition("/envs/")[0]
    return "/opt/conda" if call.manager.name == "micromamba" else None


def _prefix(work: Work, call: Install, name: str | None) -> str | None:
    prefix = [word.value for word in call.values("-p", "--prefix")]
    if prefix:
        path = work.path(call.executed, prefix[-1])
        return path if isinstance(path, str) else None
    root = _root(work, call)
    names = [word.value for word in call.values("-n", "--name")]
    chosen = names[-1] if names else name
    if root is None or chosen is None or chosen == "base":
        return root
    return f"{root}/envs/{chosen}"


def _python(work: Work, call: Install, prefix: str, specs: list[str]) -> Interpreter:
    """The Python of a conda environment, new where the call names one or the environment is not there."""
    known = python.by_prefix(work.view, prefix)
    named = next((spec for spec in specs if _spec(spec)[0] == "python"), None)
    if known is not None and named is None:
        return known
    version: Value = Unknown("the newest Python that the packages admit")
    if named is not None:
        given = _spec(named)[1]
        version = given if isinstance(given, str) and re.fullmatch(r"3\.\d+(?:\.\d+)*", given) else version
    minor = ".".join(version.split(".")[:2]) if isinstance(version, str) else "X"
    site = f"{prefix}/lib/python{minor}/site-packages"
    names = frozenset({"python", "python3", f"python{minor}"})
    cause = work.cause(call.executed)
    made = Interpreter(cause, prefix, version, "conda", names, False, True, site)
    work.events.append(made)
    work.events.append(environments.preinstalled(work, call.executed, "pip", site, made.bin))
    return made
