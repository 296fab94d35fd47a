"""What health checks ask for, told from Python code and from the words of curl and wget."""

from __future__ import annotations

import pytest

from mllint.checks.runtime import asking
from mllint.checks.runtime.asking import Asked
from mllint.image.shell.commands import from_text
from mllint.image.shell.scope import Scope
from mllint.sources.text import Logical, Source, Span

URL = "'http://localhost:8000/health'"


@pytest.mark.parametrize(
    ("code", "is_strict", "timeout"),
    [
        (f"import requests; requests.get({URL})", False, None),
        (f"import requests; requests.get({URL}).raise_for_status()", True, None),
        (f"import requests as r; r.get({URL}, timeout=2.5).raise_for_status()", True, "2.5"),
        (f"from httpx import get; get({URL}, timeout=3).raise_for_status()", True, "3"),
        (f"import sys, requests; sys.exit(0 if requests.get({URL}).status_code == 200 else 1)", True, None),
        (f"import sys,requests;r=requests.get({URL});sys.exit(not r.ok)", True, None),
        (f"import requests; r = requests.get({URL}); assert r.status_code == 200", True, None),
        (f"import requests; exit(0) if requests.get({URL}).ok else exit(1)", True, None),
        (f"import httpx; exit(0 if httpx.get({URL}).is_success else 1)", True, None),
    ],
)
def test_code_that_passes_where_the_server_answers_is_understood(
    code: str, is_strict: bool, timeout: str | None
) -> None:
    assert asking.by_python(code) == Asked(URL, timeout, is_strict)


@pytest.mark.parametrize(
    "code",
    [
        "import requests; assert requests.get('http://localhost:8000/').json()['ready']",
        "import requests; requests.post('http://localhost:8000/predict', json={})",
        "import requests; requests.get('http://localhost:8000/', headers={'X-Key': 'a'})",
        "import requests; requests.get('https://localhost:8000/', verify=False)",
        "import requests; requests.get('https://localhost:8000/')",
        "import requests; assert requests.get('http://localhost:8000/').status_code == 404",
        "import requests; assert 'ok' in requests.get('http://localhost:8000/').text",
        "import requests; requests.get('http://a/'); requests.get('http://b/')",
        "import requests, time; time.sleep(5); requests.get('http://localhost:8000/')",
        "import requests, settings; requests.get(settings.URL)",
        "import requests; requests.get('http://localhost:8000/', timeout=(1, 2))",
        "import requests; requests.get(",
        "print('up')",
    ],
)
def test_code_that_does_more_is_left_alone(code: str) -> None:
    assert asking.by_python(code) is None


def test_a_url_from_the_environment_keeps_its_module() -> None:
    asked = asking.by_python("import os, requests; requests.get(f'http://localhost:{os.environ[\"PORT\"]}/').ok")
    assert asked is not None
    assert asking.code(asked) == (
        "import os, urllib.request; urllib.request.urlopen(f'http://localhost:{os.environ[\"PORT\"]}/')"
    )


def by_tool(line: str) -> Asked | None:
    *_, last = from_text(Logical.of(Source("Dockerfile", line), Span(0, len(line))), Scope(None, "/"))
    return asking.by_tool(last)


@pytest.mark.parametrize(
    ("line", "is_strict", "timeout"),
    [
        ("curl http://localhost:8000/health", False, None),
        ("curl -f http://localhost:8000/health", True, None),
        ("curl --fail --silent http://localhost:8000/health", True, None),
        ("curl -fsSL -o /dev/null -m 3 'http://localhost:8000/health'", True, "3"),
        ("curl -sSo /dev/null --max-time 5 --fail localhost:8000/health", True, "5"),
        ("curl localhost:8000/health -fs", True, None),
        ("wget -q --spider http://localhost:8000/health", True, None),
        ("wget -qO- -T 3 -t 1 http://localhost:8000/health", True, "3"),
        ("wget --no-verbose --tries=1 --timeout=2 --spider http://localhost:8000/health", True, "2"),
        ("wget -O /dev/null http://localhost:8000/health", True, None),
    ],
)
def test_options_that_change_nothing_are_understood(line: str, is_strict: bool, timeout: str | None) -> None:
    assert by_tool(line) == Asked(URL, timeout, is_strict)


@pytest.mark.parametrize(
    "line",
    [
        "curl -f -X POST http://localhost:8000/health",
        "curl -I http://localhost:8000/health",
        "curl -f -H 'X-Key: a' http://localhost:8000/health",
        "curl -fk https://localhost:8443/health",
        "curl -sw '%{http_code}' http://localhost:8000/health",
        "curl -f --unix-socket /run/api.sock http://localhost/health",
        "curl -f -o /tmp/answer http://localhost:8000/health",
        "curl -f http://localhost:8000/a http://localhost:8000/b",
        "curl -f 'http://localhost:$PORT/health'",
        'curl -f "http://localhost:$(cat /port)/health"',
        "wget --post-data=a http://localhost:8000/health",
        "curl --version",
        "nc -z localhost 8000",
    ],
)
def test_options_that_mean_more_are_left_alone(line: str) -> None:
    assert by_tool(line) is None


def test_a_variable_of_the_shell_stays_in_the_url() -> None:
    asked = by_tool('curl -f "http://localhost:${PORT:-8000}/health"')
    assert asked is not None
    assert asked.url == "'http://localhost:${PORT:-8000}/health'"
