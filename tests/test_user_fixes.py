"""Fixes that give the process another user, and those that let it find its packages."""

from __future__ import annotations

from pathlib import Path

import pytest

import mllint

SERVICE = 'CMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8000"]\n'
START = "FROM python:3.11-slim-bookworm\nWORKDIR /app\nCOPY main.py start.sh ./\n"
APP = "async def app(scope, receive, send): ...\n"
WRITES = APP + 'open("seen.txt", "w").close()\n'


def fixed(folder: Path, dockerfile: str, rule: str = "ML201", **files: str) -> str:
    """The Dockerfile after the fixes of one rule, which leave nothing to fix for a second run."""
    for name, text in {"main.py": APP, "start.sh": "#!/bin/sh\nexec uvicorn main:app\n"}.items():
        (folder / name).write_text(text)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    path = folder / "Dockerfile"
    path.write_bytes(dockerfile.encode())
    mllint.fix([folder], select=[rule], preset="all", unsafe=True, cwd=folder)
    after = path.read_bytes()
    again = mllint.fix([folder], select=[rule], preset="all", unsafe=True, cwd=folder)
    assert not again.changes
    return after.decode()


@pytest.mark.parametrize(
    ("dockerfile", "files"),
    [
        (START + "EXPOSE 80\n" + SERVICE, {}),
        (START + "VOLUME /data\n" + SERVICE, {}),
        (START + "ENV HF_HOME=/models\n" + SERVICE, {}),
        (START + "ENV HOME=/app\n" + SERVICE, {}),
        (START + "RUN mkdir -p ~/.streamlit\n" + SERVICE, {}),
        (START + "RUN chmod 700 /app\n" + SERVICE, {}),
        (START + "COPY --chmod=600 main.py /app/key.py\n" + SERVICE, {}),
        (START + "ADD https://models.example/rows.csv ./\n" + SERVICE, {}),
        (START + "RUN git clone https://git.example/ranker.git /app/ranker\n" + SERVICE, {}),
        (START + "RUN python load.py\n" + SERVICE, {}),
        (START + "RUN python -m nltk.downloader punkt\n" + SERVICE, {}),
        (START + "RUN pip install --user nltk && python -c 'import nltk; nltk.download()'\n" + SERVICE, {}),
        (START + 'CMD ["./start.sh"]\n', {"start__sh": "#!/bin/sh\nservice cron start\nexec uvicorn main:app\n"}),
        (START + 'CMD ["sh", "start.sh"]\n', {"start__sh": "mkdir -p /logs\nexec uvicorn main:app\n"}),
        (START + 'CMD ["uv", "run", "uvicorn", "main:app"]\n', {}),
        (START + 'CMD ["gunicorn", "main:app", "--pid", "/var/run/gunicorn.pid"]\n', {}),
        (START + 'CMD ["python", "main.py"]\n', {"main__py": WRITES}),
        (START.replace("WORKDIR /app\n", "") + SERVICE, {"main__py": WRITES}),
        (START + SERVICE, {"compose__yaml": "services: {api: {build: ., volumes: ['./data:/app/data']}}\n"}),
        ("FROM python:3.11-slim-bookworm AS app\nCOPY main.py .\n" + SERVICE + "FROM app AS test\n", {}),
        (START + "RUN useradd one && useradd two\n" + SERVICE, {}),
        (START.replace("slim-bookworm", "windowsservercore") + SERVICE, {}),
        (START + "COPY --from=docker:27-cli /usr/local/bin/docker /usr/local/bin/docker\n" + SERVICE, {}),
        (START + SERVICE, {"main__py": APP + 'subprocess.run(["docker", "rm", name])\n'}),
        (START + SERVICE, {"main__py": APP + 'PORT = int(os.environ.get("PORT", "443"))\n'}),
        (START + SERVICE, {"main__py": APP + 'MODEL = "/mnt/models/ranker.onnx"\n'}),
        (START + SERVICE, {"main__py": APP + 'def keep(name, text):\n    open(name, "w").write(text)\n'}),
        (START + "ENV UPLOAD_DIR=/uploads\n" + SERVICE, {}),
        (START + SERVICE, {"compose__yaml": "services: {api: {build: ., environment: [MODEL_DIR=/data/models]}}\n"}),
        (START + SERVICE.replace("main:app", "missing:app"), {}),
        (START + 'CMD ["streamlit", "run", "missing.py"]\n', {}),
        (START + 'CMD ["python", "main.py"]\n', {"main__py": 'parser.add_argument("--export-dir", default="out/")\n'}),
        (START + 'CMD ["python", "main.py"]\n', {"main__py": "tfds.load('imdb', data_dir=folder)\n"}),
        (START + 'CMD ["python", "main.py"]\n', {"main__py": "os.remove(path)\n"}),
        (START.replace("WORKDIR /app\n", "") + SERVICE, {"main__py": "import label_studio_ml\n" + APP}),
        (START + "RUN useradd app\n" + SERVICE, {"main__py": "import label_studio_ml\n" + APP}),
        (START + "RUN useradd app\n" + SERVICE, {"main__py": "import transformers\n" + APP}),
    ],
)
def test_what_may_need_root_is_left_alone(tmp_path: Path, dockerfile: str, files: dict[str, str]) -> None:
    if "AS test" in dockerfile:
        (tmp_path / ".mllint.yaml").write_text("target: app\n")
    assert fixed(tmp_path, dockerfile, **files) == dockerfile


