from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mllint.config import ConfigError, load
from mllint.verification.configuration import VariantSettings
from mllint.verification.records import Limits, Provider, Request

YAML = """\
verify:
  base-images: {python:3.11-slim: registry.example/mirror/python:3.11-slim}
  env: {LOG_LEVEL: debug, WORKERS: 1}
  health: /health
  requests:
    - {path: /ready}
  limits: {size: 1.5GB, healthy: 60s}
  variants:
    cpu:
      dockerfile: docker/Dockerfile
      context: .
      target: runtime
      build-args: {EXTRA: cpu, DEBUG: no}
      gpus: none
      port: 8000
      root: true
      requests:
        - path: /predict
          method: post
          json: {features: [5.1, 3, -0.5], name: null, flags: {deep: yes}}
          headers: {X-Team: iris}
          status: 201
          shape: {species: string, probabilities: [number], extra: {deep: any}, nothing: null}
    gpu:
      dockerfile: docker/Dockerfile.gpu
      gpus: all
      env: {WORKERS: 2}
      health: none
      provider: {path: /health, member: model.device, gpu: [cuda]}
      limits: {healthy: 2m30s, stop: 500ms}
      base-images: {"nvidia/cuda:12.4.1-runtime-ubuntu22.04": registry.example/cuda:12}
"""

TOML = """\
[tool.mllint.verify]
base-images = { "python:3.11-slim" = "registry.example/mirror/python:3.11-slim" }
env = { LOG_LEVEL = "debug", WORKERS = 1 }
health = "/health"
requests = [{ path = "/ready" }]
limits = { size = "1.5GB", healthy = 60 }

[tool.mllint.verify.variants.cpu]
dockerfile = "docker/Dockerfile"
context = "."
target = "runtime"
build-args = { EXTRA = "cpu", DEBUG = "no" }
gpus = "none"
port = 8_000
root = true

[[tool.mllint.verify.variants.cpu.requests]]
path = "/predict"
method = "post"
json = { features = [5.1, 3, -0.5], flags = { deep = true } }
headers = { X-Team = "iris" }
status = 201
shape = { species = "string", probabilities = ["number"], extra = { deep = "any" }, nothing = "null" }

[tool.mllint.verify.variants.gpu]
dockerfile = "docker/Dockerfile.gpu"
gpus = "all"
env = { WORKERS = 2 }
health = "none"
provider = { path = "/health", member = "model.device", gpu = ["cuda"] }
limits = { healthy = "2m30s", stop = "500ms" }
base-images = { "nvidia/cuda:12.4.1-runtime-ubuntu22.04" = "registry.example/cuda:12" }
"""


@pytest.fixture
def read(tmp_path):
    """The section of a configuration."""

    def read(text: str, name: str = ".mllint.yaml"):
        (tmp_path / name).write_text(text)
        return load(tmp_path / name).verify

    return read


@pytest.mark.parametrize(("name", "text"), [(".mllint.yaml", YAML), ("pyproject.toml", TOML)])
def test_both_formats_say_the_same(read, name, text):
    verify = read(text, name)
    assert list(verify.variants) == ["cpu", "gpu"]
    body = {"features": [5.1, 3, -0.5], "name": None, "flags": {"deep": True}}
    if name == "pyproject.toml":
        del body["name"]
    mirror = {"python:3.11-slim": "registry.example/mirror/python:3.11-slim"}
    shape = {"species": "string", "probabilities": ["number"], "extra": {"deep": "any"}, "nothing": "null"}
    assert verify.variants["cpu"] == VariantSettings(
        "docker/Dockerfile",
        ".",
        "runtime",
        {"EXTRA": "cpu", "DEBUG": "no"},
        "none",
        8000,
        {"LOG_LEVEL": "debug", "WORKERS": "1"},
        True,
        "/health",
        (Request("/predict", "POST", body, {"X-Team": "iris"}, 201, shape),),
        None,
        Limits(1_500_000_000, 60.0, 10.0),
        mirror,
    )
    assert verify.variants["gpu"] == VariantSettings(
        dockerfile="docker/Dockerfile.gpu",
        gpus="all",
        env={"LOG_LEVEL": "debug", "WORKERS": "2"},
        health="none",
        requests=(Request("/ready"),),
        provider=Provider("/health", "model.device", ("cuda",)),
        limits=Limits(1_500_000_000, 150.0, 0.5),
        base_images={**mirror, "nvidia/cuda:12.4.1-runtime-ubuntu22.04": "registry.example/cuda:12"},
    )


