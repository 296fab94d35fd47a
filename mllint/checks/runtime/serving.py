"""Rules about where a server listens, and with which aids of development."""

import posixpath
import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.runtime import listening_fixes
from mllint.findings import Finding, Location, Related, Severity
from mllint.image import service
from mllint.image.events import Programs
from mllint.image.service import Process, Server
from mllint.image.serving import announced, composed, listening, ports
from mllint.image.serving.ports import Told
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.compose import Service

# What may stand between the network and a server in the same container.
_IN_FRONT = frozenset(
    "nginx nginx-light nginx-full nginx-extras openresty caddy haproxy traefik envoy apache2 httpd apachectl lighttpd"
    " varnish supervisor supervisord s6-svscan runsvdir circusd honcho cloudflared ngrok frpc tailscaled socat".split()
)
_DEVELOPMENT = regex(r"(?:^|[._/-])(?:dev|devel|develop|development|debug|local|test|tests|testing)(?:$|[._/-])")
_RELOADING = "reloading on: a second process watches files that never change, and one process has to serve all requests"
_DEBUGGING = (
    "debugging on: an error shows the source to the client, with a console that runs code for whoever gets its PIN"
)
_AIDS = {"Flask": _DEBUGGING, "Dash": _DEBUGGING}
_INSTEAD_OF_PREVIEW = (
    "serve the built files with nginx; with SvelteKit that takes adapter-static, or set adapter-node and run node build"
)
_DEBUG_VARIABLES = {"FLASK_DEBUG": re.compile("1|true|yes|on", re.IGNORECASE), "FLASK_ENV": re.compile("development")}


@check("ML305")
def server_binds_loopback(stage: Stage) -> Iterator[Finding]:
    """A server that only its own container reaches."""
    yield from _composed_loopback(stage)
    process, server = (stage.process, stage.server) if stage.is_final else (None, None)
    if process is None or server is None or is_behind(stage, process, server):
        return
    is_default_of_gunicorn = server.name == "gunicorn" and server.host.place is None
    host, place = server.host
    if not listening.is_loopback(host):
        return
    platform = stage.build.platform
    if is_default_of_gunicorn and platform is not None and platform.row.get("port_env") == "PORT":
        # With this variable gunicorn listens for everybody.
        return
    tells = f"is told to listen on {host}" if place else f"listens on {host} unless told otherwise"
    message = f"{server.name} {tells}, which only its own container reaches: every published port refuses connections"
    related = (Related(place, "the address is given here"),) if place and place.source is not stage.build.source else ()
    # Platforms that set PORT open it.
    is_sure = server.launch.row["status"] == "verified" and not is_default_of_gunicorn
    severity = None if is_sure else Severity.WARNING
    where = Location(stage.build.source, process.instruction.span)
    fix = listening_fixes.opened(stage, process, server, is_sure)
    yield Finding(where, message, _opened(server), related, fix, severity)


def _composed_loopback(stage: Stage) -> Iterator[Finding]:
    """The same of a command of compose whose ports are published."""
    for each in composed.servers(stage) if stage.is_final else ():
        server, (host, place) = each.server, each.server.host
        if not each.service.ports or not listening.is_loopback(host):
            continue
        tells = f"is told to listen on {host}" if place else f"listens on {host} unless told otherwise"
        message = (
            f"{server.name} {tells} in the compose service {each.service.name}: its published port refuses connections"
        )
        severity = None if server.launch.row["status"] == "verified" else Severity.WARNING
        yield Finding(each.place, message, _opened(server), severity=severity)


def _opened(server: Server) -> str:
    """How the server is told to listen for everybody."""
    row = server.launch.row
    options = server.launch.columns("host_options")
    if server.launch.calls:
        return f'pass {row.get("host_keyword", "host")}="0.0.0.0"'
    if server.name == "TorchServe":
        return "give it a config.properties with inference_address=http://0.0.0.0:8080"
    if not options:
        return f"set {row['host_env']}=0.0.0.0" if "host_env" in row else f"write {row['verb']} 0.0.0.0:{row['port']}"
    return f"add {' '.join(listening_fixes.option(server))}"


def is_behind(stage: Stage, process: Process, server: Server) -> bool:
    """Whether something else in the container, or a network that it shares, may make the server reachable."""
    commands = process.all_commands
    if any(each.name in _IN_FRONT for each in commands) or service.is_in_background(
        server.launch.source, server.executed
    ):
        return True
    if len({each.executed.words for each in service.servers(stage, process)}) > 1:
        return True
    if any(isinstance(event, Programs) and event.package in _IN_FRONT for event in stage.log.events):
        return True
    if process.command is None and len(server.executed.words) <= 1 + len(server.launch.columns("verb")):
        # An ENTRYPOINT so short is made to be given arguments.
        return True
    variables = (server.launch.row.get("host_env"), server.launch.row.get("arguments_env"))
    return _is_replaced(stage) or any(
        each.network_mode is not None or any(entry.name in variables for entry in each.environment)
        for each in stage.build.services
    )


def _is_replaced(stage: Stage, is_for_use: bool = False) -> bool:
    """Whether compose starts something else; perhaps other than for development and tests."""
    if not is_for_use:
        return composed.replaces_process(stage)
    services = (each for each in stage.build.services if not _is_trial(each))
    return any(each.command is not None or each.entrypoint is not None for each in services)


def _is_trial(each: Service) -> bool:
    """Whether a service of compose is named for development or tests, or its file is."""
    return any(_DEVELOPMENT.search(name) for name in (each.name, posixpath.basename(each.source.path)))


