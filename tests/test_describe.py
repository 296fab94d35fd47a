"""A description of an image, by its configuration and an archive of its files, and its way back into a base."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from mllint.cli.commands import command_line
from mllint.config import Base as Described
from mllint.config import Settings, load
from mllint.describe import Files, base_of, document, search_path
from mllint.image.base import of_image
from mllint.image.interpreter import Interpreter

app = command_line()
DEBIAN = 'PRETTY_NAME="Debian"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n'
PASSWD = "root:x:0:0:root:/root:/bin/bash\napp:x:1000:1000::/home/app:/bin/sh\n"


def archive(entries: dict[str, Any]) -> io.BytesIO:
    """A file system as `docker export` gives it: text for a file, `-> x` for a link, `= x` for a hard link, None for a
    folder; a name ending in `*` is executable."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, content in entries.items():
            member = tarfile.TarInfo(name.strip("*"))
            member.mode = 0o755 if name.endswith("*") else 0o644
            data = b""
            if content is None:
                member.type, member.mode = tarfile.DIRTYPE, 0o700
            elif content.startswith("-> "):
                member.type, member.linkname, member.mode = tarfile.SYMTYPE, content[3:], 0o777
            elif content.startswith("= "):
                member.type, member.linkname, member.mode = tarfile.LNKTYPE, content[2:], 0o755
            else:
                data = content.encode()
                member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    target.seek(0)
    return target


def described(entries: dict[str, Any], **config: Any) -> Described:
    files = Files(search_path(config))
    files.read(archive(entries))
    return base_of(config, files, "amd64")


PACKAGES = "usr/local/lib/python3.11/site-packages"
PYTHON = {
    "root": None,
    "usr/lib/os-release": DEBIAN,
    "etc/os-release": "-> ../usr/lib/os-release",
    "etc/passwd": PASSWD,
    "bin": "-> usr/bin",
    "usr/bin/dash*": "x",
    "usr/bin/sh": "-> dash",
    "usr/bin/notes": "no program",
    "usr/local/bin/python3.11*": "x",
    "usr/local/bin/python3": "-> python3.11",
    "usr/local/bin/python": "-> /usr/local/bin/python3",
    "usr/local/bin/pip": "= usr/local/bin/python3.11",
    "usr/local/include/python3.11/patchlevel.h": '#define PY_VERSION      "3.11.9"\n',
    "usr/lib/x86_64-linux-gnu/libGL.so.1.7.0": "x",
    "usr/lib/x86_64-linux-gnu/libGL.so.1": "-> libGL.so.1.7.0",
    "usr/lib/x86_64-linux-gnu/libgone.so.1": "-> libgone.so.1.0",
    f"{PACKAGES}/numpy-1.26.4.dist-info/METADATA": "Name: numpy\nVersion: 1.26.4\n\nName: no\n",
    f"{PACKAGES}/a_b-2.dist-info/METADATA": "Name: A_b\nVersion: 2\n",
    "usr/lib/python3/dist-packages/apt-1.egg-info": "Name: apt\nVersion: 1\n",
}


def test_an_image_is_described_by_its_files_and_configuration():
    found = described(
        PYTHON,
        User="app",
        WorkingDir="/srv",
        Env=["PATH=/usr/local/bin:/bin", "LANG=C.UTF-8"],
        Cmd=["python3"],
        Entrypoint=None,
        OnBuild=["RUN true"],
        Healthcheck={"Test": ["CMD-SHELL", "curl localhost"]},
        ExposedPorts={"8000/tcp": {}},
    )
    assert (found.distro, found.suite, found.architectures) == ("debian", "bookworm", ("amd64",))
    assert (found.user, found.uid, found.home, found.workdir) == ("app", "1000", "/home/app", "/srv")
    assert (found.python, found.python_prefix, found.externally_managed) == ("3.11.9", "/usr/local", False)
    assert found.programs == ("dash", "pip", "python", "python3", "python3.11", "sh")
    assert found.libraries == ("libGL.so.1", "libGL.so.1.7.0")
    assert found.distributions == {"a-b": "2", "numpy": "1.26.4"}
    assert (found.entrypoint, found.command, found.onbuild) == ((), ("python3",), ("RUN true",))
    assert (found.healthcheck, found.ports) == (("CMD-SHELL", "curl localhost"), ("8000/tcp",))
    assert (found.root_home_mode, found.complete) == ("0700", True)


