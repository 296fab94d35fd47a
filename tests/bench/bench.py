"""How long mllint takes beside hadolint and tally, as Markdown tables: `make bench`.

Whole processes are timed, one after another in turn (A B C A B C …), so that whatever else the machine does meets all of
them; a ratio is the median of the ratios of each turn. mllint is installed from its wheel and its modules are compiled;
the peers are those on PATH, else the extra `bench` is installed beside it. Where MLLINT_CORPUS names a folder, each
program also checks all Dockerfiles below it in one call: mllint where they are, with their build contexts, which the
others do not read. tally stops at a file it cannot parse, so such files are left out for all.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv-bench"
FIXTURE = ROOT / "fixtures/inference/cpu/no-user/broken"
DOCKERFILE = re.compile(r"(?:.*[._-])?(?:docker|container)file(?:[._-].*)?", re.IGNORECASE)
PEERS = ("hadolint", "tally")
WITHOUT_SHELLCHECK = ("--ignore", "shellcheck/*")
TALLY_STOPPED = re.compile(r"^Error: (?:failed to lint )?(\S+/Dockerfile):", re.MULTILINE)


@dataclass(frozen=True)
class Program:
    """A command line to be timed."""

    name: str
    command: tuple[str, ...]
    folder: Path


@dataclass(frozen=True)
class Run:
    """Seconds that a process took: on the clock, and of all processors."""

    wall: float
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description="Time mllint beside hadolint and tally.")
    parser.add_argument("--rounds", type=int, default=21, help="turns on one file (default 21)")
    parser.add_argument("--corpus-rounds", type=int, default=3, help="turns on the corpus (default 3)")
    options = parser.parse_args()
    mllint, hadolint, tally = install()
    for program in (hadolint, tally):
        print(subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip())
    print(f"\n### One file: {(FIXTURE / 'Dockerfile').relative_to(ROOT)}, {options.rounds} turns\n")
    tally_lint = (tally, "lint", "--slow-checks", "off")
    programs = [
        Program("`mllint check`", (mllint, "check", "Dockerfile"), FIXTURE),
        Program("`tally lint --slow-checks off`", (*tally_lint, "Dockerfile"), FIXTURE),
        Program("the same without ShellCheck", (*tally_lint, *WITHOUT_SHELLCHECK, "Dockerfile"), FIXTURE),
        Program("`hadolint`", (hadolint, "Dockerfile"), FIXTURE),
    ]
    print(table(measure(programs, options.rounds, warm_ups=2), 1000, "ms"))
    corpus = os.environ.get("MLLINT_CORPUS")
    if not corpus:
        print("\nNo corpus: MLLINT_CORPUS names no folder.")
        return
    with tempfile.TemporaryDirectory() as folder:
        copies = copied(Path(corpus).resolve(), Path(folder))
        stopped = drop_unparsable(copies, (*tally_lint, *WITHOUT_SHELLCHECK), Path(folder))
        print(f"\n### {len(copies)} files in one call, {options.corpus_rounds} turns (tally cannot parse {stopped} more)\n")
        programs = [
            Program("`mllint check`", (mllint, "check", *map(str, copies.values())), Path(corpus).resolve()),
            Program("`tally lint --slow-checks off`", (*tally_lint, *copies), Path(folder)),
            Program("the same without ShellCheck", (*tally_lint, *WITHOUT_SHELLCHECK, *copies), Path(folder)),
            Program("`hadolint`", (hadolint, *copies), Path(folder)),
        ]
        print(table(measure(programs, options.corpus_rounds, warm_ups=0), 1, "s"))


def install() -> tuple[str, str, str]:
    """The programs mllint, hadolint and tally, all installed."""
    if not (VENV / "pyvenv.cfg").exists():
        venv.create(VENV, with_pip=True)
    python, programs = VENV / "bin/python", VENV / "bin"
    found = {name: shutil.which(name) for name in PEERS}
    what = str(ROOT) if all(found.values()) else f"{ROOT}[bench]"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", what], check=True)
    for library in VENV.glob("lib/python*/site-packages"):
        subprocess.run([python, "-m", "compileall", "-q", library], check=True)
    hadolint, tally = (Path(found[name] or programs / name) for name in PEERS)
    return str(programs / "mllint"), str(hadolint), str(native_tally(tally))


def native_tally(program: Path) -> Path:
    """The program behind the Python script that the package tally-cli installs, whose start it would pay for."""
    return next(program.parent.parent.glob("lib/python*/site-packages/tally_cli/bin/*/tally"), program)


def copied(corpus: Path, folder: Path) -> dict[str, Path]:
    """The Dockerfiles of a corpus by the paths of their copies `NNNN/Dockerfile`, as tally takes no other names."""
    copies = {}
    for path in sorted(path for path in corpus.rglob("*") if DOCKERFILE.fullmatch(path.name) and path.is_file()):
        content = path.read_bytes()
        if path.name.lower().endswith(".dockerignore") or b"\0" in content:
            continue
        copy = f"{len(copies):04}/Dockerfile"
        (folder / copy).parent.mkdir()
        (folder / copy).write_bytes(content)
        copies[copy] = path
    return copies


def drop_unparsable(copies: dict[str, Path], tally: tuple[str, ...], folder: Path) -> int:
    """Take out the files at which tally stops, which it names one after another; how many there were."""
    before = len(copies)
    while True:
        finished = subprocess.run([*tally, *copies], cwd=folder, capture_output=True, text=True, check=False)
        if finished.returncode in (0, 1):
            return before - len(copies)
        stopped = set(TALLY_STOPPED.findall(finished.stderr)) & copies.keys()
        if not stopped:
            sys.exit(finished.stderr)
        for copy in stopped:
            del copies[copy]


def measure(programs: list[Program], rounds: int, warm_ups: int) -> dict[str, list[Run]]:
    """The runs of each program, by its name, those to warm up left out."""
    runs: dict[str, list[Run]] = {program.name: [] for program in programs}
    for turn in range(warm_ups + rounds):
        for program in programs:
            run = timed(program)
            if turn >= warm_ups:
                runs[program.name].append(run)
    return runs


def timed(program: Program) -> Run:
    """Run a program once; one that does not do its work ends the benchmark."""
    used, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    finished = subprocess.run(
        program.command, cwd=program.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    # mllint gives 2 where it checked all but a file of a context that cannot be read, 1 like Python where it fails.
    if finished.returncode > 2 or b"Traceback" in finished.stderr:
        sys.exit(f"{program.name} gave {finished.returncode}: {finished.stderr.decode(errors='replace')[-2000:]}")
    return Run(wall, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime)


def table(runs: dict[str, list[Run]], factor: int, unit: str) -> str:
    """Medians, and how many times each program's time the first one takes."""
    own, *_ = runs.values()
    lines = [f"| | wall, {unit} | fastest, {unit} | CPU, {unit} | mllint takes |", "| --- | --: | --: | --: | --: |"]
    for name, each in runs.items():
        wall, fastest = median(run.wall for run in each), min(run.wall for run in each)
        cells = (f"{seconds * factor:.{0 if unit == 'ms' else 1}f}" for seconds in (wall, fastest, median(run.cpu for run in each)))
        ratio = median(mine.wall / its.wall for mine, its in zip(own, each, strict=True))
        lines.append(f"| {name} | {' | '.join(cells)} | {'' if each is own else f'{ratio:.2f} ×'} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
