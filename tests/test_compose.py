from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mllint.sources.compose import BUILD_FILES, Value, is_compose_name, parse
from mllint.sources.text import Source

FULL = """\
x-common: &common
  environment: {MODEL: small}
  platform: linux/amd64
services:
  api:
    <<: *common
    image: registry.example/api:1.0  # the tag
    build:
      context: ./api
      dockerfile: docker/Dockerfile.gpu
      target: runtime
      args:
        - CUDA=12.10
        - "TOKEN"
      additional_contexts: {shared: ../common}
    ports:
      - "8000:80"
      - 127.0.0.1:${PORT:-9000}:9000/udp
      - 22:22
      - {target: 5000, published: 5001, protocol: tcp, host_ip: "::1"}
      - '[::1]:6000-6001:6000-6001'
      - 7000
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:80"]
      interval: 30s
      timeout: 5s
      retries: 3
      start_period: 1m
    command: python -m serve "two words"
    entrypoint: [tini, --]
    env_file:
      - common.env
      - {path: more.env, required: false}
    user: 1000:1000
    working_dir: /srv
    gpus: all
    deploy:
      resources:
        reservations:
          devices:
            - {driver: nvidia, count: 2, capabilities: [gpu, utility]}
            - {device_ids: ["0", "3"], capabilities: [tpu]}
    runtime: nvidia
    shm_size: 2gb
    ipc: host
    volumes:
      - ./src:/app:ro,z
      - cache:/root/.cache
      - ${DATA:-/data}:/data
      - C:\\models:/models
      - /scratch
      - {type: bind, source: ./a, target: /b, read_only: true}

  # nothing but a context
  worker:
    build: ./worker
    environment:
      - LEVEL=debug=1
      - HOME
    extends: {service: api}
    env_file: one.env
    healthcheck: {disable: true}
    gpus:
      - {driver: amd, count: 1}
"""


def read(text):
    source = Source("compose.yaml", text)
    return source, parse(source)


def texts(values):
    return [value.text for value in values]


@pytest.fixture(scope="module")
def full():
    source, compose = read(FULL)
    assert compose.problems == ()
    return source, *compose.services


def test_options_of_a_service(full):
    source, api, _ = full
    assert api.name == source.slice(api.name_span) == "api"
    assert source.slice(api.span).startswith("api:\n    <<: *common")
    assert source.slice(api.span).endswith("read_only: true}")
    assert (api.image.text, api.platform.text, api.user.text) == (
        "registry.example/api:1.0",
        "linux/amd64",
        "1000:1000",
    )
    assert (api.runtime.text, api.shm_size.text, api.ipc.text, api.working_dir.text) == (
        "nvidia",
        "2gb",
        "host",
        "/srv",
    )
    assert [(s.name, s.value.text) for s in api.environment] == [("MODEL", "small")]
    assert texts(api.env_file) == ["common.env", "more.env"]
    assert api.command.words() == ("python", "-m", "serve", "two words")
    assert api.entrypoint.words() == ("tini", "--")
    assert not api.is_extension


def test_build(full):
    source, api, worker = full
    assert api.build.context.text == "./api"
    assert api.build.dockerfile.text == "docker/Dockerfile.gpu"
    assert api.build.target.text == "runtime"
    cuda, token = api.build.args
    assert (cuda.name, cuda.value.text, source.slice(cuda.value.span)) == ("CUDA", "12.10", "12.10")
    assert (token.name, token.value, source.slice(token.span)) == ("TOKEN", None, "TOKEN")
    assert [(s.name, s.value.text) for s in api.build.additional_contexts] == [("shared", "../common")]
    assert (worker.build.context.text, source.slice(worker.build.span)) == ("./worker", "./worker")
    assert worker.build.dockerfile is None


def test_ports(full):
    _, api, _ = full
    assert [(p.host, p.published, p.target, p.protocol) for p in api.ports] == [
        ("", "8000", "80", ""),
        ("127.0.0.1", "${PORT:-9000}", "9000", "udp"),
        ("", "22", "22", ""),
        ("::1", "5001", "5000", "tcp"),
        ("[::1]", "6000-6001", "6000-6001", ""),
        ("", "", "7000", ""),
    ]


def test_volumes(full):
    _, api, _ = full
    assert [(v.type, v.source, v.target, v.is_read_only) for v in api.volumes] == [
        ("bind", "./src", "/app", True),
        ("volume", "cache", "/root/.cache", False),
        ("", "${DATA:-/data}", "/data", False),
        ("bind", "C:\\models", "/models", False),
        ("volume", "", "/scratch", False),
        ("bind", "./a", "/b", True),
    ]


