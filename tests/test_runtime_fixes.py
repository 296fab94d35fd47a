"""Repairs of commands and health checks in places that a wrong edit would break."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mllint

if TYPE_CHECKING:
    from pathlib import Path

BASE = "FROM python:3.11.15-slim-bookworm\nRUN pip install --no-cache-dir fastapi==0.109.0 uvicorn==0.27.0\n"


def repaired(folder: Path, rule: str, text: str, **files: str) -> str:
    """The Dockerfile after the fixes of one rule, which change nothing when they are asked for once more."""
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    path = folder / "Dockerfile"
    path.write_text(text)
    mllint.fix([folder], unsafe=True, select=[rule], preset="all", cwd=folder)
    after = path.read_text()
    mllint.fix([folder], unsafe=True, select=[rule], preset="all", cwd=folder)
    assert path.read_text() == after
    return after.removeprefix(BASE)


def test_exec_goes_into_a_text_for_a_shell_with_escapes_behind_the_server(tmp_path: Path) -> None:
    text = 'CMD ["sh", "-c", "cd /app && uvicorn main:app --log-config \\"$LOGS\\""]\n'
    assert repaired(tmp_path, "ML303", BASE + text) == text.replace("uvicorn", "exec uvicorn")


def test_a_text_for_a_shell_with_escapes_in_front_of_the_server_is_left_alone(tmp_path: Path) -> None:
    text = 'CMD ["sh", "-c", "cd \\"$APP\\" && uvicorn main:app --host 0.0.0.0"]\n'
    assert repaired(tmp_path, "ML303", BASE + text) == text


def test_a_shell_that_has_work_left_stays(tmp_path: Path) -> None:
    for command in (
        "uvicorn main:app; echo stopped",
        "uvicorn main:app || sleep 60",
        "(uvicorn main:app)",
        "command uvicorn main:app",
        "uvicorn main:app | tee /log",
    ):
        assert repaired(tmp_path, "ML303", f"{BASE}CMD {command}\n") == f"CMD {command}\n"


def test_what_a_shell_expands_keeps_the_shell(tmp_path: Path) -> None:
    for command in ("uvicorn main:app --env-file ~/.env", "uvicorn main:app --env-file /etc/*.env"):
        assert repaired(tmp_path, "ML303", f"{BASE}CMD {command}\n") == f"CMD exec {command}\n"


def test_an_entrypoint_keeps_its_shell_where_words_stand_behind_it(tmp_path: Path) -> None:
    text = 'ENTRYPOINT uvicorn main:app --host 0.0.0.0\nCMD ["--reload"]\n'
    assert repaired(tmp_path, "ML303", BASE + text) == text.replace("uvicorn", "exec uvicorn")


def test_an_entry_script_of_ones_own_may_look_at_the_words(tmp_path: Path) -> None:
    text = 'COPY --chmod=755 entry.sh /\nENTRYPOINT ["/entry.sh"]\nCMD uvicorn main:app --host 0.0.0.0\n'
    after = repaired(tmp_path, "ML303", BASE + text, entry_sh='#!/bin/sh\nexec "$@"\n')
    assert after == text.replace("CMD uvicorn", "CMD exec uvicorn")


def test_a_function_of_the_script_is_no_program(tmp_path: Path) -> None:
    script = '#!/bin/sh\nserve() { uvicorn main:app; }\n"$@"\n'
    text = 'COPY --chmod=755 entry.sh /\nENTRYPOINT ["/entry.sh"]\nCMD ["uvicorn", "main:app"]\n'
    repaired(tmp_path, "ML303", BASE + text, entry_sh=script)
    assert (tmp_path / "entry.sh").read_text() == script


def test_a_check_whose_output_is_used_is_left_alone(tmp_path: Path) -> None:
    serve = 'CMD ["uvicorn", "main:app", "--host", "0.0.0.0"]\n'
    for test in (
        "curl -fs http://localhost:8000/ | grep ok",
        'test "$(curl -s http://localhost:8000/)" = ok',
        "! curl -f http://localhost:8000/",
    ):
        text = f"HEALTHCHECK CMD {test}\n{serve}"
        assert repaired(tmp_path, "ML304", BASE + text) == text


def test_the_address_goes_in_front_of_the_port_in_a_text_for_a_shell(tmp_path: Path) -> None:
    text = 'CMD ["sh", "-c", "exec uvicorn main:app --port $PORT"]\n'
    assert repaired(tmp_path, "ML305", BASE + text) == text.replace("--port", "--host 0.0.0.0 --port")


def test_a_health_check_is_not_made_up(tmp_path: Path) -> None:
    serve = 'COPY main.py .\nCMD ["uvicorn", "main:app", "--host", "0.0.0.0"]\n'
    head = "from fastapi import FastAPI, Depends\napp = FastAPI()\n"
    for route in (
        "@app.post('/health')\ndef health(): ...\n",
        "@app.get('/health')\ndef health(key=Depends(str)): ...\n",
        "@app.get('/health', dependencies=[Depends(str)])\ndef health(): ...\n",
        "@limited\n@app.get('/health')\ndef health(): ...\n",
        "@other.get('/health')\ndef health(): ...\n",
        "@app.get('/predictions')\ndef predictions(): ...\n",
    ):
        assert repaired(tmp_path, "ML301", BASE + serve, main_py=head + route) == serve


def test_a_server_with_certificates_is_not_asked_by_plain_http(tmp_path: Path) -> None:
    source = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/health')\ndef health(): ...\n"
    text = 'COPY main.py .\nCMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--ssl-certfile", "/tls.pem"]\n'
    assert repaired(tmp_path, "ML301", BASE + text, main_py=source) == text


KEYED = """from fastapi import FastAPI
app = FastAPI()
@app.get('/health')
def health(): ...
"""


def test_a_path_behind_a_check_of_keys_is_not_asked(tmp_path: Path) -> None:
    serve = 'COPY main.py .\nCMD ["uvicorn", "main:app", "--host", "0.0.0.0"]\n'
    for front in (
        "app.add_middleware(ApiKeyMiddleware)\n",
        "@app.middleware('http')\nasync def check(request, call):\n    return Response(status_code=401)\n",
    ):
        assert repaired(tmp_path, "ML301", BASE + serve, main_py=KEYED + front) == serve
    cors = "app.add_middleware(CORSMiddleware, allow_headers=['Authorization'])\n"
    assert "/health" in repaired(tmp_path, "ML301", BASE + serve, main_py=KEYED + cors)


def test_a_server_whose_only_path_may_want_a_key_is_not_asked(tmp_path: Path) -> None:
    serve = "RUN pip install llama_cpp_python==0.3.5\nENV HOST=0.0.0.0\nCMD python3 -m llama_cpp.server\n"
    assert repaired(tmp_path, "ML301", BASE + serve) == serve


def test_a_port_that_the_file_sets_in_the_environment_may_be_set_anew(tmp_path: Path) -> None:
    text = 'ENV STREAMLIT_SERVER_PORT=80\nCOPY main.py .\nCMD ["streamlit", "run", "main.py"]\n'
    after = repaired(tmp_path, "ML301", BASE + text, main_py="import streamlit\n")
    assert "http://127.0.0.1:${STREAMLIT_SERVER_PORT:-80}/_stcore/health" in after


def test_a_server_of_a_short_entrypoint_is_asked_at_the_port_that_the_file_exposes(tmp_path: Path) -> None:
    text = 'RUN pip install mlflow==2.19.0\nEXPOSE 5000\nENTRYPOINT ["mlflow", "server"]\n'
    assert "http://127.0.0.1:5000/health" in repaired(tmp_path, "ML301", BASE + text)


def test_a_server_in_an_environment_that_nothing_looks_into_counts_as_installed(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.11.15-slim-bookworm\n"
        "RUN python -m venv /opt/venv && /opt/venv/bin/pip install fastapi==0.109.0 uvicorn==0.27.0\n"
        'CMD ["uvicorn", "main:app", "--host", "0.0.0.0"]\n'
    )
    report = mllint.lint([tmp_path], preset="all", cwd=tmp_path)
    rules = {finding.rule.id for finding in report.findings if finding.rule}
    assert "ML313" in rules
    assert "ML307" not in rules


def test_a_package_is_not_installed_for_a_user_without_rights(tmp_path: Path) -> None:
    text = "FROM python:3.11.15-slim-bookworm\nRUN useradd app\nUSER app\nRUN git clone https://git.example/a /a\n"
    assert repaired(tmp_path, "ML901", text) == text
