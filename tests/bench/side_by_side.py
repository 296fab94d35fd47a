"""What hadolint, tally and mllint say of one Dockerfile: a section of README.md, made by `make peers`.

    python tests/bench/side_by_side.py [--write]

The Dockerfile is that of `fixtures/inference/cpu/tutorial/broken`, which a tutorial calls production-grade. Each
program runs in its folder with the options that are shown; what it prints stands in the section, with nothing left out.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
from pathlib import Path

from bench import FIXTURE, ROOT, TALLY_OPTIONS, install

README = ROOT / "README.md"
CONTEXT = FIXTURE.parents[1] / "tutorial/broken"
BEGIN, END = "<!-- side by side: make peers -->\n", "<!-- end of side by side -->\n"
NOTHING = "(prints nothing)"
LONG = 30
"""Lines from which on what a program prints is folded away."""


def main() -> None:
    parser = argparse.ArgumentParser(description="What hadolint, tally and mllint say of one Dockerfile.")
    parser.add_argument("--write", action="store_true", help="put the section into README.md")
    section = written()
    if parser.parse_args().write:
        text = README.read_text("utf-8")
        head, rest = text.split(BEGIN)
        README.write_text(f"{head}{BEGIN}\n{section}\n{END}{rest.split(END)[1]}", "utf-8")
    else:
        print(section, end="")


def written() -> str:
    """The section: the Dockerfile and the requirements, then each command line with what it prints."""
    installed = install()
    commands = {
        "hadolint --no-color Dockerfile": [installed.hadolint, "--no-color", "Dockerfile"],
        f"tally {' '.join(TALLY_OPTIONS)} Dockerfile": [installed.tally, *TALLY_OPTIONS, "Dockerfile"],
        "mllint check Dockerfile": [installed.mllint, "check", "Dockerfile"],
    }
    parts = [_fence("dockerfile", (CONTEXT / "Dockerfile").read_text("utf-8"))]
    parts.append(_fence("text", (CONTEXT / "requirements.txt").read_text("utf-8")))
    for shown, command in commands.items():
        output = _fence("console", f"$ {shown}\n{_output(command)}")
        name = _version(command[0])
        if output.count("\n") > LONG:
            parts.append(f"<details><summary><b>{name}</b></summary>\n\n{output}\n</details>\n")
        else:
            parts += [f"**{name}**\n", output]
    return "\n".join(parts)


def _fence(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    number = re.search(r"\d+(?:\.\d+)+", said)
    return f"{Path(program).name} {number[0] if number else said.strip()}"


def _output(command: list[str]) -> str:
    """All that a program prints, as on a terminal without colours; it ends with 1 where it finds something."""
    plain = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
    finished = subprocess.run(
        command, cwd=CONTEXT, env=plain, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if finished.returncode > 1:
        raise SystemExit(f"{command[0]} gave {finished.returncode}: {finished.stdout}")
    return finished.stdout.strip("\n") or NOTHING


if __name__ == "__main__":
    main()
