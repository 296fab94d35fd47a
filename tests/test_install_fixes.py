"""Fixes around installs, comments and instructions: where they keep their hands off, and layouts that need care."""

from __future__ import annotations

import pytest

from mllint import fix


def fixed(folder, rules, dockerfile, requirements=None):
    """The Dockerfile, and the requirements file if there is one, after the fixes of some rules."""
    (folder / "Dockerfile").write_bytes(dockerfile.encode())
    if requirements is not None:
        (folder / "requirements.txt").write_bytes(requirements.encode())
    fix([folder], unsafe=True, select=rules, preset="all", cwd=folder)
    after = (folder / "Dockerfile").read_bytes().decode()
    return after if requirements is None else (after, (folder / "requirements.txt").read_bytes().decode())


NOBLE = (
    "FROM ubuntu:24.04\n"
    "RUN apt-get update && apt-get install -y {packages} && rm -rf /var/lib/apt/lists/*\n"
    "{line}\n"
    "USER 1000\n"
)


@pytest.mark.parametrize(
    ("packages", "line"),
    [
        ("python3-pip", "RUN pip install --user fastapi==0.110.0"),
        ("python3-pip python3-numpy", "RUN pip install fastapi==0.110.0"),
        ("python3-pip", "RUN /usr/bin/pip3 install fastapi==0.110.0"),
        ("python3-pip", "USER 1000\nRUN pip install fastapi==0.110.0"),
        ("python3-pip", "RUN sudo pip install fastapi==0.110.0"),
        ("python3-pip", "RUN pip install fastapi==0.110.0\nRUN ls /usr/local/lib/python3.12/dist-packages"),
    ],
)
def test_no_environment_is_made_where_something_relies_on_the_python_of_the_system(tmp_path, packages, line):
    text = NOBLE.format(packages=packages, line=line)
    assert fixed(tmp_path, ["ML605"], text) == text


def test_one_environment_serves_all_installs(tmp_path):
    text = NOBLE.format(
        packages="python3-venv python3-pip", line="RUN pip install a==1\nRUN python3 -m pip install b==1"
    )
    after = fixed(tmp_path, ["ML605"], text)
    assert after == text.replace(
        "RUN pip install a", "RUN python3 -m venv /opt/venv\nENV PATH=/opt/venv/bin:$PATH\nRUN pip install a"
    )


@pytest.mark.parametrize(
    "rest",
    [
        "RUN python3.11 -m pip install fastapi==0.110.0\n",
        "COPY --from=python:3.11-slim /usr/lib/site /site\nRUN python3 /site/run.py\n",
        "HEALTHCHECK CMD python3 -c 'print(1)'\nCMD [\"/server\"]\n",
    ],
)
def test_no_python_is_installed_where_it_is_not_plain_which(tmp_path, rest):
    text = f"FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\n{rest}"
    assert fixed(tmp_path, ["ML103"], text) == text


def test_packages_of_a_backtick_file_are_continued_with_its_mark(tmp_path):
    text = (
        "# escape=`\nFROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\nRUN apt-get update && apt-get install `\n    curl\n"
    )
    after = fixed(tmp_path, ["ML103"], f"{text}RUN python3 -V\n")
    assert after == f"{text[:-1]} `\n    python3\nRUN python3 -V\n"


@pytest.mark.parametrize(
    "install",
    [
        "pip install --require-hashes -r requirements.txt torch==2.3.1",
        "pip install fastapi==0.110.0 torch xformers",
        "TMPDIR=/scratch pip install torch==2.3.1",
        'if [ -n "$HTTP_PROXY" ]; then pip install torch==2.3.1; fi',
    ],
)
def test_no_cpu_build_where_the_index_may_not_decide(tmp_path, install):
    text = f"FROM python:3.11.9-slim-bookworm\nRUN {install}\nUSER 1000\n"
    (tmp_path / ".mllint.yaml").write_text("accelerator: cpu\n")
    assert fixed(tmp_path, ["ML701"], text) == text


