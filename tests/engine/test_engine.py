"""The engine of the tests: it builds with BuildKit, runs what it built, and leaves nothing behind."""

from __future__ import annotations

import pytest
from docker.errors import ContainerError
from engine import BuildError, Engine


@pytest.fixture
def context(tmp_path):
    """Gives a build context with this Dockerfile."""

    def context(dockerfile: str, name: str = "Dockerfile"):
        (tmp_path / name).write_text(dockerfile)
        return tmp_path

    return context


def test_the_python_base_has_the_layout_of_the_official_image(engine, python_base):
    version = engine.run(python_base, "python", "--version")
    assert version.startswith("Python 3.11.")
    assert version.split()[1] == engine.run(python_base, "printenv", "PYTHON_VERSION").strip()
    show = "import sys, sysconfig; print(sys.executable, sysconfig.get_path('purelib'))"
    assert engine.run(python_base, "python", "-c", show).split() == [
        "/usr/local/bin/python",
        "/usr/local/lib/python3.11/site-packages",
    ]


def test_a_build_installs_a_package_from_the_index(engine, python_base, context):
    image = engine.build(context(f"FROM {python_base}\nRUN pip install --no-cache-dir six==1.17.0\n"))
    assert engine.run(image, "python", "-c", "import six; print(six.__version__)") == "1.17.0\n"


def test_a_package_is_installed_in_a_virtual_environment_and_for_a_user(engine, python_base, context):
    image = engine.build(
        context(f"""\
FROM {python_base} AS builder
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir six==1.17.0
RUN pip install --no-cache-dir --user idna==3.10

FROM {python_base}
COPY --link --from=builder /venv /venv
COPY --link --from=builder /root/.local /root/.local
""")
    )
    assert "six" in engine.run(image, "/venv/bin/python", "-c", "import six; print(six.__file__)")
    assert "/root/.local/" in engine.run(image, "python", "-c", "import idna; print(idna.__file__)")


def test_a_build_installs_a_debian_package(engine, debian_base, context):
    image = engine.build(
        context(f"FROM {debian_base}\nRUN apt-get update && apt-get install -y --no-install-recommends tini\n")
    )
    assert "tini version" in engine.run(image, "tini", "--version")


def test_the_cuda_base_loads_cuda_and_has_no_python(engine, cuda_base):
    assert "libcudart.so.12 " in engine.run(cuda_base, "ldconfig", "-p")
    assert "no python" in engine.run(cuda_base, "sh", "-c", "command -v python3 python || echo no python")


def test_a_build_takes_heredocs_modes_targets_and_arguments(engine, debian_base, context):
    folder = context(
        f"""\
FROM {debian_base} AS wanted
ARG WORD
RUN <<END
echo "$WORD from a heredoc" >/said
END
COPY --chmod=755 <<END /say
#!/bin/sh
cat /said
END
CMD ["/say"]

FROM wanted
RUN false
""",
        "other.Dockerfile",
    )
    image = engine.build(folder, "other.Dockerfile", target="wanted", build_args={"WORD": "greetings"})
    assert engine.run(image) == "greetings from a heredoc\n"


def test_a_build_that_fails_says_what_it_printed_last(engine, debian_base, context):
    with pytest.raises(BuildError, match="out of luck"):
        engine.build(context(f"FROM {debian_base}\nRUN echo out of luck; exit 3\n"))


def test_a_session_removes_what_it_made_and_nothing_else(engine, debian_base, context):
    session = Engine()
    folder = context(f"FROM {debian_base}\nRUN echo one >/of-a-kind\n")
    kept, image = engine.build(folder), session.build(folder)
    session.client.containers.run(image, ["sleep", "600"], detach=True, labels=session.labels)
    with pytest.raises(ContainerError):
        session.run(image, "false")
    session.remove_all()

    label = {"label": f"mllint.test={session.labels['mllint.test']}"}
    assert engine.client.containers.list(all=True, filters=label) == []
    assert engine.client.images.list(filters=label) == []
    assert engine.client.images.get(kept)
    assert engine.client.images.get(debian_base)
