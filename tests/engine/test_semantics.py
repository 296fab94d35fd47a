"""The build on paper says of images what the engine says of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mllint.config import Settings
from mllint.image.accounts import home
from mllint.image.build import Build
from mllint.image.configuration import Healthcheck, Port
from mllint.image.context import Context, Tree
from mllint.inputs import Inputs
from mllint.sources import dockerfile
from mllint.sources.text import Source

if TYPE_CHECKING:
    from engine import Engine

    from mllint.image.stage import Stage, State

STAGES = {
    "env": 'ARG K=KEY\nENV $K=1 B=$KEY C="a b"\nENV L x  y "z" $B\nENV S=\'$K\' Q="${K}" N=$12 T=a\\"b Z=a\\ b',
    "modifiers": "ENV V=3.11.8-slim C='a b'\nENV U=${NONE:-d} M=${V%.*} W=${V##*-} X=${V/slim/full} Y=${V#*.}",
    "arg hides env": "ENV E=env\nARG E=arg\nLABEL during=$E\nENV E=later\nLABEL behind=$E",
    "arg without a value": "ENV E=env\nARG E\nARG G\nLABEL e=$E g=${G:-none}${G:+some}",
    "child inherits arguments": "ARG A=1\nENV E=env\nARG E=arg\nFROM a\nLABEL a=$A e=$E",
    "stage without them": "ARG A=1\nFROM scratch\nLABEL a=[$A]",
    "predefined": "LABEL http=[$HTTP_PROXY] os=[$TARGETOS]\nARG HTTP_PROXY\nLABEL declared=$HTTP_PROXY",
    "command of child goes": 'CMD ["x"]\nFROM a\nENTRYPOINT ["y"]',
    "own command stays": 'CMD ["x"]\nFROM a\nCMD ["z"]\nENTRYPOINT foo  "bar"',
    "empty entrypoint": 'ENTRYPOINT ["y"]\nCMD ["x"]\nFROM a\nENTRYPOINT []',
    "shell": 'SHELL ["/x", "-y"]\nFROM a\nCMD bar $X\nHEALTHCHECK CMD foo',
    "working directories": 'WORKDIR "a b"\nENV D=c\nWORKDIR $D/\nFROM a\nWORKDIR ../d/',
    "users": "USER 1:$NONE",
    "no user": "USER $NONE",
    "ports": 'ARG P="81 82"\nENV R=9000-9002\nEXPOSE 8000 $R/udp $P 1:90 "83" 84/TCP',
    "volumes": 'ARG V="/v w"\nVOLUME /a $V "/b"\nVOLUME ["/x y", "$V"]\nSTOPSIGNAL ${S:-SIGINT}\nUSER app:staff',
    "labels": 'ARG V=x\nLABEL legacy some $V text\nLABEL "q r"="s t" $V=y \\\n  z=1\nMAINTAINER me $V',
    "health": 'HEALTHCHECK --interval=1m30s --timeout=0 --start-period=1.5h --retries=0 CMD foo $X "b"\nFROM a',
    "health in exec form": 'healthcheck --start-interval=500ms --retries=7 cmd ["a", "b"]',
    "health removed": "HEALTHCHECK CMD foo\nFROM a\nHEALTHCHECK NONE",
    "triggers wait": "ONBUILD LABEL one=1\nONBUILD RUN false",
    "triggers": 'ARG Q=q\nONBUILD LABEL one=1 q=$Q\nONBUILD ENV TWO=2\nONBUILD CMD ["t"]\nFROM a AS b\n'
    'ENTRYPOINT ["e"]\nLABEL two=$TWO\nFROM b\nLABEL three=$TWO',
}


@pytest.mark.parametrize("name", STAGES)
def test_configurations(engine: Engine, tmp_path: Path, name: str):
    text = f"FROM scratch AS a\n{STAGES[name]}\n"
    build_args = {"HTTP_PROXY": "http://proxy.example"}
    (tmp_path / "Dockerfile").write_text(text)
    image = engine.client.images.get(engine.build(tmp_path, build_args=build_args))
    assert on_paper(paper(tmp_path, text, build_args)) == as_inspected(image.attrs["Config"], engine.labels)


def test_platform_arguments_want_a_declaration(engine: Engine, tmp_path: Path):
    text = "FROM --platform=$BUILDPLATFORM scratch\nLABEL a=[$TARGETOS]\nARG TARGETOS\nLABEL b=[$TARGETOS]\n"
    (tmp_path / "Dockerfile").write_text(text)
    labels = engine.client.images.get(engine.build(tmp_path)).labels
    assert (labels["a"], labels["b"]) == ("[]", "[linux]")


def test_home(engine: Engine, tmp_path: Path, debian_base: str):
    text = (
        f"FROM {debian_base}\n"
        "RUN useradd --create-home --uid 1000 app && useradd --non-unique --uid 1000 --home-dir /twin twin\n"
        "ARG USER\nUSER $USER\nRUN echo $HOME >/tmp/home\n"
    )
    (tmp_path / "Dockerfile").write_text(text)
    homes = {"0": "/root", "root": "/root", "1000": "/home/app", "app": "/home/app", "twin": "/home/app"}
    for user in ("root", "app", "twin", "1000:7", "4242", ":5"):
        image = engine.build(tmp_path, build_args={"USER": user})
        state = paper(tmp_path, text, {"USER": user}).end
        in_run, at_run_time = engine.run(image, "sh", "-c", "cat /tmp/home; echo $HOME").splitlines()
        assert (in_run, at_run_time) == (home(state, homes.get), home(state, homes.get, at_run_time=True))


def paper(folder: Path, text: str, build_args: dict[str, str]) -> Stage:
    context = Context(Tree(folder), Inputs(folder), None, (), True)
    return Build(dockerfile.parse(Source("Dockerfile", text)), context, Settings(build_args=build_args)).stages[-1]


def on_paper(stage: Stage) -> dict[str, Any]:
    end = stage.end
    return {
        "Env": dict(end.env),
        "User": end.user if end.user != "root" else "",
        "WorkingDir": end.directory,
        "Entrypoint": stage.entrypoint,
        "Cmd": stage.command,
        "ExposedPorts": exposed(end),
        "Volumes": {volume.value for volume in end.volumes},
        "Labels": {name: label.value for name, label in end.labels.items()},
        "StopSignal": end.stop_signal.value if end.stop_signal else "",
        "Healthcheck": end.healthcheck.value if end.healthcheck else None,
        "OnBuild": [trigger.rest.text for trigger in end.triggers],
        "Shell": end.shell,
    }


def exposed(state: State) -> set[str]:
    ports = [port.value for port in state.exposed if isinstance(port.value, Port)]
    return {f"{number}/{port.protocol}" for port in ports for number in range(port.first, port.last + 1)}


def as_inspected(config: dict[str, Any], ours: dict[str, str]) -> dict[str, Any]:
    return {
        "Env": dict(pair.split("=", 1) for pair in config["Env"]),
        "User": config.get("User", ""),
        "WorkingDir": config.get("WorkingDir") or "/",
        "Entrypoint": tuple(config.get("Entrypoint") or ()),
        "Cmd": tuple(config.get("Cmd") or ()),
        "ExposedPorts": set(config.get("ExposedPorts") or ()),
        "Volumes": set(config.get("Volumes") or ()),
        "Labels": {name: value for name, value in (config.get("Labels") or {}).items() if name not in ours},
        "StopSignal": config.get("StopSignal", ""),
        "Healthcheck": health(config.get("Healthcheck")),
        "OnBuild": config.get("OnBuild") or [],
        "Shell": tuple(config.get("Shell") or ("/bin/sh", "-c")),
    }


def health(config: dict[str, Any] | None) -> Healthcheck | None:
    """A duration of 0, and none, is the default of the engine."""
    if config is None:
        return None
    defaults = {"Interval": 30.0, "Timeout": 30.0, "StartPeriod": 0.0, "StartInterval": 5.0}
    times = [config.get(name, 0) / 1e9 or default for name, default in defaults.items()]
    return Healthcheck(tuple(config["Test"]), *times, config.get("Retries", 0) or 3)