def test_health_checks(full):
    _, api, worker = full
    check = api.healthcheck
    assert check.test.words() == ("CMD", "curl", "-f", "http://localhost:80")
    assert (check.interval.text, check.timeout.text, check.retries.text) == ("30s", "5s", "3")
    assert check.start_period.text == "1m"
    assert not check.is_disabled
    assert worker.healthcheck.is_disabled
    _, none = read("services: {a: {healthcheck: {test: [NONE]}}, b: {healthcheck: {test: NONE}}}")
    assert [service.healthcheck.is_disabled for service in none.services] == [True, False]


def test_device_requests(full):
    _, api, worker = full
    every, two, tpu = api.device_requests
    assert (every.is_gpu, every.count.text) == (True, "all")
    assert (two.is_gpu, two.driver.text, two.count.text, texts(two.capabilities)) == (
        True,
        "nvidia",
        "2",
        ["gpu", "utility"],
    )
    assert (tpu.is_gpu, texts(tpu.device_ids)) == (False, ["0", "3"])
    assert [(d.is_gpu, d.driver.text) for d in worker.device_requests] == [(True, "amd")]


def test_environment_as_a_list(full):
    source, _, worker = full
    level, home = worker.environment
    assert (level.name, level.value.text) == ("LEVEL", "debug=1")
    assert (source.slice(level.span), source.slice(level.value.span)) == ("LEVEL", "debug=1")
    assert home.value is None
    assert worker.is_extension
    assert texts(worker.env_file) == ["one.env"]


def test_environment_without_value_comes_from_the_shell():
    _, compose = read("services:\n  a:\n    environment:\n      A:\n      B: ''\n      C: no\n")
    assert [(s.name, s.value and s.value.text) for s in compose.services[0].environment] == [
        ("A", None),
        ("B", ""),
        ("C", "no"),
    ]


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("plain", "plain"),
        ("5$", "5$"),
        ("$$HOME", "$HOME"),
        ("$HOME", None),
        ("${TAG:-latest}", None),
        ("$$$TAG", None),
        ("$$${TAG}", None),
        ("$${TAG}", "${TAG}"),
    ],
)
def test_literal_values(text, literal):
    value = Value(text, None)
    assert value.literal == literal
    assert value.is_literal == (literal is not None)


def test_a_command_with_an_open_quote_has_no_words():
    _, compose = read("services: {a: {command: it's}}")
    assert compose.services[0].command.words() is None


def test_spans_skip_anchors_and_tags_and_keep_quotes():
    source, compose = read(
        "services:\n  a: &a\n    image: &i !!str 'x:1'\n    user: &u\n      app\n  b: *a\n  c: {image: *i}\n"
    )
    a, b, c = compose.services
    assert source.slice(a.image.span) == "'x:1'"
    assert source.slice(a.user.span) == "app"
    assert b.image == c.image == a.image
    assert source.slice(b.span) == "b"


def test_reset_is_as_if_not_given():
    _, compose = read("services: {a: {image: !reset x, ports: !reset [], command: !override [a]}}")
    assert compose.problems == ()
    assert compose.services[0].image is None
    assert compose.services[0].command.words() == ("a",)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("services: {a: b\n", (1, 11), "while parsing a flow mapping: did not find expected ',' or '}'"),
        ("services:\n  a: b: c\n", (2, 7), "mapping values are not allowed in this context"),
        ("services:\n\ta: 1\n", (2, 1), "found character that cannot start any token"),
        ("é: \x07", (1, 4), "unacceptable character U+0007"),
        ("services: *a", (1, 11), "no anchor 'a' before this alias"),
        ("a: &a [*a]", (1, 8), "no anchor 'a' before this alias"),
        ("a: 1\n---\nb: 2\n", (2, 1), "a second document in one file: only the first is read"),
        ("- a", (1, 1), "a compose file must be a table, not a list"),
        ("services: []", (1, 11), '"services" must be a table, not a list'),
        ("services: {web: 3}", (1, 17), '"web" must be a table, not a number'),
        ("services: {web: {}, web: {}}", (1, 21), '"web" is given twice'),
        ("services: {web: {image: [a]}}", (1, 25), '"image" must be a string, not a list'),
        ("services: {web: {build: [a]}}", (1, 25), '"build" must be a string or table, not a list'),
        ("services: {web: {env_file: [[a]]}}", (1, 29), '"env_file" must be a list of strings, not a list'),
        ("services: {web: {volumes: [~]}}", (1, 28), '"volumes" must be a list of strings or tables, not a null'),
        ("services: {web: {<<: 1}}", (1, 22), '"<<" takes a table or a list of tables'),
        ("services: {[a]: {}}", (1, 12), "a key must be a string, not a list"),
        ("[" * 50_000, (1, 101), "nested more than 100 levels deep"),
        ("- " * 50_000, (1, 201), "nested more than 100 levels deep"),
    ],
)
def test_problems_have_places(text, place, message):
    source, compose = read(text)
    first = compose.problems[0]
    assert (source.position(first.span.start), first.message) == (place, message)