@pytest.mark.parametrize(
    ("start", "is_fixed"),
    [
        ('CMD ["python", "main.py"]', False),
        ('CMD ["uvicorn", "main:app"]', True),
    ],
)
def test_cuda_is_taken_only_from_what_serves(tmp_path, start, is_fixed):
    text = (
        "FROM python:3.11.9-slim-bookworm\nWORKDIR /app\nRUN pip install torch==2.3.1 uvicorn==0.29.0\n"
        f"COPY main.py .\nUSER 1000\n{start}\n"
    )
    (tmp_path / "main.py").write_text("import torch\n")
    option = " --extra-index-url https://download.pytorch.org/whl/cpu"
    expected = text.replace("uvicorn==0.29.0", f"uvicorn==0.29.0{option}") if is_fixed else text
    assert fixed(tmp_path, ["ML701"], text) == expected


def test_a_comment_stays_where_the_line_below_would_become_a_directive(tmp_path):
    text = "# mllint: ignore[ML001]\n# mllint: ignore\n# escape=`\nFROM scratch\n"
    assert fixed(tmp_path, ["ML0", "ML1", "ML2"], text) == text


def test_of_several_names_without_use_the_comment_goes_as_a_whole(tmp_path):
    text = "FROM scratch\n{}COPY a /b\n"
    comment = "# mllint: ignore[ML101, ML102 ,ML103] nothing of this is so\n"
    assert fixed(tmp_path, ["ML001", "ML1"], text.format(comment)) == text.format("")


def test_names_without_use_are_taken_out_and_reasons_kept(tmp_path):
    dockerfile = (
        "FROM python:3.12.4-slim-bookworm\n"
        "COPY requirements.txt .\n"
        "# mllint: ignore[ML602, ML402] the builder throws the cache away\n"
        "RUN pip install -r requirements.txt\n"
        "# pinned by the platform team # mllint: ignore[ML602]\n"
        "RUN pip install --no-cache-dir fastapi==0.115.0\n"
    )
    requirements = (
        "uvicorn==0.30.6  # mllint: ignore[ML601]\n# mllint: ignore[ML601] it does not matter\nhttpx==0.27.2\n"
    )
    after = fixed(tmp_path, ["ML001", "ML402", "ML601", "ML602"], dockerfile, requirements)
    assert after[0] == dockerfile.replace("ML602, ", "").replace(" # mllint: ignore[ML602]", "")
    assert after[1] == "uvicorn==0.30.6\nhttpx==0.27.2\n"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("numpy=1.26.4\n", "numpy==1.26.4\n"),
        ("numpy = 1.26.4  # tested\r\n", "numpy == 1.26.4  # tested\r\n"),
        ("numpy=>1.26,<2\n", "numpy>=1.26,<2\n"),
        ("scipy>=1.11 <1.15\n", "scipy>=1.11,<1.15\n"),
        ("uvicorn==0.30.6; python_version >= “3.8”\n", 'uvicorn==0.30.6; python_version >= "3.8"\n'),
        ("numpy=1.26.4=py312hc5e2394_0\n", None),
        ("numpy 1.26.4\n", None),
    ],
)
def test_slips_in_requirements_are_corrected(tmp_path, written, meant):
    dockerfile = "FROM python:3.12.4-slim-bookworm\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
    assert fixed(tmp_path, ["ML002"], dockerfile, written)[1] == (meant or written)


@pytest.mark.parametrize("line", ["PIP install fastapi==0.115.0", "&& rm -rf /tmp", "ADDD_COPY a b"])
def test_a_word_stays_where_nobody_can_tell_what_was_meant(tmp_path, line):
    text = f"FROM python:3.12.4-slim-bookworm\nRUN pip check\n\n{line}\n"
    assert fixed(tmp_path, ["DF102"], text) == text