def test_the_python_of_debian_is_externally_managed_and_has_its_packages():
    marker = {
        "usr/lib/python3.11/EXTERNALLY-MANAGED": "x",
        "usr/bin/python3.11*": "x",
        "usr/bin/python3": "-> python3.11",
    }
    apt = {"usr/lib/python3/dist-packages/apt-1.egg-info": "Name: apt\nVersion: 1\n"}
    found = described(marker | apt)
    assert (found.python, found.python_prefix, found.externally_managed) == ("3.11", "/usr", True)
    assert found.distributions == {"apt": "1"}


def test_a_virtual_environment_on_path_is_the_python():
    environment = {
        "opt/venv/pyvenv.cfg": "home = /usr/local/bin\n",
        "opt/venv/bin/python3": "-> /usr/local/bin/python3",
    }
    packages = {"opt/venv/lib/python3.11/site-packages/torch-2.3.dist-info/METADATA": "Name: torch\nVersion: 2.3\n"}
    found = described(PYTHON | environment | packages, Env=["PATH=/opt/venv/bin:/usr/local/bin"])
    assert (found.python, found.python_prefix) == ("3.11.9", "/opt/venv")
    assert found.distributions == {"torch": "2.3"}


def test_an_image_without_anything_is_described_too():
    found = described({"server*": "x"})
    assert (found.python, found.programs, found.distro, found.user) == ("none", (), None, "root")


def test_links_in_a_circle_lead_nowhere():
    assert described({"usr/bin/a": "-> b", "usr/bin/b": "-> a"}).programs == ()


def test_what_looks_secret_in_the_environment_is_masked():
    found = described({}, Env=["API_TOKEN=s3cr3tV4lue99", "INDEX=https://me:s3cr3tV4lue99@pypi.example/simple"])
    assert found.env is not None
    assert "s3cr3t" not in str(found.env)
    assert found.env["API_TOKEN"] == "***"


@pytest.mark.parametrize("musl", [True, False])
def test_the_c_library_of_an_unknown_distribution_is_that_of_its_loader(musl: bool):
    loader = "lib/ld-musl-x86_64.so.1" if musl else "lib64/ld-linux-x86-64.so.2"
    assert described({loader: "x", "etc/os-release": "ID=nixos\n"}).libc == ("musl" if musl else "glibc")


def test_the_description_comes_back_out_of_the_configuration(tmp_path: Path):
    given = described(PYTHON, User="1000:1000", Env=["OFF=off", "N=1.10"], Cmd=[])
    path = tmp_path / ".mllint.yaml"
    path.write_text(yaml.safe_dump(document("registry.example/ml:*", given), sort_keys=False))
    settings = load(path)
    assert settings.bases == {"registry.example/ml:*": given}
    base = of_image("registry.example/ml:1", settings)
    assert (base.distro, base.suite, base.libc, base.uid, base.home) == (
        "debian",
        "bookworm",
        "glibc",
        "1000",
        "/home/app",
    )
    python = base.python
    assert isinstance(python, Interpreter)
    assert (python.version, python.prefix, python.has_pip) == ("3.11.9", "/usr/local", True)
    assert not base.other_env
    assert (base.program("curl"), base.program("sh"), base.library("libGL.so.1")) == ("absent", "present", "present")


def test_an_engine_that_is_not_there_is_said_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    result = CliRunner().invoke(app, ["base", "describe", "python:3.11"])
    assert result.exit_code == 3
    assert "no Docker engine answers" in result.stderr


def test_a_format_that_is_none_is_a_usage_error():
    assert CliRunner().invoke(app, ["base", "describe", "python:3.11", "--format", "xml"]).exit_code == 2


def test_a_description_replaces_what_the_tables_know():
    settings = Settings(bases={"python:*": Described(python="none", env={"A": "b"}, complete=True)})
    base = of_image("python:3.11", settings)
    assert (base.python, base.env) == (None, (("A", "b"),))
