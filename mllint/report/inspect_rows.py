"""What each section of the report on an image says, row by row."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.values import Unknown
from mllint.inspection.records import Known, Origin
from mllint.report.inspect_values import masked_value, masked_words
from mllint.report.shown import shown
from mllint.report.summary import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mllint.image.configuration import Healthcheck
    from mllint.inspection.records import Answer, Environment, Files, Inspection, Layer, Package, Process, Variable

_FOLDERS = 36
"""Code points of the value of PATH in one line."""
_PATH = 30
"""Code points that are shown of the path of another file."""
_JOINED = 24
"""Code points of the labels of neighbours that become one row."""
_MANY = 6
"""From how many sources of a COPY on only the first four are shown."""
_LONGEST = 150
"""Code points that are shown of the text of an instruction."""


class Row(NamedTuple):
    """A line of a section: what, its value, and where that comes from."""

    label: str
    value: str
    place: str = ""
    is_open: bool = False


def heading(made: Inspection) -> str:
    """The stage, and the context of the build."""
    target = made.target
    name = f"stage {shown(target.name)}" if target.name else f"stage {target.number}"
    of = f", made from {target.needed} of {target.stages} stages" if target.stages > 1 else ""
    return f"{name} (line {target.line}){of}, context {shown(made.context)}"


class Places:
    """Names the places of values: short for those of the Dockerfile, others relative to the context, by their end."""

    def __init__(self, made: Inspection) -> None:
        self.dockerfile = made.dockerfile
        self.context = made.context

    def __call__(self, origin: Origin) -> str:
        if origin.is_base:
            return "base"
        if origin.path == self.dockerfile:
            return f"line {origin.line}"
        parts = posixpath.relpath(origin.path, self.context).split("/")
        path = "/".join(parts)
        while len(path) > _PATH and len(parts) > 1:
            parts = parts[1:]
            path = "/".join(("...", *parts))
        return f"{shown(path)}:{origin.line}"

    def row(self, label: str, answer: Answer[str | None], none: str = "none") -> Row:
        """The row of a value."""
        if isinstance(answer, Unknown):
            return Row(label, shown(answer.reason), "", True)
        return Row(label, none if answer.value is None else shown(answer.value), self(answer.origin))


def base(made: Inspection, place: Places) -> Iterator[Row]:
    """What the image starts from."""
    base = made.base
    yield place.row("image", base.image)
    if isinstance(base.platform, Unknown) or base.platform.value is not None:
        yield place.row("platform", base.platform)
    parts = [base.distro, base.suite, base.libc]
    known = [each.value for each in parts if isinstance(each, Known) and each.value is not None]
    inside = next((each.origin for each in parts if isinstance(each, Known)), None)
    if inside is not None:
        yield Row("system", shown(", ".join(known)) or "none", place(inside))
    reasons = dict.fromkeys(each.reason for each in parts if isinstance(each, Unknown))
    for number, reason in enumerate(reasons):
        yield Row("" if inside or number else "system", shown(reason), "", True)
    python = made.python
    if isinstance(python, Unknown) or python.value is None:
        yield place.row("python", python if isinstance(python, Unknown) else Known(None, python.origin))
        return
    found = python.value
    version = found.version.value if isinstance(found.version, Known) else "version not known"
    yield Row("python", shown(f"{version}, {found.executable} ({found.kind})"), place(python.origin))


def configuration(made: Inspection, place: Places) -> Iterator[Row]:
    """What `docker inspect` will show."""
    return _merged(_configuration(made, place))


def _configuration(made: Inspection, place: Places) -> Iterator[Row]:
    yield place.row("user", made.user)
    yield place.row("uid", made.uid)
    yield place.row("home", made.home)
    yield place.row("workdir", made.directory)
    for number, port in enumerate(made.ports):
        yield place.row("" if number else "ports", port)
    for number, volume in enumerate(made.volumes):
        yield place.row("" if number else "volumes", volume)
    for label in made.labels:
        yield _variable("label", label, place, f"{label.name}=")
    yield place.row("stop signal", made.stop_signal, "SIGTERM, the default")
    yield _words("entrypoint", made.entrypoint, place)
    yield _words("command", made.command, place)
    yield from _process(made.process, place)
    yield from _healthcheck(made.healthcheck, place)


def _merged(rows: Iterable[Row]) -> Iterator[Row]:
    """Neighbours that are unknown for the same reason become one row."""
    last: Row | None = None
    for row in rows:
        joined = f"{last.label}, {row.label}" if last is not None else ""
        if last is not None and last.is_open and row.is_open and last.value == row.value and len(joined) <= _JOINED:
            last = last._replace(label=joined)
            continue
        if last is not None:
            yield last
        last = row
    if last is not None:
        yield last


def _words(label: str, answer: Answer[tuple[str, ...]], place: Places) -> Row:
    if isinstance(answer, Unknown):
        return Row(label, shown(answer.reason), "", True)
    return Row(label, _command(answer.value) or "none", place(answer.origin))


def _command(words: Iterable[str]) -> str:
    import shlex

    return shown(shlex.join(masked_words(words)))


def _process(answer: Answer[Process | None], place: Places) -> Iterator[Row]:
    if isinstance(answer, Unknown) or answer.value is None:
        yield place.row("runs", answer if isinstance(answer, Unknown) else Known(None, answer.origin), "nothing")
        return
    made, where = answer.value, place(answer.origin)
    behind = f" (behind {shown(', '.join(made.wrappers))})" if made.wrappers else ""
    yield Row("runs", _command(made.argv) + behind, where)
    for script in made.scripts:
        yield Row("", shown(f"with the script {script}"), where)
    if made.server is not None:
        server = made.server
        app = f" with {server.application}" if server.application else ""
        yield Row("server", shown(f"{server.name}{app}"), where)
        yield place.row("address", server.host)
        yield place.row("port", server.port)
        yield place.row("workers", server.workers)


def _healthcheck(answer: Answer[Healthcheck | None], place: Places) -> Iterator[Row]:
    if isinstance(answer, Unknown) or answer.value is None:
        yield place.row("health check", answer if isinstance(answer, Unknown) else Known(None, answer.origin))
        return
    check, where = answer.value, place(answer.origin)
    if check.is_none:
        yield Row("health check", "none, HEALTHCHECK NONE takes away what the base has", where)
        return
    kind, *words = check.test
    yield Row("health check", shown(words[0]) if kind == "CMD-SHELL" else _command(words), where)
    times = (check.interval, check.timeout, check.start_period)
    interval, timeout, start = (f"{each:g}s" for each in times)
    yield Row("", f"every {interval}, timeout {timeout}, start period {start}, {check.retries} retries", where)


def _variable(label: str, variable: Variable, place: Places, before: str = "") -> Row:
    value = variable.value
    if isinstance(value, Unknown):
        return Row(label, shown(f"{before.rstrip('=')} {value.reason}".strip()), "", True)
    return Row(label, shown(before) + masked_value(variable.name, value.value), place(value.origin))


def variables(made: Inspection, place: Places) -> Iterator[Row]:
    """The environment."""
    unknown = []
    for variable in made.variables:
        if isinstance(variable.value, Unknown) and variable.value.reason.startswith(f"the value of {variable.name} "):
            unknown.append((variable.name, variable.value.reason))
        else:
            row = _variable(shown(variable.name), variable, place)
            yield row._replace(value=_in_folders(row.value)) if not row.is_open else row
    yield from _grouped(unknown)
    if made.more_variables is not None:
        yield Row("others", shown(made.more_variables.reason), "", True)


def _in_folders(value: str) -> str:
    """A list of folders, which has no blanks, broken behind its colons."""
    if " " in value or not value.startswith("/"):
        return value
    lines = [""]
    for part in value.split(":"):
        if lines[-1] and len(lines[-1]) + len(part) > _FOLDERS:
            lines.append("")
        lines[-1] += f"{part}:"
    return "\n".join(lines)[:-1]


def _grouped(named: Iterable[tuple[str, str]]) -> Iterator[Row]:
    """Names whose reasons differ in the name alone, in one row."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, reason in named:
        common = re.sub(rf"(?<!\S){re.escape(name)}(?!\S)", "each", reason)
        groups.setdefault(common, []).append((name, reason))
    for common, members in groups.items():
        names = " ".join(name for name, _ in members)
        (name, reason), *others = members
        says_itself = not others and name in reason
        yield Row("unknown", shown(reason if says_itself else f"{names}: {common}"), "", True)


