"""What an image is in truth: its configuration by the engine, and what a container of it answers."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from mllint.image.configuration import Healthcheck

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from docker import DockerClient

    from mllint.verification.claims import Claim, Claims, Questions

_AS_USER = r"""
echo asked
id -u
printf 'home=%s\n' "$HOME"
for each in $(command -v python3 || command -v python) $PYTHONS; do
    [ -x "$each" ] || continue
    printf '%s\t%s\n' "$each" "$("$each" -c "$TELL")"
done
true
"""
# Not importlib.metadata: most images have its modules without their bytecode, and to compile them takes half a second.
_TELL = r"""
import os, sys
found = []
for folder in sys.path:
    for entry in sorted(os.listdir(folder or ".")) if os.path.isdir(folder or ".") else ():
        path = os.path.join(folder, entry)
        if entry.endswith(".dist-info"):
            path = os.path.join(path, "METADATA")
        elif not entry.endswith(".egg-info"):
            continue
        elif os.path.isdir(path):
            path = os.path.join(path, "PKG-INFO")
        name = version = ""
        for line in open(path, "rb") if os.path.isfile(path) else ():
            text = line.decode("utf-8", "replace")
            if text.startswith("Name:"):
                name = text[5:].strip()
            elif text.startswith("Version:"):
                version = text[8:].strip()
            elif not text.strip():
                break
        if name:
            found.append(name + " " + version)
print("\t".join([".".join(map(str, sys.version_info[:3])), os.path.realpath(sys.prefix)] + found))
"""
_AS_ROOT = r"""
command -v stat >/dev/null && echo asked
# Not `command -v`, which knows the shell's own commands before the programs of their names.
on_path() {
    IFS=:
    for folder in $PATH; do
        [ -f "$folder/$1" ] && [ -x "$folder/$1" ] && echo "$folder/$1" && return
    done
}
for name in $PROGRAMS; do
    printf 'program\t%s\t%s\n' "$name" "$(on_path "$name")"
done
stat -L -c '%n|%F|%u|%a' "$@" 2>/dev/null
true
"""
_LIMIT = 60.0
"""Seconds that a container may take to answer."""
_WAIT = "read nothing"
"""What keeps a container there until it is removed, without a program but the shell."""


class Engine(Protocol):
    """Where containers are made, and how what is made is labelled."""

    @property
    def client(self) -> DockerClient: ...

    @property
    def labels(self) -> Mapping[str, str]: ...


def probe(engine: Engine, image: str, asked: Questions) -> Claims:
    """The true values of all that can be asked of an image; its configuration alone where it has no shell."""
    return Probe(engine, image).answers(asked)


class Probe:
    """A container of an image that does nothing but wait to be asked, without a network."""

    def __init__(self, engine: Engine, image: str) -> None:
        """Start it, which is most of what the answers take."""
        import docker.errors

        self.engine = engine
        api = engine.client.api
        self.config: Mapping[str, Any] = api.inspect_image(image)["Config"] or {}
        self.container: str = api.create_container(
            image,
            entrypoint=["/bin/sh"],
            command=["-c", _WAIT],
            stdin_open=True,
            host_config=api.create_host_config(network_mode="none"),
            labels=dict(engine.labels),
        )["Id"]
        try:
            api.start(self.container)
            self.has_shell = True
        except docker.errors.APIError:
            self.has_shell = False

    def answers(self, asked: Questions) -> Claims:
        """The true values of all that can be asked, once: the container is gone afterwards."""
        import docker.errors

        api = self.engine.client.api
        found = configuration(self.config)
        # Without its container a program that hangs ends.
        limit = threading.Timer(_LIMIT, api.kill, (self.container,))
        limit.start()
        try:
            if not self.has_shell:
                return found
            with ThreadPoolExecutor(2) as both:
                parts = [both.submit(each, self.engine, self.container, asked) for each in (_of_user, _of_files)]
                return found | parts[0].result() | parts[1].result()
        except docker.errors.APIError:
            return found
        finally:
            limit.cancel()
            api.remove_container(self.container, v=True, force=True)


def _of_user(engine: Engine, container: str, asked: Questions) -> Claims:
    """What the user of the image sees."""
    script = _with(_AS_USER, PYTHONS=" ".join(asked.pythons), TELL=_TELL)
    lines = _output(engine, container, ["/bin/sh", "-c", script], "")
    if lines[:1] != ["asked"]:
        return {}
    found: Claims = {("image", "uid"): lines[1], ("image", "home"): lines[2].removeprefix("home=")}
    for line in lines[3:]:
        where, _, answer = line.partition("\t")
        if answer:
            found |= {claim: value for claim, value in _python(where, *answer.split("\t")) if claim not in found}
    found.setdefault(("python", "version"), None)
    return found


def _python(where: str, version: str, prefix: str, *listed: str) -> Iterator[tuple[Claim, Any]]:
    """What one interpreter tells; the first of a distribution's versions on its path is the one that counts."""
    yield ("version of", where), version
    yield ("python", "version"), version
    yield ("python", "prefix"), prefix
    versions: dict[str, str] = {}
    for each in listed:
        name, _, number = each.partition(" ")
        versions.setdefault(re.sub(r"[-_.]+", "-", name).lower(), number)
    for name, number in versions.items():
        yield (f"package in {where}", name), True
        yield (f"version in {where}", name), number
    yield (f"packages in {where}", "all names"), tuple(sorted(versions))


