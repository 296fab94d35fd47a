"""Fixes that install before the source is copied: what must not be moved stays where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

import mllint

START = "FROM python:3.11-slim-bookworm AS app\nWORKDIR /app\n"
INSTALL = "RUN pip install -r requirements.txt\n"
BRANCHES = """\
ARG KIND=cpu
RUN if [ "$KIND" = cpu ]; then pip install -r requirements.txt; else pip install -r {}; fi
"""
END = 'CMD ["python", "main.py"]\n'
FILES = {
    "requirements.txt": "flask==3.0.3\n",
    "more.txt": "-r requirements.txt\n",
    "main.py": "import flask\n",
    "pip.conf": "[global]\n",
    "static/page.css": "p {}\n",
    "lib/index.py": "print()\n",
    ".dockerignore": ".git\n",
}


def fixed(folder: Path, dockerfile: str, files: dict[str, str] | None = None) -> str:
    """The Dockerfile after the fix, which leaves nothing to fix for a second run."""
    for name, text in {**FILES, **(files or {})}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    path = folder / "Dockerfile"
    path.write_bytes(dockerfile.encode())
    before = mllint.lint([folder], select=["ML401"], preset="all", cwd=folder)
    assert before.findings
    mllint.fix([folder], select=["ML401"], preset="all", unsafe=True, cwd=folder)
    assert not mllint.fix([folder], select=["ML401"], preset="all", unsafe=True, cwd=folder).changes
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    "between",
    [
        "RUN python setup.py build\n",
        "RUN touch lib/out\n",
        "RUN rm -rf lib\n",
        "RUN rm main.py\n",
        "RUN mv main.py app.py\n",
        "RUN cp main.py /srv/\n",
        "RUN ln -s /app/lib /srv/lib\n",
        "RUN chmod 644 $(ls)\nENV KIND=gpu\n",
        "RUN chown -R www-data lib\nUSER 1000\n",
        "RUN cd lib && pip install wheel\n",
        "RUN sed -i s/a/b/ requirements.txt\n",
        "COPY --from=ghcr.io/acme/pages:1 /out /app/static\n",
        "COPY pip.conf /app/main.py\n",
        "WORKDIR /app/lib\nRUN pip install -r ../requirements.txt\n",
        'SHELL ["/bin/bash", "-c"]\n',
        "ENV PIP_CONFIG_FILE=/app/pip.conf\n",
        "VOLUME /app\n",
    ],
)
def test_a_step_that_may_need_the_source_keeps_the_install_behind_it(tmp_path: Path, between: str) -> None:
    dockerfile = START + "COPY . .\n" + between + INSTALL + END
    assert fixed(tmp_path, dockerfile) == dockerfile


@pytest.mark.parametrize(
    "copy",
    ['COPY [".", "./"]\n', "COPY --parents . .\n", "ONBUILD COPY . .\nFROM app\n"],
)
def test_copies_that_cannot_be_split_stay(tmp_path: Path, copy: str) -> None:
    dockerfile = START + copy + INSTALL + END
    assert fixed(tmp_path, dockerfile) == dockerfile


@pytest.mark.parametrize(
    ("install", "files"),
    [
        (
            "RUN uv sync --frozen\n",
            {"pyproject.toml": '[project]\nname = "a"\n[tool.uv.workspace]\nmembers = ["lib"]\n'},
        ),
        ("RUN uv sync --frozen\n", {"pyproject.toml": '[project]\nname = "a"\n', ".venv/pyvenv.cfg": "home = /usr\n"}),
        ("RUN poetry install\n", {"pyproject.toml": '[tool.poetry.dependencies]\nlib = {path = "lib"}\n'}),
        ("RUN conda env update -f env.yml\n", {"env.yml": "dependencies:\n  - pip:\n      - -r requirements.txt\n"}),
        ("RUN pip install -r requirements.txt\n", {"requirements.txt": "--find-links ./lib\nflask\n"}),
    ],
)
def test_what_reads_more_of_the_context_than_its_own_files_stays(
    tmp_path: Path, install: str, files: dict[str, str]
) -> None:
    dockerfile = START + "COPY . .\n" + install + END
    assert fixed(tmp_path, dockerfile, files) == dockerfile


def test_files_of_every_branch_come_along(tmp_path: Path) -> None:
    install = BRANCHES.format("gpu.txt")
    after = fixed(tmp_path, START + "COPY . .\n" + install + END, {"gpu.txt": "torch==2.5.1\n"})
    assert after == START + "COPY requirements.txt gpu.txt ./\n" + install + "COPY . .\n" + END


def test_a_file_that_reads_others_in_a_branch_keeps_all_in_place(tmp_path: Path) -> None:
    install = BRANCHES.format("more.txt")
    dockerfile = START + "COPY . .\n" + install + END
    assert fixed(tmp_path, dockerfile) == dockerfile


def test_the_last_line_may_lack_its_end(tmp_path: Path) -> None:
    after = fixed(tmp_path, START + "COPY . .\n" + INSTALL.rstrip())
    assert after == START + "COPY requirements.txt .\n" + INSTALL + "COPY . ."


def test_a_comment_about_the_install_stays_above_it(tmp_path: Path) -> None:
    after = fixed(tmp_path, START + "# Install what it needs\nCOPY . .\n" + INSTALL + END)
    assert after == START + "# Install what it needs\nCOPY requirements.txt .\n" + INSTALL + "COPY . .\n" + END


def test_a_copy_over_several_lines_loses_the_line_of_what_is_copied_alone(tmp_path: Path) -> None:
    after = fixed(tmp_path, START + "COPY main.py \\\n  requirements.txt \\\n  ./\n" + INSTALL + END)
    assert after == START + "COPY requirements.txt ./\n" + INSTALL + "COPY main.py \\\n  ./\n" + END


SPARED = "RUN pip install --upgrade pip\n"


def test_what_reads_no_requirements_is_not_run_again_with_each_change_of_them(tmp_path: Path) -> None:
    after = fixed(tmp_path, START + "COPY . .\n" + SPARED + INSTALL + END)
    assert after == START + SPARED + "COPY requirements.txt .\n" + INSTALL + "COPY . .\n" + END


def test_files_of_several_installs_go_above_the_first_of_them(tmp_path: Path) -> None:
    installs = INSTALL + "RUN pip install -r extra.txt\n"
    after = fixed(tmp_path, START + "COPY . .\n" + SPARED + installs + END, {"extra.txt": "gunicorn==23.0.0\n"})
    assert after == START + SPARED + "COPY requirements.txt extra.txt ./\n" + installs + "COPY . .\n" + END


@pytest.mark.parametrize(
    ("flag", "between"),
    [
        ("--chown=9 ", SPARED + "WORKDIR /srv\n"),
        ("", "RUN mkdir /srv/cache\n"),
    ],
)
def test_a_folder_that_others_need_or_would_make_is_made_where_it_was(tmp_path: Path, flag: str, between: str) -> None:
    below = between + "RUN pip install -r /srv/requirements.txt\n"
    after = fixed(tmp_path, f"{START}COPY {flag}. /srv/\n{below}{END}")
    assert after == f"{START}COPY {flag}requirements.txt /srv/\n{below}COPY {flag}. /srv/\n{END}"


@pytest.mark.parametrize(
    "modes", ["chown -R www-data lib", "chown www-data /app", "chmod +x main.py && chmod 700 /app/lib"]
)
def test_owners_and_modes_are_set_behind_the_source_again(tmp_path: Path, modes: str) -> None:
    after = fixed(tmp_path, f"{START}COPY . .\nRUN {modes}\nENV LANG=C.UTF-8\n{INSTALL}{END}")
    assert after == f"{START}COPY requirements.txt .\nENV LANG=C.UTF-8\n{INSTALL}COPY . .\nRUN {modes}\n{END}"


def test_blank_lines_come_along_with_a_copy(tmp_path: Path) -> None:
    after = fixed(tmp_path, f"{START}\nCOPY lib lib\nCOPY . .\n\nENV A=1\n\n{INSTALL}{END}")
    assert after == f"{START}\nCOPY requirements.txt .\n\nENV A=1\n\n{INSTALL}\nCOPY lib lib\nCOPY . .\n\n{END}"


@pytest.mark.parametrize(("other", "named"), [("", "the source"), ("COPY pip.conf .\n", "main.py")])
def test_the_title_says_what_goes_down(tmp_path: Path, other: str, named: str) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "Dockerfile").write_text(f"{START}COPY main.py .\n{other}RUN pip install flask\n{END}")
    (finding,) = mllint.lint([tmp_path], select=["ML401"], preset="all", cwd=tmp_path).findings
    assert finding.fix is not None
    assert finding.fix.title == f"bring {named} behind the install"