def test_defaults_alone_hold_for_what_nobody_configured(read):
    verify = read("verify: {health: /up, limits: {stop: 3}}\n")
    assert verify.variants == {}
    assert verify.defaults == VariantSettings(health="/up", limits=Limits(stop=3.0))
    assert read("preset: all\n") is None


@pytest.mark.parametrize(
    ("text", "size"), [("800MiB", 838860800), ("2 GB", 2 * 10**9), ("1500", 1500), ("0.5g", 5 * 10**8)]
)
def test_sizes(read, text, size):
    assert read(f"verify: {{limits: {{size: {text}}}}}\n").defaults.limits.size == size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("verify: [cpu]\n", '1:9: "verify" must be a table, not a list'),
        ("verify: {variant: {}}\n", '1:10: unknown option "variant", did you mean "variants"?'),
        ("verify: {variants: {cpu: {gpu: all}}}\n", '1:27: unknown option "gpu", did you mean "gpus"?'),
        ("verify: {variants: {a: {gpus: 1}}}\n", '1:31: "gpus" must be a string, not a number'),
        (
            "verify: {variants: {a: {gpus: al}}}\n",
            '1:31: "gpus" must be one of none, auto, all, not "al", did you mean "all"?',
        ),
        ("verify: {variants: {a: {port: 99999}}}\n", '1:31: "port" must be a number from 1 to 65535, not 99999'),
        ("verify: {variants: {a: {port: '80'}}}\n", '1:31: "port" must be a number from 1 to 65535, not a string'),
        ("verify: {health: health}\n", '1:18: "health" must be a path that begins with a slash, not "health"'),
        ("verify: {health: }\n", '1:17: "health" must be a string, not nothing'),
        ("verify: {requests: {path: /}}\n", '1:20: "requests" must be a list of requests, not a table'),
        ("verify: {requests: [{method: GET}]}\n", '1:21: "requests" lacks "path"'),
        ("verify: {requests: [{path: /, status: 99}]}\n", '1:39: "status" must be a number from 100 to 599, not 99'),
        ("verify: {requests: [{path: /, method: 'A B'}]}\n", '1:39: "method" must be a method like POST, not "A B"'),
        ("verify: {requests: [{path: /, json: {a: .inf}}]}\n", '1:41: "a" is .inf, and JSON knows no such number'),
        (
            "verify: {requests: [{path: /, shape: {a: strng}}]}\n",
            '1:42: "a" must be one of string, number, integer, boolean, object, array, null, any, a table or a list,'
            ' not "strng", did you mean "string"?',
        ),
        (
            "verify: {requests: [{path: /, shape: {a: []}}]}\n",
            '1:42: "a" must be a list of one shape, that of all its members',
        ),
        ("verify: {variants: {a: {provider: {path: /health}}}}\n", '1:35: "provider" lacks "member"'),
        ("verify: {limits: {size: big}}\n", '1:25: "size" must be a size like 1.5GB or 800MiB, not "big"'),
        ("verify: {limits: {stop: 1 s}}\n", '1:25: "stop" must be a time like 90s or 1m30s, not "1 s"'),
        (
            "verify:\n  base-images: {Python:3.11: a}\n",
            '2:17: "Python:3.11" is no image: the image name Python has upper-case letters; repositories have'
            " lower-case names",
        ),
        ("verify: {base-images: [a]}\n", '1:23: "base-images" must be a table, not a list'),
    ],
)
def test_refusals_name_the_place(read, tmp_path, text, expected):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value).removeprefix(f"{tmp_path.as_posix()}/.mllint.yaml:") == expected


@pytest.mark.parametrize(("text", "imported"), [("preset: all\n", False), ("verify: {health: /up}\n", True)])
def test_only_a_configuration_that_verifies_imports_what_reads_it(tmp_path, text, imported):
    (tmp_path / ".mllint.yaml").write_text(text)
    code = (
        "import sys; from pathlib import Path; from mllint.config import load\n"
        f"load(Path({str(tmp_path)!r}) / '.mllint.yaml')\n"
        "print('mllint.verification.records' in sys.modules)"
    )
    root = Path(__file__).parent.parent
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout == f"{imported}\n"
