"""`mllint base describe` on real images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from engine import Engine
from typer.testing import CliRunner

from mllint.cli.commands import command_line

app = command_line()


def describe(*words: str) -> Any:
    result = CliRunner().invoke(app, ["base", "describe", *words])
    assert result.exit_code == 0, result.output
    return yaml.safe_load(result.stdout)["bases"]


def containers(engine: Engine) -> list[Any]:
    return engine.client.containers.list(all=True, filters={"label": "mllint=describe"})


def test_a_python_image(engine: Engine, python_base: str):
    found = describe(python_base, "--name", "registry.example/*")["registry.example/*"]
    assert (found["distro"], found["suite"], found["user"]) == ("debian", "bookworm", "root")
    assert found["python"].startswith("3.11")
    assert {"sh", "python3", "pip"} <= set(found["programs"])
    assert "libc.so.6" in found["libraries"]
    assert containers(engine) == []


def test_an_image_without_a_shell_and_a_command(engine: Engine, tmp_path: Path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY hello /hello\nUSER 1000\nVOLUME /data\n")
    (tmp_path / "hello").write_text("hello")
    image = engine.build(tmp_path)
    found = describe(image)[image]
    assert (found["python"], found["programs"], found["user"]) == ("none", [], "1000")
    assert containers(engine) == []


def test_an_image_that_is_not_there(engine: Engine):
    result = CliRunner().invoke(app, ["base", "describe", "registry.example/none:1"])
    assert result.exit_code == 3
    assert "docker pull registry.example/none:1" in result.stderr
