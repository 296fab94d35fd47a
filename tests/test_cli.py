"""The command line as a user meets it: what it prints, writes and exits with."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mllint
from mllint.cli.commands import command_line

app = command_line()
CLEAN = """\
FROM python:3.11.15-slim-bookworm
USER 1000
CMD ["python", "-c", "print(1)"]
"""
ROOT = """\
FROM python:3.11.15-slim-bookworm
CMD ["python", "-c", "print(1)"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "GITHUB_WORKSPACE", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(*arguments: str, stdin: str | None = None):
    return CliRunner().invoke(app, list(arguments), input=stdin)


def lines(*arguments: str) -> list[str]:
    return run("check", "--quiet", *arguments).stdout.splitlines()


def test_version_names_the_distribution():
    result = run("--version")
    assert result.exit_code == 0
    assert mllint.__version__ in result.stdout
    assert "mllint-docker" in result.stdout


def test_clean_and_broken_and_thresholds(folder: Path):
    (folder / "Dockerfile").write_text(CLEAN)
    assert run("check").exit_code == 0
    (folder / "Dockerfile").write_text(ROOT)
    assert run("check").exit_code == 1
    assert run("check", "--fail-on", "error").exit_code == 0
    assert run("check", "--fail-on", "never").exit_code == 0
    assert run("check", "--ignore", "root-user").exit_code == 0


@pytest.mark.parametrize("selector", ["ML201", "root-user", "security", "ML2", "DL3002", "hadolint:DL3002", "ml201"])
def test_select_takes_ids_names_families_prefixes_and_peers_codes(folder: Path, selector: str):
    (folder / "Dockerfile").write_text(ROOT)
    assert [line.split()[2] for line in lines("--select", selector)] == ["ML201"]


def test_an_unknown_rule_is_a_usage_error_with_a_suggestion(folder: Path):
    result = run("check", "--select", "rootuser")
    assert result.exit_code == 2
    assert "root-user" in result.output


@pytest.mark.parametrize(
    "arguments",
    [("--format", "xml"), ("--fail-on", "bad"), ("--preset", "loud"), ("--context", "nowhere"), ("--nope",)],
)
def test_unusable_options_exit_with_2(folder: Path, arguments: tuple[str, ...]):
    (folder / "Dockerfile").write_text(CLEAN)
    assert run("check", *arguments).exit_code == 2


def test_standard_input_stands_for_a_file(folder: Path):
    result = run("check", "--quiet", "--stdin-filename", "service/Dockerfile", "-", stdin=ROOT)
    assert result.exit_code == 1
    assert result.stdout.startswith("service/Dockerfile:2:1 warning ML201 ")


def test_standard_input_can_be_requirements(folder: Path):
    assert run("check", "--quiet", "--stdin-filename", "requirements.txt", "-", stdin="torch\n").stdout.startswith(
        "requirements.txt:1:1 warning ML612 "
    )


def test_unreadable_inputs_are_errors_and_the_others_are_still_checked(folder: Path):
    (folder / "Dockerfile").write_text(ROOT)
    (folder / "binary.Dockerfile").write_bytes(b"FROM a\0b")
    (folder / "latin.Dockerfile").write_bytes(b"FROM a\n# caf\xe9\n")
    (folder / "huge.Dockerfile").write_bytes(b"#" * 5_000_001)
    result = run("check", "--format", "json", ".", "missing")
    report = json.loads(result.stdout)
    assert result.exit_code == 2
    assert [finding["rule"] for finding in report["findings"]] == ["ML201"]
    assert {error["path"]: error["message"] for error in report["errors"]} == {
        "binary.Dockerfile": "binary data, not text",
        "huge.Dockerfile": "larger than 5 MB",
        "latin.Dockerfile": "not UTF-8 text: invalid continuation byte at byte 12",
        "missing": "no such file or directory",
    }


def test_a_file_without_permission_is_an_error(folder: Path):
    file = folder / "Dockerfile"
    file.write_text(ROOT)
    file.chmod(0)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        result = run("check", "Dockerfile")
    finally:
        if was_root:
            os.seteuid(0)
    assert (result.exit_code, "permission denied" in result.stdout) == (2, True)


def test_a_vanished_file_and_a_dangling_link_are_errors(folder: Path):
    (folder / "Dockerfile").symlink_to("gone")
    result = run("check", ".")
    assert result.exit_code == 2
    assert "no such file" in result.stdout


def test_a_target_that_the_file_does_not_have_is_an_error(folder: Path):
    (folder / "Dockerfile").write_text(ROOT)
    result = run("check", "--target", "runtime")
    assert (result.exit_code, "has no stage runtime" in result.stdout) == (2, True)


def test_a_configuration_error_names_the_place(folder: Path):
    (folder / "Dockerfile").write_text(ROOT)
    (folder / ".mllint.yaml").write_text("ignor: [root-user]\n")
    result = run("check")
    assert result.exit_code == 2
    assert '.mllint.yaml:1:1: unknown option "ignor", did you mean "ignore"?' in result.output
    assert run("check", "--no-config").exit_code == 1


def test_configuration_of_the_nearest_folder_counts(folder: Path):
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "Dockerfile").write_text(ROOT)
    (folder / "a" / "pyproject.toml").write_text('[tool.mllint.ignore]\nroot-user = "the platform sets the user"\n')
    assert [line.split(":")[0] for line in lines(".")] == ["b/Dockerfile"]
    assert "Ignored by configuration: root-user (the platform sets the user)" in run("check").stdout


