"""How a server is started: the address, port and workers that its options, its environment, a file it reads or the
Python source that calls it say, else those of the table."""

from __future__ import annotations

import ast
import re
import shlex
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Location
from mllint.image.values import Unknown, Value
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.sources import python
from mllint.sources.shell_tree import Word
from mllint.sources.text import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage
    from mllint.sources.python import Call
    from mllint.sources.text import Source

_PORT_OPTIONS = (
    "--rest_api_port --rest_port --http-port --server.port --http-socket --http --port --bind --listen -b -p".split()
)
_PORT = regex(r"(?:.*:)?(\d+|\$\w+|\$\{[^}]*\})")
_ADDRESS = regex(r"(?:https?://)?(\[[^]]*\]|[^:/]*)(?::(?:\d+|\$.*))?")
_NAMED = regex(r"\$\{?(\w+)\}?")
_LOOPBACK = regex(r"127(?:\.\d+){1,3}|localhost|\[?::1\]?")
_NO_NETWORK = ("unix:", "fd:", "fd://", "/", "%")
_APPLICATION = regex(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(?:\(.*\))?")
_MODULE = regex(r"[A-Za-z_][\w.]*")
# Options of gunicorn without a value.
_FLAGS = ("--reload", "--preload", "--daemon", "-D", "--capture-output", "-R", "--no-sendfile", "--log-syslog")
# Options whose values look like an application.
_NO_APPLICATION = ("-c", "--config", "-k", "--worker-class", "--log-config", "--logger-class", "--loop", "--http")
# What the configuration files that mllint reads call the address.
_ADDRESS_SETTINGS = {"gunicorn": "bind", "TorchServe": "inference_address"}
_OFF = (False, None, 0, "")


class Option(NamedTuple):
    """The value of an option, and where it stands."""

    value: str
    is_literal: bool
    place: Location | None


class Said(NamedTuple):
    """A value and where it is said; a default stands nowhere."""

    value: Value
    place: Location | None = None


class Launch(NamedTuple):
    """A server that a command starts, or Python source that the command runs."""

    stage: Stage
    row: Mapping[str, str]
    """What the table `servers` says of it."""
    executed: Executed
    source: Source
    """The text that the command stands in."""
    program: Source | None = None
    """The Python source that starts it."""
    calls: tuple[Call, ...] = ()
    """The calls there that do."""

    def columns(self, name: str) -> list[str]:
        """The words of a column of the row."""
        return self.row.get(name, "").split()

    def options(self, *names: str) -> list[Option]:
        """The values of options: those of the command, else those of the variable that the server takes some from."""
        own = option_values(self.executed.words[1:], names)
        if own or "arguments_env" not in self.row:
            return [Option(word.value, word.is_literal, Location(self.source, word.span)) for word in own]
        place = _setting(self.stage, self.row["arguments_env"])
        words = option_values(self.preset, names)
        return [Option(word.value, word.is_literal, place) for word in words]

    @property
    def preset(self) -> tuple[Word, ...]:
        """The words of that variable."""
        name = self.row.get("arguments_env")
        value = self.variable(name) if name else None
        if not isinstance(value, str):
            return ()
        try:
            texts = shlex.split(value)
        except ValueError:
            return ()
        return tuple(Word(text, text, True, self.executed.span) for text in texts)

    @property
    def is_port_open(self) -> bool:
        """Whether it takes the port from its environment, as neither an option, nor a file, nor the call names it."""
        if self.calls:
            return not any({"port", "server_port"} & each.keywords.keys() for each in self.calls)
        return _port_commanded(self) is None and not any(True for _ in _files(self))

    def calling(self, call: Call) -> Location | None:
        """The place of one of the calls."""
        return Location(self.program, self.program.line_span(call.line)) if self.program else None

    def variable(self, name: str) -> Value | None:
        """A variable of the server's environment; None where it is surely not set."""
        end = self.stage.end
        found = self.executed.environment.get(name, end.env.get(name))
        if found is None and end.may_hold(name):
            return Unknown(f"{self.stage.root.base.text} may set {name}")
        return found


def is_loopback(host: Value) -> bool:
    """Whether only the container itself reaches this address."""
    return isinstance(host, str) and _LOOPBACK.fullmatch(host.lower()) is not None


def option_values(words: Sequence[Word], names: Sequence[str]) -> list[Word]:
    """The values of options in all their forms: `--port 80`, `--port=80`, `-p80`."""
    found = []
    for word, behind in zip_longest(words, words[1:]):
        name, equals, value = word.value.partition("=")
        if name in names and equals:
            found.append(word._replace(value=value))
        elif name in names and behind is not None:
            found.append(behind)
        elif word.value[:2] in names and not word.value.startswith("--") and len(word.value) > 2:
            found.append(word._replace(value=word.value[2:]))
    return found


def host(launch: Launch) -> Said:
    """The address that it listens on. Of several the first that others reach."""
    said = [_called(launch, call) for call in launch.calls] or _commanded(launch)
    hosts = [each if each is not None else _unsaid(launch) for each in said] or [_unsaid(launch)]
    return next((each for each in hosts if not is_loopback(each.value)), hosts[0])


def _commanded(launch: Launch) -> list[Said | None]:
    if launch.row.get("operand") == "address":
        words = [word for word in launch.executed.words[2:] if re.match(r"[\w.\[\]:]+:\d+$", word.value)]
        return [Said(_host(word.value), Location(launch.source, word.span)) for word in words]
    return [Said(_host(each.value), each.place) for each in launch.options(*launch.columns("host_options"))]


def _called(launch: Launch, call: Call) -> Said | None:
    """What a call says; None where it leaves it open."""
    keyword = launch.row.get("host_keyword", "host")
    place = launch.calling(call)
    # A tunnel or a ready socket makes the address unimportant.
    if {keyword, "**", "share", "sock", "fd", "uds"} & call.computed or call.keywords.get("share") not in _OFF:
        return Said(Unknown(f"{call.name} computes where it listens"), place)
    given = call.keywords.get(keyword)
    if launch.row.get("host_position") and call.positional:
        given = call.argument or Unknown(f"{call.name} computes where it listens")
    if given is None:
        return None
    return Said(given if isinstance(given, Unknown) else str(given), place)


def _unsaid(launch: Launch) -> Said:
    """The address where neither options nor calls name one."""
    found = _of_environment(launch) or _of_files(launch)
    if found is not None:
        return found if isinstance(found.value, Unknown) else found._replace(value=_host(found.value))
    return Said(launch.row.get("host") or Unknown(f"where {launch.row['server']} listens by default is not known"))


def _of_environment(launch: Launch) -> Said | None:
    if launch.row["server"] == "gunicorn":
        # It listens for everybody once a platform gives it a port.
        is_said = isinstance(launch.variable("GUNICORN_CMD_ARGS"), Unknown) or launch.variable("PORT") is not None
        return Said(Unknown("its environment says where it listens")) if is_said else None
    name = launch.row.get("host_env")
    value = launch.variable(name) if name else None
    if value is None:
        return None
    return Said(value, _setting(launch.stage, str(name)))


def _of_files(launch: Launch) -> Said | None:
    """The address in a configuration file, as far as mllint reads those of the server."""
    name = _ADDRESS_SETTINGS.get(launch.row["server"])
    if name is None:
        found = next(_files(launch), None)
        if found is None:
            return None
        return Said(found if isinstance(found, Unknown) else Unknown(f"{found.path} may say where it listens"))
    setting = configured(launch, name)
    if setting is None:
        return None
    value = setting.value
    if isinstance(value, list | tuple) and not isinstance(value, Unknown) and value:
        value = value[0]
    return Said(value if isinstance(value, str | Unknown) else Unknown(f"{name} is no address"), setting.place)


class Setting(NamedTuple):
    """What a configuration file gives a name: a literal value, or Unknown."""

    value: object
    place: Location | None = None


def configured(launch: Launch, name: str) -> Setting | None:
    """The setting of this name in the configuration file of a server; None where the file leaves it alone or where
    there is none."""
    for found in _files(launch):
        if isinstance(found, Unknown):
            return Setting(found)
        value = _assigned(launch.stage, found, name)
        if value is not None:
            line = re.search(rf"^{name}\b.*", found.text, re.MULTILINE)
            return Setting(value, Location(found, Span(*line.span())) if line else None)
    return None


def _files(launch: Launch) -> Iterator[Source | Unknown]:
    """The files that configure it: the one its options name, else those it looks for."""
    view, state = launch.stage.view, launch.stage.end
    given = launch.options(*launch.columns("config_options"))
    for path in [given[-1].value.removeprefix("file:")] if given else launch.columns("config"):
        place = view.resolve(path, state, launch.executed.directory)
        node = place if isinstance(place, Unknown) else view.find(place)
        if isinstance(node, Node):
            text = launch.stage.build.context.text(node.origin) if node.origin is not None else None
            yield text or Unknown(f"what {path} says is not known")
        elif node is not None or given:
            yield node or Unknown(f"{path} is not there")


def _assigned(stage: Stage, source: Source, name: str) -> object:
    """The literal value that a Python file gives a name, or the text that one of properties does; None where it leaves
    the name alone."""
    lines = re.findall(rf"^{name}\s*=\s*(.+)$", source.text, re.MULTILINE)
    if not source.path.endswith(".py"):
        return lines[-1].strip() if lines else None
    module = stage.build.context.inputs.parsed(source, python.parse)
    if module is not None and name not in module.names and "*" not in module.imported:
        return None
    try:
        value = ast.literal_eval(lines[0]) if len(lines) == 1 else None
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        value = None
    return value if value is not None else Unknown(f"{source.path} computes {name}")


def _host(text: str) -> Value:
    """The host of an address; empty, as in `:8000`, it is every one."""
    if text.startswith(_NO_NETWORK) or text.isdecimal():
        return Unknown("no host and port")
    match = _ADDRESS.fullmatch(text)
    name = match[1] if match else text
    return Unknown(f"{name} is set when it starts") if "$" in name else name or "0.0.0.0"


def _setting(stage: Stage, name: str) -> Location | None:
    """The ENV that sets a variable."""
    for step in reversed(stage.steps_before(None)):
        for pair in step.instruction.pairs if step.instruction.keyword == "ENV" else ():
            if pair.key.text == name:
                return Location(stage.build.source, pair.value.span)
    return None


def port(launch: Launch) -> str:
    """The port: a number, or a variable as written; empty where it is not known."""
    if launch.calls:
        return _port_called(launch)
    given = _port_commanded(launch)
    if given is None and launch.row.get("operand") == "address":
        given = next((word for word in reversed(launch.executed.arguments) if re.search(r"(?:^|:)\d+$", word)), None)
        given = given.rpartition(":")[2] if given else None
    return given if given is not None else _port_unsaid(launch)


def _port_called(launch: Launch) -> str:
    ports = set()
    for call in launch.calls:
        given = call.keywords.get("port", call.keywords.get("server_port"))
        is_open = bool({"port", "server_port", "**"} & call.computed) or call.positional > 1
        ports.add("" if is_open else _port_unsaid(launch) if given is None else str(given))
    return ports.pop() if len(ports) == 1 else ""


def _port_commanded(launch: Launch) -> str | None:
    for option in _PORT_OPTIONS:
        for each in launch.options(option):
            if match := _PORT.fullmatch(each.value):
                return match.group(1)
    return None


def _port_unsaid(launch: Launch) -> str:
    if launch.row["server"] == "gunicorn" and isinstance(launch.variable("GUNICORN_CMD_ARGS"), Unknown):
        return ""
    in_file = _of_files(launch) if "config" in launch.row or "config_options" in launch.row else None
    if in_file is not None:
        match = _PORT.fullmatch(in_file.value) if isinstance(in_file.value, str) else None
        return match[1] if match else ""
    name = launch.row.get("port_env")
    value = launch.variable(name) if name else None
    if value is None:
        return launch.row["port"]
    return value if isinstance(value, str) and value.isdecimal() else ""


def application(launch: Launch) -> Word | None:
    """The `module:attribute` that the command names."""
    values = option_values(launch.executed.words[1:], _NO_APPLICATION)
    found = [
        word
        for word in launch.executed.words[1:]
        if _APPLICATION.fullmatch(word.value) and not any(word.span == value.span for value in values)
    ]
    if not found and launch.row["server"] == "gunicorn":
        found = [word for word in _operands(launch.executed.words[1:]) if _MODULE.fullmatch(word.value)]
    return found[0] if len(found) == 1 and found[0].is_literal else None


def _operands(words: Sequence[Word]) -> Iterator[Word]:
    """What surely is no option of gunicorn and no value of one."""
    is_value = False
    for word in words:
        if not word.value.startswith("-"):
            if not is_value:
                yield word
            is_value = False
        else:
            is_long = word.value.startswith("--")
            is_value = "=" not in word.value if is_long else len(word.value) == 2
            is_value = is_value and word.value not in _FLAGS


def workers(launch: Launch) -> Value:
    """How many processes serve, as far as the command and the environment tell."""
    given = launch.options("--workers", "-w")
    value = given[-1].value if given else launch.variable("WEB_CONCURRENCY")
    if isinstance(value, str) and (match := _NAMED.fullmatch(value)):
        value = launch.variable(match[1])
    return value if isinstance(value, Unknown) or (value and value.isdecimal()) else Unknown("not a number")


def development(launch: Launch) -> Location | None:
    """Where reloading or debugging is switched on."""
    for word in launch.executed.words[1:]:
        name, equals, value = word.value.partition("=")
        if name in launch.columns("reload_options") and value.lower() not in ("false", "0", "no"):
            return Location(launch.source, word.span) if equals or name != "--server.runOnSave" else None
    if any(word.value in launch.columns("reload_options") for word in launch.preset):
        return _setting(launch.stage, launch.row["arguments_env"])
    if "reload_setting" in launch.row:
        setting = configured(launch, launch.row["reload_setting"])
        if setting is not None and setting.value is True:
            return setting.place
    for call in launch.calls:
        if any(call.keywords.get(name) is True for name in launch.columns("reload_keywords")):
            return launch.calling(call)
    return None