def test_an_empty_volume_is_one_of_no_place():
    _, compose = read('services: {web: {volumes: [""]}}')
    assert [(each.source, each.target) for each in compose.services[0].volumes] == [("", "")]


def test_sound_parts_survive_a_problem():
    _, compose = read("services: {a: 1, b: {image: [x], user: app}}")
    assert [service.user.text for service in compose.services] == ["app"]
    assert len(compose.problems) == 2


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "services:\n", "version: '3'\n", "web: {image: x}\n"])
def test_files_without_services(text):
    _, compose = read(text)
    assert (compose.services, compose.problems) == ((), ())


def test_names_of_compose_files():
    more = [
        "docker-compose.override.yml",
        "compose.gpu.yaml",
        "docker-compose-dev.yml",
        "compose_tgi.yaml",
        "tts-compose.yaml",
    ]
    assert all(map(is_compose_name, [*BUILD_FILES, *more, "Docker-Compose.YML"]))
    assert not any(
        map(is_compose_name, ["compose.py", "decompose.yaml", "composer.yml", "docker.yaml", "compose.yaml.j2"])
    )


NAMES = st.from_regex(r"[A-Z][A-Z_]{0,5}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=12)
SERVICES = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    st.fixed_dictionaries(
        {},
        optional={
            "image": TEXTS,
            "user": TEXTS,
            "build": st.fixed_dictionaries(
                {"context": TEXTS}, optional={"target": TEXTS, "args": st.dictionaries(NAMES, TEXTS)}
            ),
            "environment": st.dictionaries(NAMES, TEXTS | st.none()),
            "command": st.lists(TEXTS, max_size=3),
            "env_file": st.lists(TEXTS, max_size=2),
        },
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=200, deadline=None)
@given(services=SERVICES, flow=st.sampled_from([True, False, None]), unicode=st.booleans())
def test_what_is_written_is_read(services, flow, unicode):
    text = yaml.safe_dump({"services": services}, default_flow_style=flow, allow_unicode=unicode, sort_keys=False)
    source, compose = read(text)
    assert compose.problems == ()
    assert [service.name for service in compose.services] == list(services)
    for service, given_options in zip(compose.services, services.values(), strict=True):
        for name in ("image", "user"):
            value = getattr(service, name)
            assert (value.text if value else None) == given_options.get(name)
            if value and source.text[value.span.start] not in "\"'":
                assert " ".join(source.slice(value.span).split()) == " ".join(value.text.split())
        environment = {s.name: s.value and s.value.text for s in service.environment}
        assert environment == given_options.get("environment", {})
        assert all(source.slice(setting.span).strip("'") == setting.name for setting in service.environment)
        assert list(service.command.words() if service.command else ()) == given_options.get("command", [])
        assert texts(service.env_file) == given_options.get("env_file", [])
        if "build" in given_options:
            assert service.build.context.text == given_options["build"]["context"]
            args = {s.name: s.value.text for s in service.build.args}
            assert args == given_options["build"].get("args", {})


@settings(max_examples=200, deadline=None)
@given(
    before=st.text("é😀x", max_size=3),
    words=st.lists(st.from_regex(r"[a-zé😀][a-z0-9:/.@é😀-]{0,6}[a-z0-9]", fullmatch=True), min_size=1, max_size=3),
    end=st.sampled_from(["\n", "\r\n", " # note\n", "\n\n# note\n"]),
)
def test_spans_of_plain_scalars_are_their_text(before, words, end):
    plain = " ".join(words)
    source, compose = read(
        f"# {before}\nservices:\n  {before}a:\n    image: {plain}{end}    command: [{plain}, {plain}]{end}"
    )
    (service,) = compose.services
    assert source.slice(service.image.span) == service.image.text == plain
    assert [source.slice(value.span) for value in service.command.values] == [plain, plain]


FRAGMENTS = st.one_of(
    st.sampled_from(
        ("services", "web", "image", "build", "ports", "volumes", "environment", "healthcheck", "gpus", "test")
    ),
    st.sampled_from(tuple(":-[]{},'#?!&*|>%@`\"")),
    st.sampled_from(
        (": ", "- ", "  ", "\n", "\n  ", "\n    ", "\t", "\r\n", "&a ", "*a", "<<: ", "!t ", "|\n", "---\n", "\0")
    ),
)


@settings(max_examples=200, deadline=None)
@given(text=st.one_of(st.text(), st.lists(FRAGMENTS, max_size=40).map("".join)))
def test_any_text_is_read_without_raising(text):
    source, compose = read(text)
    spans = [problem.span for problem in compose.problems]
    for service in compose.services:
        assert source.slice(service.span).startswith(source.slice(service.name_span))
        spans += [service.span, *(value.span for value in (service.image, service.user) if value)]
    assert all(0 <= span.start <= span.end <= len(text) for span in spans)
