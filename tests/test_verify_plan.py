from __future__ import annotations

import pytest

from mllint.config import ConfigError
from mllint.verification.plan import PlanError, plan
from mllint.verification.records import Limits

SERVICE = "FROM python:3.11-slim-bookworm AS base\nARG EXTRA=none\nFROM base AS runtime\nFROM runtime AS debug\n"


@pytest.fixture
def tree(tmp_path):
    """Writes files and gives their folder."""
    (tmp_path / ".git").mkdir()

    def tree(**files: str):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return tree


def planned(folder, *paths, **options):
    return plan(paths or (".",), cwd=folder, **options)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["Dockerfile"], ["default"]),
        (["Dockerfile", "Dockerfile.gpu"], ["cpu", "gpu"]),
        (["cuda.Dockerfile", "Dockerfile"], ["cpu", "cuda"]),
        (["Dockerfile", "Dockerfile.dev"], ["default", "dev"]),
        (["api/Dockerfile", "worker/Dockerfile"], ["api", "worker"]),
        (["api/Dockerfile.gpu", "worker/Dockerfile.gpu"], ["gpu", "worker-gpu"]),
        (["a/x/Dockerfile", "b/x/Dockerfile"], ["x", "x-2"]),
        (["Containerfile"], ["default"]),
    ],
)
def test_without_configuration_each_dockerfile_is_a_variant_with_a_name_of_its_own(tree, files, names):
    folder = tree(**dict.fromkeys(files, SERVICE))
    variants = planned(folder)
    assert sorted(each.name for each in variants) == sorted(names)
    assert sorted(each.path.relative_to(folder).as_posix() for each in variants) == sorted(files)
    assert {(each.gpus, each.port, each.health, each.requests) for each in variants} == {("auto", None, None, ())}


def test_a_variant_takes_the_dockerfile_as_it_is_configured(tree):
    folder = tree(
        **{
            ".mllint.yaml": """\
build-args: {EXTRA: all, OTHER: x}
verify:
  limits: {stop: 2s}
  variants:
    cpu: {dockerfile: docker/Dockerfile, context: service, target: runtime, build-args: {EXTRA: cpu}, gpus: none}
    gpu: {dockerfile: docker/Dockerfile, target: debug, gpus: all, root: true, port: 80, limits: {stop: 3s}}
""",
            "docker/Dockerfile": SERVICE,
            "service/main.py": "",
        }
    )
    cpu, gpu = planned(folder)
    assert (cpu.name, cpu.gpus, cpu.limits, cpu.is_root_fine) == ("cpu", "none", Limits(stop=2.0), False)
    assert cpu.build.final is not None
    assert cpu.build.final.name == "runtime"
    assert cpu.build.context.root == folder / "service"
    assert cpu.build.settings.build_args == {"EXTRA": "cpu", "OTHER": "x"}
    assert (gpu.name, gpu.gpus, gpu.limits, gpu.is_root_fine, gpu.port) == ("gpu", "all", Limits(stop=3.0), True, 80)
    assert gpu.build.final is not None
    assert gpu.build.final.name == "debug"
    assert gpu.build.settings.build_args == {"EXTRA": "all", "OTHER": "x"}


def test_the_command_line_wins(tree):
    folder = tree(
        **{
            ".mllint.yaml": "verify: {variants: {one: {target: debug, build-args: {EXTRA: a}, context: other}}}\n",
            "Dockerfile": SERVICE,
            "given/main.py": "",
        }
    )
    (one,) = planned(folder, target="runtime", build_args={"EXTRA": "b"}, context="given")
    assert one.build.settings.target == "runtime"
    assert one.build.settings.build_args == {"EXTRA": "b"}
    assert one.build.context.root == folder / "given"


CONFIGURED = """\
verify:
  health: /up
  variants:
    cpu: {dockerfile: svc/Dockerfile}
    gpu: {dockerfile: svc/Dockerfile.gpu}
    lean: {dockerfile: svc/Dockerfile, target: base}
"""


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ((".",), ["cpu", "gpu", "lean"]),
        (("svc",), ["cpu", "gpu", "lean"]),
        (("svc/Dockerfile",), ["cpu", "lean"]),
        (("svc/Dockerfile.gpu", "."), ["gpu", "cpu", "lean"]),
        (("tools",), ["default"]),
        (("tools/Dockerfile",), ["default"]),
    ],
)
def test_paths_choose_among_the_configured_variants(tree, paths, names):
    files = {"svc/Dockerfile": SERVICE, "svc/Dockerfile.gpu": SERVICE, "tools/Dockerfile": SERVICE}
    folder = tree(**{".mllint.yaml": CONFIGURED, **files})
    variants = planned(folder, *paths)
    assert [each.name for each in variants] == names
    assert {each.health for each in variants} == {"/up"}
    assert all(each.health is None for each in planned(folder, *paths, no_config=True))


def test_services_with_configurations_of_their_own_keep_them_apart(tree):
    config = "verify: {variants: {cpu: {dockerfile: Dockerfile}}}\n"
    folder = tree(
        **{"a/.mllint.yaml": config, "a/Dockerfile": SERVICE, "b/.mllint.yaml": config, "b/Dockerfile": SERVICE}
    )
    found = {each.name: each.path for each in planned(folder)}
    assert found == {"cpu": folder / "a/Dockerfile", "b-cpu": folder / "b/Dockerfile"}
    (other,) = planned(folder, ".", config="b/.mllint.yaml")
    assert other.path == folder / "b/Dockerfile"


@pytest.mark.parametrize(
    ("files", "paths", "message"),
    [
        ({"main.py": ""}, (".",), "there is no Dockerfile in ."),
        ({}, ("missing",), "missing: no such file or directory"),
        ({"Dockerfile": "RUN true\n"}, (".",), "Dockerfile has no FROM: there is nothing to build"),
        (
            {"Dockerfile": SERVICE, ".mllint.yaml": "target: prod\n"},
            (".",),
            "Dockerfile has no stage prod, its stages are base, runtime, debug",
        ),
        (
            {".mllint.yaml": "verify: {variants: {cpu: {dockerfile: Dockerfile.cpu}}}\n"},
            (".",),
            "the variant cpu: Dockerfile.cpu: no such file or directory",
        ),
        (
            {".mllint.yaml": "verify: {variants: {cpu: {context: nowhere}}}\n", "Dockerfile": SERVICE},
            (".",),
            "the build context of Dockerfile is no folder: nowhere",
        ),
    ],
)
def test_what_cannot_be_planned_is_told(tree, files, paths, message):
    with pytest.raises(PlanError) as caught:
        planned(tree(**files), *paths)
    assert str(caught.value) == message


def test_a_configuration_that_is_wrong_is_refused(tree):
    with pytest.raises(ConfigError, match='unknown option "gpu"'):
        planned(tree(**{".mllint.yaml": "verify: {variants: {a: {gpu: all}}}\n"}))