def packages(environment: Environment, place: Places) -> Iterator[Row]:
    """The distributions that one Python sees."""
    unknown = []
    for package in environment.packages:
        if isinstance(package.version, Unknown) and package.manager == "base":
            unknown.append((package.name, package.version.reason))
        else:
            yield _package(package, place)
    yield from _grouped(unknown)
    if environment.brought or environment.possible:
        perhaps = f", perhaps {environment.possible} more" if environment.possible else ""
        yield Row("", f"and {environment.brought} that these bring along{perhaps}")
    for reason in environment.doubts:
        yield Row("others", shown(reason), "", True)


def _package(package: Package, place: Places) -> Row:
    name = package.name + (f"[{','.join(package.extras)}]" if package.extras else "")
    where = place(package.origin)
    if isinstance(package.version, Unknown):
        return Row(shown(name), shown(package.version.reason.removeprefix(f"{package.name} is ")), where, True)
    return Row(shown(name), shown(package.version.value), where)


def other_packages(made: Inspection) -> Iterator[Row]:
    """Why there may be distributions elsewhere."""
    known = {reason for environment in made.environments for reason in environment.doubts}
    if made.packages_unknown is not None and made.packages_unknown.reason not in known:
        yield Row("others", shown(made.packages_unknown.reason), "", True)


