"""What `docker inspect` will show below Config, and what starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from mllint.image.paths import UNKNOWN_FOLDER
from mllint.image.values import Unknown
from mllint.inspection.origins import answer, not_known, of_base, of_instruction, of_span
from mllint.inspection.records import Answer, BaseImage, Known, Origin, Process, Server, Target, Variable
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.configuration import Healthcheck, Port, Setting
    from mllint.image.service import Server as Served
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage


_SCRIPT = regex(r"\.sh$|entrypoint|entry_point|entry-point")
_UNDESCRIBED = "the tables do not know {}: describe it under `bases` in the configuration"


def target(stage: Stage) -> Target:
    """The stage that is inspected."""
    build = stage.build
    return Target(stage.name, stage.index, stage.instruction.start_line, len(build.stages), len(build.needed))


def base_image(stage: Stage) -> BaseImage:
    """The image that the stage goes back to."""
    base, origin = stage.root.base, of_base(stage)._replace(is_base=False)
    inside = origin._replace(is_base=True)
    name: Answer[str] = Known(base.text, origin)
    if base.kind == "unknown":
        name = Unknown(base.why_unknown)
    tag: Answer[str | None] = name if isinstance(name, Unknown) else Known(None, origin)
    digest = tag
    if base.reference is not None:
        tag, digest = Known(base.reference.tag, origin), Known(base.reference.digest, origin)
    family: Answer[str | None] = Known(base.family, inside)
    unknown = Unknown(base.why_unknown if base.kind == "unknown" else _UNDESCRIBED.format(base.text))
    if base.family is None:
        family = unknown
    if base.kind == "scratch":
        nothing = Known(None, inside)
        return BaseImage(name, base.kind, tag, digest, nothing, nothing, nothing, nothing, _platform(stage))
    distro, suite, libc = (
        answer(each, inside) if base.row or base.described else unknown for each in (base.distro, base.suite, base.libc)
    )
    kind: Literal["image", "unknown"] = "image" if base.kind == "image" else "unknown"
    return BaseImage(name, kind, tag, digest, family, distro, suite, libc, _platform(stage))


def _platform(stage: Stage) -> Answer[str | None]:
    if isinstance(stage.platform, Unknown):
        return stage.platform
    return Known(stage.platform, of_instruction(stage.root.instruction))


def variables(stage: Stage) -> tuple[Variable, ...]:
    """The environment that the image keeps, by name."""
    found = []
    for name, value in sorted(stage.end.env.items()):
        origin = setter(stage, name) or of_base(stage)
        known = answer(value, origin)
        if isinstance(known, Known) and UNKNOWN_FOLDER in known.value and name == "PATH":
            known = _unknown_path(stage, known.value)
        found.append(Variable(name, known))
    return tuple(found)


def _unknown_path(stage: Stage, path: str) -> Unknown:
    known = [folder for folder in path.split(":") if not folder.startswith(UNKNOWN_FOLDER)]
    of_base = not_known(stage, "the PATH of {}").reason
    return Unknown(f"{':'.join(known)} and more: {of_base}" if known else of_base)


def setter(stage: Stage, name: str) -> Origin | None:
    """The line of the last ENV that sets a variable."""
    for step in reversed(stage.steps_before(None)):
        if step.instruction.keyword == "ENV":
            for pair in reversed(step.instruction.pairs):
                if step.before.expand(pair.key.text) == name:
                    return of_instruction(step.instruction, pair.key.span)
    return None


def more_variables(stage: Stage) -> Unknown | None:
    """Why there may be other variables."""
    if stage.end.is_env_known:
        return None
    return not_known(stage, "which other variables {} sets")


def user(stage: Stage) -> tuple[Answer[str], Answer[str], Answer[str]]:
    """The user as written, the number and the home folder."""
    step = stage.last("USER")
    origin = of_instruction(step.instruction) if step is not None else of_base(stage)
    end = stage.end
    home = answer(stage.view.home(end), setter(stage, "HOME") or origin)
    if step is None and isinstance(end.user, Unknown):
        reason = not_known(stage, "the user of {}")
        return reason, reason, reason if isinstance(home, Unknown) else home
    return answer(end.user or "root", origin), answer(stage.view.uid(end.user), origin), home


def directory(stage: Stage) -> Answer[str]:
    """The working directory."""
    step = stage.last("WORKDIR")
    path = stage.end.directory
    if path.startswith(UNKNOWN_FOLDER):
        if step is None:
            return not_known(stage, "the working directory of {}")
        return Unknown(f"which folder WORKDIR {step.instruction.rest.text} means is not known")
    return Known(path, of_instruction(step.instruction) if step is not None else of_base(stage))


def ports(stage: Stage) -> Iterator[Answer[str]]:
    """The ports that EXPOSE names."""
    for setting in stage.end.exposed:
        yield setting.value if isinstance(setting.value, Unknown) else Known(_port(setting.value), _of(stage, setting))


def _port(port: Port) -> str:
    numbers = str(port.first) if port.first == port.last else f"{port.first}-{port.last}"
    return f"{numbers}/{port.protocol}"


def volumes(stage: Stage) -> Iterator[Answer[str]]:
    """The paths that VOLUME names."""
    for setting in stage.end.volumes:
        yield answer(setting.value, _of(stage, setting))


def labels(stage: Stage) -> Iterator[Variable]:
    """The labels, by key."""
    for name, setting in sorted(stage.end.labels.items()):
        yield Variable(name, answer(setting.value, _of(stage, setting)))


def stop_signal(stage: Stage) -> Answer[str | None]:
    """The signal of STOPSIGNAL."""
    setting = stage.end.stop_signal
    if setting is not None:
        return answer(setting.value, _of(stage, setting))
    return _inherited(stage, "STOPSIGNAL")


def process_words(stage: Stage, setting: Setting[tuple[str, ...]] | None, what: str) -> Answer[tuple[str, ...]]:
    """ENTRYPOINT or CMD."""
    if setting is not None:
        return Known(setting.value, _of(stage, setting))
    entrypoint = stage.last("ENTRYPOINT")
    if entrypoint is not None:
        # It took away the CMD of the base.
        return Known((), of_instruction(entrypoint.instruction))
    base = stage.root.base
    if base.is_process_known:
        return Known((), of_base(stage))
    return not_known(stage, f"the {what} of {{}}")


def healthcheck(stage: Stage) -> Answer[Healthcheck | None]:
    """The health check."""
    setting = stage.end.healthcheck
    if setting is not None:
        return Known(setting.value, _of(stage, setting))
    return _inherited(stage, "HEALTHCHECK")


def _inherited(stage: Stage, what: str) -> Known[None] | Unknown:
    base = stage.root.base
    if base.kind == "scratch" or base.is_plain:
        return Known(None, of_base(stage))
    return not_known(stage, f"whether {{}} has a {what}")


def _of(stage: Stage, setting: Setting[Any]) -> Origin:
    return of_base(stage) if setting.instruction is None else of_instruction(setting.instruction, setting.span)


def process(stage: Stage) -> Answer[Process | None]:
    """What the container starts."""
    found = stage.process
    if found is None:
        return _inherited_process(stage)
    is_of_base = found.command is None and found.entrypoint is None
    origin = of_base(stage) if is_of_base else of_instruction(found.instruction)
    served, started = stage.server, _started(found.commands)
    made = Process(
        tuple(word.value for word in started.words),
        _wrappers(started),
        tuple(script.source.path for script in found.scripts),
        _server(served, origin) if served is not None else None,
    )
    return Known(made, origin)


def _inherited_process(stage: Stage) -> Answer[Process | None]:
    words = (*stage.entrypoint, *stage.command)
    if words:
        return Known(Process(words, (), (), None), of_base(stage))
    is_known = stage.root.base.is_process_known or stage.end.entrypoint or stage.end.command
    return Known(None, of_base(stage)) if is_known else not_known(stage, "what {} starts")


def _started(found: tuple[Executed, ...]) -> Executed:
    """The program that stays: an ENTRYPOINT takes the words of CMD as arguments, but a script that is one runs them."""
    last = found[-1]
    whole = next((each for each in found[:-1] if each.words[-len(last.words) :] == last.words), None)
    return last if whole is None or _SCRIPT.search(whole.words[0].value) else whole


def _wrappers(each: Executed) -> tuple[str, ...]:
    """The programs in front that stay; `exec` and `command` are the shell's own words."""
    names = (name for name in each.wrappers if name not in ("exec", "command", *each.runner[:1]))
    return (*names, *([" ".join(each.runner)] if each.runner else []))


def _server(served: Served, origin: Origin) -> Server:
    said = served.host
    host = origin if said.place is None else of_span(said.place.source, said.place.span)
    port = served.port or Unknown(f"the port of {served.name} is not known")
    workers = served.workers
    if isinstance(workers, Unknown):
        workers = Unknown("neither an option nor WEB_CONCURRENCY is known to tell")
    return Server(
        served.name,
        served.app.value if served.app is not None else None,
        answer(said.value, host),
        answer(port, origin),
        answer(workers, origin),
    )
