"""What an image is in truth: its configuration by the engine, and what a container of it answers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from mllint.image.configuration import Healthcheck

if TYPE_CHECKING:
    from claims import Claims, Questions
    from engine import Engine

_AS_USER = r"""
id -u
printf 'home=%s\n' "$HOME"
for name in $PROGRAMS; do
    printf 'program\t%s\t%s\n' "$name" "$(command -v "$name")"
done
for each in $(command -v python3 || command -v python) $PYTHONS; do
    [ -x "$each" ] || continue
    printf 'version\t%s\t%s\n' "$each" "$("$each" --version 2>&1)"
    printf 'prefix\t%s\t%s\n' "$each" "$("$each" -c 'import os, sys; print(os.path.realpath(sys.prefix))')"
    packages=$("$each" -m pip list --format=json --disable-pip-version-check 2>/dev/null) ||
        packages=$("$each" -c '
import importlib.metadata as metadata, json
print(json.dumps([{"name": each.name, "version": each.version} for each in metadata.distributions()]))')
    printf 'packages\t%s\t%s\n' "$each" "$packages"
done
"""
_AS_ROOT = r"""
printf '%s\n' "$PATHS" | while read -r path; do
    printf '%s\t%s\n' "$path" "$(stat -L -c '%F|%u|%a' "$path" 2>/dev/null)"
done
"""


def probe(engine: Engine, image: str, asked: Questions) -> Claims:
    """The true values of all that can be claimed of an image."""
    config = engine.client.images.get(image).attrs["Config"]
    found = _configuration(config)
    variables = {"PROGRAMS": " ".join(asked.programs), "PYTHONS": " ".join(asked.pythons)}
    uid, home, *lines = _run(engine, image, _AS_USER, variables, "").splitlines()
    found["image", "uid"], found["image", "home"] = uid, home.removeprefix("home=")
    found |= _answers([line.split("\t", 2) for line in lines])
    for line in _run(engine, image, _AS_ROOT, {"PATHS": "\n".join(asked.paths)}, "0").splitlines():
        found |= _file(*line.split("\t"))
    return found


def _run(engine: Engine, image: str, script: str, variables: dict[str, str], user: str) -> str:
    exports = "".join(f"{name}={_quoted(value)}\n" for name, value in variables.items())
    output: bytes = engine.client.containers.run(
        image,
        ["-c", exports + script],
        entrypoint=["/bin/sh"],
        user=user or None,
        labels=engine.labels,
        remove=True,
    )
    return output.decode()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _configuration(config: dict[str, Any]) -> Claims:
    env = dict(pair.split("=", 1) for pair in config["Env"])
    found: Claims = {("env", name): value for name, value in env.items()}
    found["env", "all names"] = tuple(sorted(env))
    found |= {("label", name): value for name, value in (config["Labels"] or {}).items()}
    found |= {("port", port): True for port in config.get("ExposedPorts") or ()}
    found |= {("volume", path): True for path in config.get("Volumes") or ()}
    return found | {
        ("image", "user"): config["User"] or "root",
        ("image", "directory"): config["WorkingDir"] or "/",
        ("image", "stop signal"): config.get("StopSignal"),
        ("image", "entrypoint"): tuple(config["Entrypoint"] or ()),
        ("image", "command"): tuple(config["Cmd"] or ()),
        ("image", "health check"): _health(config.get("Healthcheck")),
    }


def _health(config: dict[str, Any] | None) -> Healthcheck | None:
    """A duration of 0, and none, is the default of the engine."""
    if config is None:
        return None
    defaults = {"Interval": 30.0, "Timeout": 30.0, "StartPeriod": 0.0, "StartInterval": 5.0}
    times = [config.get(name, 0) / 1e9 or default for name, default in defaults.items()]
    return Healthcheck(tuple(config["Test"]), *times, config.get("Retries", 0) or 3)


def _answers(lines: list[list[str]]) -> Claims:
    found: Claims = {}
    for topic, name, answer in lines:
        match topic:
            case "program":
                found["program", name] = bool(answer) or None
                found["path of program", name] = answer or None
            case "version":
                found["version of", name] = answer.removeprefix("Python ")
                found.setdefault(("python", "version"), answer.removeprefix("Python "))
            case "prefix":
                found.setdefault(("python", "prefix"), answer)
            case "packages":
                found |= _packages(name, json.loads(answer))
    return found


def _packages(where: str, listed: list[dict[str, str]]) -> Claims:
    versions = {re.sub(r"[-_.]+", "-", each["name"]).lower(): each["version"] for each in listed}
    found: Claims = {(f"package in {where}", name): True for name in versions}
    found |= {(f"version in {where}", name): version for name, version in versions.items()}
    found[f"packages in {where}", "all names"] = tuple(sorted(versions))
    return found


def _file(path: str, answer: str) -> Claims:
    if not answer:
        return {("kind", path): None}
    kind, uid, mode = answer.split("|")
    return {
        ("kind", path): "folder" if kind == "directory" else "file",
        ("owner", path): uid,
        ("mode", path): int(mode, 8) & 0o777,
    }