def test_severity_and_per_path_ignores(folder: Path):
    (folder / "dev").mkdir()
    for name in ("Dockerfile", "dev/Dockerfile"):
        (folder / name).write_text(ROOT)
    (folder / ".mllint.yaml").write_text("severity: {root-user: error}\nper-path-ignores: {'dev/**': [ML201]}\n")
    assert [line.split()[:3] for line in lines(".")] == [["Dockerfile:2:1", "error", "ML201"]]


def test_outputs_besides_and_instead_of_the_screen(folder: Path):
    (folder / "Dockerfile").write_text(ROOT)
    both = run("check", "--output", "json=report.json", "--output", "github=notes.txt")
    assert "ML201" in both.stdout
    assert json.loads((folder / "report.json").read_text())["schema"] == 1
    assert (folder / "notes.txt").read_text().startswith("::warning ")
    instead = run("check", "--format", "json", "--output", "only.json")
    assert instead.stdout == ""
    assert (folder / "only.json").read_text() == (folder / "report.json").read_text()


def test_an_output_that_cannot_be_written_is_a_usage_error(folder: Path):
    (folder / "Dockerfile").write_text(ROOT)
    assert run("check", "--output", "no/such/folder/out.txt").exit_code == 2


def test_github_writes_the_step_summary(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "Dockerfile").write_text(ROOT)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    assert run("check", "--format", "github").stdout.startswith("::warning file=Dockerfile,line=2,")
    assert "ML201" in (folder / "summary.md").read_text()


def test_show_files_tells_the_context_and_why(folder: Path):
    (folder / "docker").mkdir()
    (folder / "docker" / "Dockerfile").write_text("FROM python:3.11\nCOPY src/main.py .\n")
    (folder / "src").mkdir()
    (folder / "src" / "main.py").write_text("")
    assert run("check", "--show-files").stdout.splitlines() == [
        "docker/Dockerfile: context . (holds 1 of 1 files that the Dockerfile names), no ignore file"
    ]


def test_same_bytes_on_two_runs(folder: Path):
    for name in ("b.Dockerfile", "a.Dockerfile", "Dockerfile"):
        (folder / name).write_text(ROOT)
    (folder / "requirements.txt").write_text("torch\nnumpy\n")
    command = [sys.executable, "-m", "mllint", "check", "--format", "json", "."]
    outputs = {
        subprocess.run(command, capture_output=True, check=False, env={**os.environ, "PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_no_escape_code_of_a_file_reaches_the_terminal(folder: Path):
    (folder / "Dockerfile").write_text("FROM python:\x1b[31mlatest\nRUN echo \x1b]0;title\x07\nFOO\x9b \u202e bar\n")
    for form in ("text", "json", "github"):
        shown = run("check", "--format", form, "--color", "never").stdout
        assert not [char for char in shown if char != "\n" and not char.isprintable()]


def test_colour_follows_the_terminal_and_no_color(folder: Path):
    (folder / "Dockerfile").write_text(ROOT)
    assert "\x1b[" in on_a_terminal(folder, {})
    assert "\x1b[" not in on_a_terminal(folder, {"NO_COLOR": "1"})
    assert "\x1b[" not in run("check").stdout
    assert "\x1b[" in run("check", "--color", "always").stdout


def on_a_terminal(folder: Path, more: dict[str, str]) -> str:
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", **more}
    command = [sys.executable, "-m", "mllint", "check"]
    subprocess.run(command, stdout=follower, stderr=follower, cwd=folder, env=environment, check=False)
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    return shown.decode()


def test_a_reader_that_leaves_early_gives_no_traceback(folder: Path):
    (folder / "Dockerfile").write_text(ROOT + "FOO bar\n" * 3000)
    command = f"{sys.executable} -m mllint check --preset all | head -n 1"
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, cwd=folder, check=False)
    assert "Traceback" not in result.stderr
    assert "BrokenPipe" not in result.stderr


def test_explain_shows_the_rule_by_any_of_its_names():
    for name in ("ML201", "root-user", "DL3002"):
        shown = run("explain", name).stdout
        assert shown.startswith("ML201 root-user  warning")
        assert "## Bad" in shown
    assert run("explain", "no-such-rule").exit_code == 2


def test_rules_lists_them_all():
    listed = json.loads(run("rules", "--format", "json").stdout)
    assert [entry["id"] for entry in listed] == sorted(entry["id"] for entry in listed)
    assert set(listed[0]) == {"id", "name", "severity", "family", "presets", "fix", "aliases"}
    assert "root-user" in run("rules").stdout


def test_the_readme_shows_what_check_prints(monkeypatch: pytest.MonkeyPatch):
    root = Path(mllint.__file__).parent.parent
    readme = (root / "README.md").read_text("utf-8")
    block = readme.partition("```console\n")[2].partition("\n```")[0]
    command, *shown = block.splitlines()
    monkeypatch.chdir(root / command.removeprefix("$ cd ").partition(" && ")[0])
    printed = run("check").stdout.splitlines()
    assert len(shown) > 10
    assert [line for line in shown if line not in (*printed, "…")] == []
