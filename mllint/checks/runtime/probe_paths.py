"""Rules about where a health check asks."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from mllint.checks import check
from mllint.checks.runtime import asking, probe
from mllint.edits import replace
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.events import Programs
from mllint.image.serving import closed_routes, passing, probes, routes, uses
from mllint.image.serving.closed_routes import Application
from mllint.image.serving.probes import Probe
from mllint.image.serving.uses import Use
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.text import Span

_URL = regex(
    r"http://(?P<host>localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(?P<port>\d+|\$\w+|\$\{[^}]*\}))?"
    r"(?P<path>/[\w./~-]*)?(?=[\s\"'\\?#)\],]|$)"
)
# Options by which curl does not send a GET.
_OTHER_METHODS = regex(r"(?:^|\s)(?:-X|--request|-d|--data\S*|-F|--form|-I|--head|-T|--upload-file)")


class Asked(NamedTuple):
    """What a health check asks for by a literal URL."""

    path: str
    place: Location
    """That of the path; of the URL where it has none."""


@check("ML343")
def healthcheck_path_not_served(stage: Stage) -> Iterator[Finding]:
    """A health check that asks for what the application does not know."""
    found = probes.of(stage) if stage.is_final and stage.server is not None else ()
    known = closed_routes.application(stage) if found else None
    for each in found:
        asked = _asked(stage, each)
        if known is not None and asked is not None and _is_unserved(known, asked):
            yield _unserved(stage, each, known, asked)


def _is_unserved(known: Application, asked: Asked) -> bool:
    methods = _methods(known, asked)
    # A path that the source names in another way may be answered in one.
    is_named = not methods and asked.path in known.named
    return not is_named and "GET" not in methods


def _methods(known: Application, asked: Asked) -> frozenset[str]:
    """The methods that are answered at the path."""
    return frozenset[str]().union(*(route.methods for route in known.routes if route.covers(asked.path)))


def _unserved(stage: Stage, each: Probe, known: Application, asked: Asked) -> Finding:
    methods = " and ".join(sorted(_methods(known, asked)))
    name = known.source.path.rpartition("/")[2]
    answers = f"answers only {methods} there (405)" if methods else "has no such route (404)"
    message = f"{each.who} asks {asked.path}, but {name} {answers}: the container will never be healthy"
    path = routes.health(stage, stage.server) if stage.server is not None else None
    is_open = path is not None
    path = path or routes.likeliest([each.path for each in known.routes if each.is_plain])
    repair = f"ask {path}" if path is not None else f"add the route to {name}, or ask one that it has"
    related = (Related(Location(known.source, known.source.line_span(known.line)), "the application is made here"),)
    fix = None
    if path is not None and asked.place.source.slice(asked.place.span) == asked.path:
        fix = Fix("safe" if is_open else "unsafe", repair, (replace(asked.place.source, asked.place.span, path),))
    return Finding(asked.place, message, repair, related, fix)


def _asked(stage: Stage, each: Probe) -> Asked | None:
    """The one URL that decides whether the check passes."""
    source, span = each.where.source, each.where.span
    found = [*_URL.finditer(source.text, span.start, span.end)]
    if len(found) != 1 or not any(_fails_on_errors(stage, use) for use in each.uses) or len(each.uses) != 1:
        return None
    port = found[0]["port"] or "80"
    is_its = not port.isdecimal() or stage.server is None or port == stage.server.port
    if not is_its or passing.why(each, stage.end.shell) is not None or probe.is_broken(stage, each):
        return None
    at = Span(*found[0].span("path" if found[0]["path"] else 0))
    return Asked(found[0]["path"] or "/", Location(source, at))


def _fails_on_errors(stage: Stage, use: Use) -> bool:
    """Whether an answer that is an error ends it with one, and it sends a plain GET."""
    if use.executed.name in ("curl", "wget"):
        found = asking.by_tool(use.executed)
        return found is not None and found.is_strict and not _OTHER_METHODS.search(" ".join(use.executed.arguments))
    code = uses.code(stage, use)
    if code is None:
        return False
    asked = asking.by_python(code[0].text)
    return asked.is_strict if asked is not None else _is_plain_urlopen(code[0].text)


def _is_plain_urlopen(text: str) -> bool:
    """Whether code asks with urllib.request, catches nothing and sends nothing."""
    try:
        nodes = [*ast.walk(ast.parse(text))]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    calls = [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("urlopen")]
    is_get = len(calls) == 1 and all(each.arg == "timeout" for each in calls[0].keywords)
    is_plain = is_get and len(calls[0].args) == 1 and isinstance(calls[0].args[0], ast.Constant)
    return is_plain and not any(isinstance(node, ast.Try | ast.TryStar | ast.With) for node in nodes)


@check("ML346")
def healthcheck_localhost_ipv6(stage: Stage) -> Iterator[Finding]:
    """BusyBox wget that asks `localhost`, of a server that listens on IPv4 alone."""
    server = stage.server if stage.is_final else None
    host = server.host.value if server is not None else None
    if server is None or host not in ("0.0.0.0", "127.0.0.1") or not _has_busybox(stage):
        return
    for each in probes.of(stage):
        found = [*_URL.finditer(each.where.source.text, each.where.span.start, each.where.span.end)]
        runs_wget = any(use.executed.name == "wget" for use in each.uses)
        if not runs_wget or len(found) != 1 or found[0]["host"] != "localhost":
            continue
        place = Location(each.where.source, Span(*found[0].span("host")))
        message = (
            f"{each.who} asks localhost with the wget of BusyBox, which tries ::1 alone where the container has IPv6,"
            f" but {server.name} listens on {host}: the connection is refused"
        )
        fix = Fix("safe", "ask 127.0.0.1", (replace(place.source, place.span, "127.0.0.1"),))
        yield Finding(place, message, "ask 127.0.0.1", fix=fix)


def _has_busybox(stage: Stage) -> bool:
    """Whether wget is that of BusyBox: the base has no other, and no package brings GNU's."""
    found = (event for event in stage.log.events if isinstance(event, Programs))
    return stage.root.base.family in ("alpine", "busybox") and all(event.package != "wget" for event in found)