@check("ML306")
def port_mismatch(stage: Stage) -> Iterator[Finding]:
    """A server on another port than the one that others are told."""
    yield from _composed_ports(stage)
    process, server = (stage.process, stage.server) if stage.is_final else (None, None)
    if process is None or server is None or _is_replaced(stage):
        return
    opened = ports.listened(stage, process)
    if not opened:
        return
    listens = f"{server.name} listens on {server.port}"
    mistold = list(_mistold(stage, server, opened))
    for message, (port, place), repair in mistold:
        is_own = place.source is stage.build.source
        where = place if is_own else Location(stage.build.source, process.instruction.span)
        started = Related(Location(server.launch.source, server.executed.span), f"{listens} here")
        related = (started,) if is_own else (Related(place, "the other port is here"),)
        fix = listening_fixes.retold(stage, server, place, port) if len(mistold) == 1 else None
        yield Finding(where, message, repair, related, fix)


def _composed_ports(stage: Stage) -> Iterator[Finding]:
    """The same of a command of compose."""
    for each in composed.servers(stage) if stage.is_final else ():
        told, port = each.published(), each.server.port
        opened = {port, *each.server.launch.columns("more_ports")}
        if not told or not port.isdecimal() or any(other.port in opened for other in told):
            continue
        message = (
            f"the compose service {each.service.name} publishes port {told[0].port}, but its command starts"
            f" {each.server.name} on {port}: connections are refused"
        )
        related = (Related(each.place, "the command"),)
        yield Finding(told[0].place, message, f"publish {port} of the container", related)


def _mistold(stage: Stage, server: Server, opened: frozenset[str]) -> Iterator[tuple[str, Told, str]]:
    """What names another port, with the repair."""
    listens = f"but {server.name} listens on {server.port}"
    for told in ports.exposed_instead(stage, opened)[:1]:
        message = f"EXPOSE names port {told.port}, {listens}: docker run -P and platforms that read it reach nothing"
        yield message, told, f"write EXPOSE {server.port}, or start {server.name} on {told.port}"
    for told in ports.probed(stage):
        if told.port not in opened:
            message = f"the health check asks port {told.port}, {listens}: the container never becomes healthy"
            yield message, told, f"ask port {server.port}"
    for name, every in ports.published(stage, server):
        if not any(port in opened for port, _ in every):
            message = f"the compose service {name} publishes port {every[0].port}, {listens}: connections are refused"
            yield message, every[0], f"publish {server.port} of the container"


@check("ML310")
def reload_or_debug_server(stage: Stage) -> Iterator[Finding]:
    """A server of an image for use that runs with aids of development."""
    process, server = (stage.process, stage.server) if stage.is_final else (None, None)
    if process is None or _is_for_development(stage) or _is_replaced(stage, is_for_use=True):
        return
    if server is None:
        yield from _shown_or_watched(stage, process)
        return
    place = server.development or _debug_variable(stage, server)
    where = Location(stage.build.source, process.instruction.span)
    if place is not None:
        is_own = place.source is stage.build.source
        related = () if is_own else (Related(place, "it is switched on here"),)
        said = _AIDS.get(server.name, _RELOADING)
        if not is_own:
            line = place.source.position(place.span.start)[0]
            said = said.replace(" on:", f" on ({posixpath.basename(place.source.path)}:{line}):", 1)
        message = f"{server.name} runs with {said}"
        fix = listening_fixes.without_aids(stage, server, place)
        yield Finding(place if is_own else where, message, "switch it off in the image", related, fix)
    elif server.launch.row.get("purpose") == "development":
        yield _for_development_only(stage, server, where)
    else:
        yield from _shown_or_watched(stage, process)


def _shown_or_watched(stage: Stage, process: Process) -> Iterator[Finding]:
    """Vite, and a script that is handed the option by which servers watch their files."""
    if announced.preview(stage, process) is not None:
        message = "vite preview shows a build to its developer: Vite says itself that it is no server for production"
        where = Location(stage.build.source, process.instruction.span)
        yield Finding(where, message, _INSTEAD_OF_PREVIEW)
    handed = process.command.instruction if process.command is not None and process.entrypoint is not None else None
    for word in handed.words if handed is not None else ():
        if "--reload" in word.text.split():
            message = f"CMD hands on --reload, which switches {_RELOADING}"
            yield Finding(Location(stage.build.source, word.span), message, "leave it out of the image")


def _for_development_only(stage: Stage, server: Server, where: Location) -> Finding:
    name = f"{server.launch.row['program']} {server.launch.row['verb']}"
    message = f"{name} starts the server that {server.name} has for development: one process, not made for load"
    instead = "fastapi run" if server.name == "FastAPI" else "gunicorn or uvicorn"
    fix = listening_fixes.run_instead_of_dev(stage, server)
    return Finding(where, message, f"start {instead} instead", fix=fix, is_strict=server.name != "FastAPI")


def _debug_variable(stage: Stage, server: Server) -> Location | None:
    """The ENV that switches debugging on, for a server that reads it."""
    for step in stage.steps_before(None) if server.name == "Flask" else ():
        for pair in step.instruction.pairs if step.instruction.keyword == "ENV" else ():
            pattern, value = _DEBUG_VARIABLES.get(pair.key.text), stage.end.env.get(pair.key.text)
            if pattern is not None and isinstance(value, str) and pattern.fullmatch(value):
                return Location(stage.build.source, pair.value.span)
    return None


def _is_for_development(stage: Stage) -> bool:
    """Whether a name (of the file, the stage, the target) or a compose file that watches the source says that nobody
    serves others with it."""
    if any(each.is_watched for each in stage.build.services):
        return True
    path = "/".join(stage.build.source.path.lower().rsplit("/", 2)[-2:])
    names = [path, stage.name or "", (stage.build.settings.target or "").lower()]
    return any(_DEVELOPMENT.search(name) for name in names)
