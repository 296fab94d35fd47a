from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mllint
from mllint import facts
from mllint.config import PLATFORMS
from mllint.sources import compose, manifests
from mllint.sources.text import Source

SPACE = "---\ntitle: Demo\nsdk: docker\napp_port: 8000\n---\n# Demo\n"
FUNCTION = """\
Resources:
  Scorer:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
      ImageConfig: {Command: [app.handler]}
      Role: !GetAtt Role.Arn
    Metadata: {DockerContext: ../api, Dockerfile: docker/Dockerfile.lambda}
  Zipped:
    Type: AWS::Serverless::Function
    Properties: {Handler: app.handler}
"""
CLOUD_BUILD = """\
steps:
  - name: gcr.io/cloud-builders/docker
    args: [build, --tag=IMAGE, --file, api/Dockerfile, .]
  - name: gcr.io/google.com/cloudsdktool/cloud-sdk
    entrypoint: gcloud
    args: [run, deploy, api, --image, IMAGE, --port, "9000"]
"""
SERVER = 'FROM python:3.11.15-slim-bookworm\nCMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8000"]\n'


def found(tmp_path, **options):
    report = mllint.lint(["."], cwd=tmp_path, preset="all", **options)
    return [(each.rule.id, each.message) for each in report.findings if each.rule]


def test_the_table_has_every_platform_of_the_configuration():
    assert {row["platform"] for row in facts.rows("platforms")} == set(PLATFORMS)


@pytest.mark.parametrize(
    ("text", "port"),
    [
        (SPACE, "8000"),
        (SPACE.replace("\n", "\r\n"), "8000"),
        (SPACE.replace("app_port: 8000\n", ""), ""),
        (SPACE.replace("docker", "'docker' # own image"), "8000"),
        (SPACE.replace("docker", "gradio"), None),
        (SPACE.replace("---\ntitle", "\n---\ntitle"), None),
        ("sdk: docker\n", None),
    ],
)
def test_a_space_is_told_by_the_front_matter(text, port):
    space = manifests.space(Source("README.md", text))
    assert (space.port if space else None) == port


def test_a_function_with_an_image_names_its_dockerfile_and_command():
    (function,) = manifests.functions(Source("template.yaml", FUNCTION))
    assert (function.platform, function.dockerfile) == ("lambda", "../api/docker/Dockerfile.lambda")
    assert function.command == ("app.handler",)


def test_cloud_build_counts_with_one_image_that_it_deploys():
    (service,) = manifests.cloud_build(Source("cloudbuild.yaml", CLOUD_BUILD))
    assert (service.platform, service.dockerfile, service.port) == ("cloud-run", "api/Dockerfile", "9000")
    assert not manifests.cloud_build(Source("cloudbuild.yaml", CLOUD_BUILD.replace("--image, IMAGE", "--image, OTHER")))
    another = "steps:\n  - {name: docker, args: [build, -t, OTHER, other]}"
    assert not manifests.cloud_build(Source("cloudbuild.yaml", CLOUD_BUILD.replace("steps:", another)))
    below = CLOUD_BUILD.replace("/docker\n", "/docker\n    dir: services\n")
    assert manifests.cloud_build(Source("cloudbuild.yaml", below))[0].dockerfile == "services/api/Dockerfile"


@given(st.text(alphabet="abAS:-#{}[]&*!\n \"'|>?%@", max_size=60), st.sampled_from([FUNCTION, CLOUD_BUILD, SPACE]))
def test_a_broken_manifest_names_nothing_or_something_but_never_raises(noise, whole):
    for at in (0, len(whole) // 2, len(whole)):
        source = Source("x.yaml", whole[:at] + noise + whole[at:])
        for read in (manifests.functions, manifests.build_config, manifests.cloud_build):
            assert isinstance(read(source), tuple)
        manifests.space(source)


def test_the_configuration_wins_over_a_manifest(tmp_path):
    (tmp_path / "Dockerfile").write_text(SERVER)
    (tmp_path / "README.md").write_text(SPACE.replace("8000", "7000"))
    assert any(rule == "ML360" for rule, _ in found(tmp_path))
    (tmp_path / ".mllint.yaml").write_text("platform: kubernetes\n")
    assert not any(rule == "ML360" for rule, _ in found(tmp_path))


def test_a_platform_with_probes_and_users_of_its_own_wants_neither_healthcheck_nor_user(tmp_path):
    (tmp_path / "Dockerfile").write_text(SERVER)
    assert {"ML301", "ML201"} <= {rule for rule, _ in found(tmp_path)}
    (tmp_path / "README.md").write_text(SPACE)
    assert not {"ML301", "ML201"} & {rule for rule, _ in found(tmp_path)}


def test_a_readme_speaks_for_the_dockerfile_beside_it_alone(tmp_path):
    (tmp_path / "Dockerfile.dev").write_text(SERVER)
    (tmp_path / "README.md").write_text(SPACE.replace("8000", "7000"))
    assert not any(rule == "ML360" for rule, _ in found(tmp_path))


def test_compose_tells_what_can_be_written_to():
    text = "services:\n  a: {build: ., read_only: true, tmpfs: /tmp}\n  b: {build: ., tmpfs: ['/run:size=1m', /tmp]}\n"
    first, second = compose.parse(Source("compose.yaml", text)).services
    assert (first.is_read_only, [each.text for each in first.tmpfs]) == (True, ["/tmp"])
    assert (second.is_read_only, [each.text for each in second.tmpfs]) == (False, ["/run:size=1m", "/tmp"])