def test_files_only_their_owner_may_read_are_left_to_their_owner(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_text("")
    (tmp_path / "weights.bin").chmod(0o600)
    dockerfile = START + "COPY weights.bin .\n" + SERVICE
    assert fixed(tmp_path, dockerfile) == dockerfile


def test_a_stage_of_its_command_alone_gets_both_lines_in_order(tmp_path: Path) -> None:
    dockerfile = START.replace("bookworm\n", "bookworm AS base\n") + "FROM base\n" + SERVICE
    made = "RUN groupadd --system --gid 999 app && useradd --system --uid 999 --gid app --create-home app\n"
    assert fixed(tmp_path, dockerfile) == dockerfile.replace(SERVICE, f"{made}USER 999:999\n{SERVICE}")


def test_packages_with_names_of_models_are_no_models(tmp_path: Path) -> None:
    dockerfile = START + "RUN pip install --no-cache-dir nltk==3.9.1 openai-whisper && rm -rf /root/.cache\n" + SERVICE
    assert "USER 999:999" in fixed(tmp_path, dockerfile)


def test_a_folder_that_the_file_gives_away_is_not_given_again(tmp_path: Path) -> None:
    dockerfile = START + "RUN useradd -m app && chown -R app /app\n" + SERVICE
    after = fixed(tmp_path, dockerfile, main__py=WRITES)
    assert after == dockerfile.replace(SERVICE, "USER app\n" + SERVICE)


@pytest.mark.parametrize(
    "source",
    [
        'API = FastAPI(title="docker demo", description="port 80 of the proxy")\n',
        "import numpy, ranker.features\nimport start\n",
        'app.mount("/data", StaticFiles(directory="static"))\n',
        'parser.add_argument("--port", type=int, default=8080)\nSUPPORT = 12\n',
        'CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"\n',
    ],
)
def test_what_only_looks_like_a_need_of_root_is_none(tmp_path: Path, source: str) -> None:
    (tmp_path / "ranker").mkdir()
    (tmp_path / "ranker" / "features.py").write_text("")
    dockerfile = START + "COPY ranker ./ranker\nENV PIP_CACHE_DIR=/.cache\n" + SERVICE
    after = fixed(tmp_path, dockerfile, main__py=APP + source)
    assert "USER 999:999" in after
    # What was read whole keeps its folder to root.
    assert ("RUN chown" in after) is ("import start" in source)


def test_the_working_directory_of_a_server_without_source_is_given_to_the_user(tmp_path: Path) -> None:
    dockerfile = START.replace("COPY main.py start.sh ./\n", "") + 'CMD ["mlflow", "server", "--port", "5000"]\n'
    assert "RUN chown 999:999 /app\nUSER 999:999\nCMD" in fixed(tmp_path, dockerfile)


def test_copies_of_the_stage_below_are_given_to_the_user(tmp_path: Path) -> None:
    dockerfile = START.replace("bookworm\n", "bookworm AS base\n") + "FROM base\nEXPOSE 8000\n" + SERVICE
    after = fixed(tmp_path, dockerfile, main__py=WRITES)
    assert "COPY --chown=999:999 main.py start.sh ./\n" in after
    assert "FROM base\nRUN groupadd" in after
    assert "RUN chown 999:999 /app\nUSER 999:999\nEXPOSE" in after


def test_a_needless_user_root_is_replaced(tmp_path: Path) -> None:
    after = fixed(tmp_path, START + "USER root\n" + SERVICE, main__py=WRITES)
    assert "USER root" not in after
    assert "RUN chown 999:999 /app\nUSER 999:999\nCMD" in after


HOME = (
    "FROM python:3.11-slim-bookworm AS builder\nCOPY requirements.txt .\n"
    "RUN pip install --user -r requirements.txt\nFROM python:3.11-slim-bookworm\nWORKDIR /app\n"
    "COPY --from=builder /root/.local /root/.local\nCOPY main.py .\nENV PATH=/root/.local/bin:$PATH\nUSER 1000\n"
) + SERVICE


def test_the_folder_of_packages_moves(tmp_path: Path) -> None:
    after = fixed(tmp_path, HOME, "ML312", requirements__txt="uvicorn==0.34.0\n")
    assert "/root" not in after
    assert "--user" not in after


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("FROM python:3.11-slim-bookworm\n", "FROM python:3.12-slim-bookworm\n"),
        ("COPY main.py .\n", "COPY main.py .\nRUN pip install flask==3.0.3\n"),
        ("COPY main.py .\n", "COPY main.py .\nCOPY --from=builder /root/models /models\n"),
        ("RUN pip install", "RUN sudo pip install"),
        ("RUN pip install --user", "RUN /usr/local/bin/pip install --user"),
        ("RUN pip install", "RUN mkdir /opt/venv && pip install"),
        ("RUN pip install --user -r requirements.txt", 'RUN ["pip", "install", "--user", "-r", "requirements.txt"]'),
    ],
)
def test_more_than_a_folder_of_packages_is_left_alone(tmp_path: Path, old: str, new: str) -> None:
    dockerfile = HOME.replace(old, new)
    assert dockerfile != HOME
    assert fixed(tmp_path, dockerfile, "ML312", requirements__txt="uvicorn==0.34.0\n") == dockerfile


def test_a_version_behind_an_argument_is_left_alone(tmp_path: Path) -> None:
    dockerfile = (
        "ARG PY=3.13\nFROM python:3.11-slim-bookworm AS builder\nRUN pip install flask==3.0.3\n"
        "FROM python:${PY}-slim-bookworm\n"
        "COPY --from=builder /usr/local/lib/python3.11/site-packages /usr/local/lib/python3.11/site-packages\n"
        'CMD ["python", "main.py"]\n'
    )
    assert fixed(tmp_path, dockerfile, "ML314") == dockerfile


def test_an_activation_behind_installs_without_it_is_left_alone(tmp_path: Path) -> None:
    dockerfile = (
        "FROM python:3.11-slim-bookworm\nWORKDIR /app\nRUN pip install flask==3.0.3\nRUN python -m venv venv\n"
        'RUN . venv/bin/activate\nCOPY main.py .\nCMD ["python", "main.py"]\n'
    )
    assert fixed(tmp_path, dockerfile, "ML313") == dockerfile
