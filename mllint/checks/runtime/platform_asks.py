"""ML360 and ML361: what the platform that an image is for asks of its server."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.runtime.serving import is_behind
from mllint.edits import insert, replace
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image import platforms
from mllint.image.content.written import python_texts
from mllint.image.platforms import Platform
from mllint.image.service import Server
from mllint.image.serving import modules, ports
from mllint.image.stage import Stage
from mllint.patterns import regex

_APPLICATIONS = regex(r"\b(?:FastAPI|Flask|Quart|Starlette|Sanic)\(")
# Routers that a package may bring, paths that are put together, and what answers whatever is asked.
_OPEN = regex(
    r"include_router\(|register_blueprint\(|\.mount\(|\{full_path|<path:|:path\}|add_url_rule\(|add_route\(|\*\*"
)


@check("ML360")
def platform_port_mismatch(stage: Stage) -> Iterator[Finding]:
    """A server on another port than the one that its platform sends requests to."""
    process, server = (stage.process, stage.server) if stage.is_final else (None, None)
    platform = stage.build.platform if server is not None and not server.is_notebook else None
    if process is None or server is None or platform is None or not platform.port:
        return
    opened = ports.listened(stage, process)
    if not opened or platform.port in opened or _takes_port(server, platform) or is_behind(stage, process, server):
        return
    message = f"{_asks(platform)}, but {server.name} listens on {server.port}: no request reaches it"
    related = told(stage, platform)
    severity = None if platform.is_port_sure and platform.row["status"] == "verified" else Severity.WARNING
    where = Location(stage.build.source, process.instruction.span)
    fix = _port_of_space(stage, platform, server.port)
    repair = _listening(platform, server)
    yield Finding(where, message, repair, related, fix, severity, is_strict=not platform.is_port_sure)


def _takes_port(server: Server, platform: Platform) -> bool:
    """Whether the server reads its port from the variable that the platform sets."""
    name = platform.row.get("port_env")
    return name is not None and server.launch.is_port_open and server.launch.row.get("port_env") == name


def _asks(platform: Platform) -> str:
    title, variable = platform.title, platform.row.get("port_env")
    if platform.is_port_sure or variable is None:
        return f"{title} sends requests to port {platform.port}"
    return f"{title} sends requests to the port in {variable}, {platform.port} unless the deployment names another"


def told(stage: Stage, platform: Platform) -> tuple[Related, ...]:
    """The manifest that names the platform."""
    if platform.place is None or platform.place.source is stage.build.source:
        return ()
    return (Related(platform.place, f"makes it an image for {platform.title}"),)


def _listening(platform: Platform, server: Server) -> str:
    if platform.name == "hf-spaces" and platform.place is not None:
        return f"write app_port: {server.port} in {platform.place.path}, or start {server.name} on {platform.port}"
    variable = platform.row.get("port_env")
    if variable is not None:
        option = f"--port ${{{variable}:-{platform.port}}}"
        return f"start {server.name} on the port in {variable}: CMD in shell form, with exec and {option}"
    return f"start {server.name} on {platform.port}"


def _port_of_space(stage: Stage, platform: Platform, port: str) -> Fix | None:
    """The port in the front matter of the README.md of a Space."""
    found = platforms.space(stage.build) if platform.name == "hf-spaces" else None
    if found is None:
        return None
    source, space = found
    edit = insert(source, space.sdk.end, f"\napp_port: {port}")
    if space.port_span is not None:
        edit = replace(source, space.port_span, port)
    return Fix("safe", f"set app_port to {port}", (edit,))


@check("ML361")
def platform_route_missing(stage: Stage) -> Iterator[Finding]:
    """A server without a path that its platform asks for."""
    process, server = (stage.process, stage.server) if stage.is_final else (None, None)
    platform = stage.build.platform if server is not None else None
    if process is None or platform is None or server is None or "routes" not in platform.row:
        return
    texts = _application_texts(stage)
    missing = [route for route in platform.row["routes"].split() if not any(_is_written(route, text) for text in texts)]
    if not texts or not missing or is_behind(stage, process, server):
        return
    message = f"{platform.title} asks for {' and '.join(missing)}, which the application does not answer: {_OUTCOME}"
    where = Location(stage.build.source, process.instruction.span)
    repair = f"answer GET /ping with status 200, and predict at POST /invocations, on port {platform.port}"
    yield Finding(where, message, repair, told(stage, platform))


_OUTCOME = "the endpoint never comes up"


def _is_written(route: str, text: str) -> bool:
    """Whether source names a path in a literal; a function of its name is none."""
    return any(f"{begin}{route[1:]}{end}" in text for begin in "/\"'" for end in "/\"'")


def _application_texts(stage: Stage) -> list[str]:
    """The Python source in the image, where what is served is an application all of whose paths it writes out; none
    where others may bring some."""
    entries = [source.text for source, _ in modules.entry_modules(stage)]
    if not any(_APPLICATIONS.search(text) for text in entries):
        return []
    texts = [each.text for each in python_texts(stage) or ()]
    return [] if any(_OPEN.search(text) for text in texts) else texts