def download(made: Inspection, place: Places) -> Iterator[Row]:
    """What a lock file says of the download."""
    found = made.download
    if isinstance(found, Unknown):
        yield Row("wheels", shown(found.reason), "", True)
    elif found.value is not None:
        size, wheels, without = found.value
        more = f"; {count(without, 'package')} without a size" if without else ""
        yield Row("wheels", f"{_size(size)} in {count(wheels, 'wheel')}{more}", place(found.origin))


def _size(number: int) -> str:
    from rich.filesize import decimal

    return f"{number} B" if number < 1000 else decimal(number)


def accelerator(made: Inspection, place: Places) -> Iterator[Row]:
    """What there is for a GPU."""
    found = made.accelerator
    yield place.row("CUDA", found.cuda, "none in the base")
    if found.variables:
        yield Row("variables", shown(" ".join(variable.name for variable in found.variables)), "above")
    for package in found.packages:
        yield _package(package, place)


def programs(made: Inspection, place: Places) -> Iterator[Row]:
    """Programs that are there, that are not, and those nobody knows of."""
    of_base: dict[str, list[str]] = {}
    missing, unknown = [], []
    for each in made.programs:
        if isinstance(each.path, Unknown):
            unknown.append((each.name, each.path.reason))
        elif each.path.value is None:
            missing.append(each.name)
        elif each.path.origin.is_base:
            of_base.setdefault(place(each.path.origin), []).append(each.name)
        else:
            brought = f", of {each.brought_by}" if each.brought_by else ""
            yield Row(shown(each.name), shown(f"{each.path.value or 'on PATH'}{brought}"), place(each.path.origin))
    for where, names in of_base.items():
        yield Row("of the base", shown(" ".join(names)), where)
    if missing:
        yield Row("missing", shown(" ".join(missing)))
    yield from _grouped(unknown)


def files(each: Files, place: Places) -> Row:
    """What one COPY or ADD brings."""
    names = [source.value if isinstance(source, Known) else "?" for source in each.sources]
    names = names if len(names) < _MANY else [*names[:4], f"and {len(names) - 4} more"]
    target = each.destination.value if isinstance(each.destination, Known) else f"? ({each.destination.reason})"
    parts = []
    if each.files is not None and each.size is not None:
        parts.append(f"{count(each.files, 'file')}, {_size(each.size)}")
    owner = each.owner.value if isinstance(each.owner, Known) else "?"
    parts.append(f"owner {owner}" if owner is not None else "owners kept")
    if each.mode is not None:
        parts.append(f"mode {each.mode}")
    bringer = "" if each.bringer == "context" else f"of {each.bringer} "
    return Row(each.keyword, shown(f"{' '.join(names)} {bringer}-> {target} ({', '.join(parts)})"), place(each.origin))


def layers(made: Inspection, place: Places) -> Iterator[tuple[str, list[Row]]]:
    """The layers of each stage."""
    stages = dict.fromkeys(layer.stage for layer in made.layers)
    for stage in stages:
        mine = [layer for layer in made.layers if layer.stage == stage]
        where = "" if mine[0].is_in_image else ", which are not in the image"
        told: set[str] = set()
        yield f"Layers of stage {shown(stage)}{where}", [_layer(layer, place, told) for layer in mine]


def _layer(layer: Layer, place: Places, told: set[str]) -> Row:
    """A layer with its causes; build arguments only where they count first, as what is below follows anyway."""
    text = shown(layer.text)
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    causes = []
    arguments = [name for name in layer.arguments if name not in told]
    told.update(arguments)
    if arguments:
        causes.append(f"{'arguments' if len(arguments) > 1 else 'argument'} {' '.join(arguments)}")
    if layer.files:
        causes.append(f"{count(layer.files, 'file')} of the context, {_size(layer.size)}")
    causes += layer.reads_from
    because = f"\n<- {shown('; '.join(causes))}" if causes else ""
    return Row(layer.keyword, text + because, place(layer.origin))