def _of_files(engine: Engine, container: str, asked: Questions) -> Claims:
    """Which programs are on the PATH and what lies at the paths, as root sees them: what is in the image need not be
    within reach of its user."""
    script = _with(_AS_ROOT, PROGRAMS=" ".join(asked.programs))
    lines = _output(engine, container, ["/bin/sh", "-c", script, "sh", *asked.paths], "0")
    if lines[:1] != ["asked"]:
        return {}
    found: Claims = {("kind", path): None for path in asked.paths}
    for line in lines[1:]:
        if line.startswith("program\t"):
            _, name, where = line.split("\t")
            found["program", name] = bool(where) or None
            found["path of program", name] = where or None
            continue
        path, kind, uid, mode = line.rsplit("|", 3)
        found["kind", path] = "folder" if kind == "directory" else "file"
        found["owner", path] = uid
        found["mode", path] = int(mode, 8) & 0o777
    return found


def _output(engine: Engine, container: str, command: Sequence[str], user: str) -> list[str]:
    api = engine.client.api
    started = api.exec_create(container, list(command), user=user, stderr=False)["Id"]
    output: bytes = api.exec_start(started)
    # What was cut off tells nothing.
    return [] if api.exec_inspect(started)["ExitCode"] else output.decode("utf-8", "replace").split("\n")[:-1]


def _with(script: str, **variables: str) -> str:
    """A script that knows variables."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in variables.items()) + script


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def configuration(config: Mapping[str, Any]) -> Claims:
    """What the engine says of an image's configuration."""
    env = dict(pair.split("=", 1) for pair in config.get("Env") or ())
    found: Claims = {("env", name): value for name, value in env.items()}
    found["env", "all names"] = tuple(sorted(env))
    found |= {("label", name): value for name, value in (config.get("Labels") or {}).items()}
    found |= {("port", port): True for port in config.get("ExposedPorts") or ()}
    found |= {("volume", path): True for path in config.get("Volumes") or ()}
    return found | {
        ("image", "user"): config.get("User") or "root",
        ("image", "directory"): config.get("WorkingDir") or "/",
        ("image", "stop signal"): config.get("StopSignal"),
        ("image", "entrypoint"): tuple(config.get("Entrypoint") or ()),
        ("image", "command"): tuple(config.get("Cmd") or ()),
        ("image", "health check"): _health(config.get("Healthcheck")),
    }


def _health(config: Mapping[str, Any] | None) -> Healthcheck | None:
    """A duration of 0, and none, is the default of the engine."""
    if config is None:
        return None
    defaults = {"Interval": 30.0, "Timeout": 30.0, "StartPeriod": 0.0, "StartInterval": 5.0}
    interval, timeout, start_period, start_interval = (
        config.get(name, 0) / 1e9 or default for name, default in defaults.items()
    )
    retries = config.get("Retries", 0) or 3
    return Healthcheck(tuple(config.get("Test") or ()), interval, timeout, start_period, start_interval, retries)
