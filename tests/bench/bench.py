"""How long mllint takes beside hadolint and tally, as Markdown tables: `make bench`.

Whole processes are timed, one after another in turn (A B C A B C …), so that whatever else the machine does meets all
of them; a ratio is the median of the ratios of the turns. mllint is installed from its wheel and its modules are
compiled; the peers are those on PATH, else the extra `bench` is installed beside it. Where MLLINT_CORPUS names a
folder, each program also checks all Dockerfiles below it in one call: mllint where they are, with their build contexts,
which the others do not read. tally stops at a file it cannot parse, so such files are left out for all.
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

from mllint.sources.file_names import is_dockerfile_name

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv-bench"
FIXTURE = ROOT / "fixtures/inference/cpu/no-user/broken"
PEERS = ("hadolint", "tally")
TALLY_OPTIONS = ("lint", "--no-config", "--slow-checks", "off")
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


@dataclass(frozen=True)
class Installed:
    """The paths of the three programs."""

    mllint: str
    hadolint: str
    tally: str

    def programs(self, own: list[str], own_folder: Path, peers: list[str], peers_folder: Path) -> list[Program]:
        """What is timed: mllint on its files, and the peers on theirs."""
        tally = (self.tally, *TALLY_OPTIONS)
        return [
            Program("mllint", (self.mllint, "check", *own), own_folder),
            Program("tally, slow checks off", (*tally, *peers), peers_folder),
            Program("tally, also without ShellCheck", (*tally, *WITHOUT_SHELLCHECK, *peers), peers_folder),
            Program("hadolint", (self.hadolint, *peers), peers_folder),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time mllint beside hadolint and tally.")
    parser.add_argument("--rounds", type=int, default=21, metavar="N", help="turns on one file (default 21)")
    parser.add_argument("--corpus-rounds", type=int, default=3, metavar="N", help="turns on the corpus (default 3)")
    options = parser.parse_args()
    installed = install()
    for peer in (installed.hadolint, installed.tally):
        print(subprocess.run([peer, "--version"], capture_output=True, text=True, check=True).stdout.strip())

    print(f"\n### One file, {options.rounds} turns: {FIXTURE.relative_to(ROOT)}/Dockerfile\n")
    programs = installed.programs(["Dockerfile"], FIXTURE, ["Dockerfile"], FIXTURE)
    print(table(measure(programs, options.rounds, warm_ups=2), "ms", 1000, 0), flush=True)

    corpus = os.environ.get("MLLINT_CORPUS")
    if not corpus:
        print("\nMLLINT_CORPUS names no folder: no throughput measured.")
        return
    with tempfile.TemporaryDirectory() as folder:
        copies = copied(Path(corpus), Path(folder))
        stopped = drop_unparsable(copies, installed.tally, Path(folder))
        turns = f"{options.corpus_rounds} turns"
        print(f"\n### {len(copies)} files in one call, {turns} ({stopped} that tally cannot parse left out)\n")
        programs = installed.programs(list(copies.values()), Path(corpus), list(copies), Path(folder))
        print(table(measure(programs, options.corpus_rounds, warm_ups=0), "s", 1, 1))


def install() -> Installed:
    """Install this checkout's mllint, and the peers that are not on PATH."""
    if not (VENV / "pyvenv.cfg").exists():
        venv.create(VENV, with_pip=True)
    python = VENV / "bin/python"
    found = {peer: shutil.which(peer) for peer in PEERS}
    what = str(ROOT) if all(found.values()) else f"{ROOT}[bench]"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", what], check=True)
    for library in VENV.glob("lib/python*/site-packages"):
        subprocess.run([python, "-m", "compileall", "-q", library], check=True)
    hadolint, tally = (Path(found[peer] or VENV / "bin" / peer) for peer in PEERS)
    return Installed(str(VENV / "bin/mllint"), str(hadolint), str(native_tally(tally)))


def native_tally(program: Path) -> Path:
    """The program behind the Python script of the package tally-cli, which would add the start of a Python."""
    return next(program.parent.parent.glob("lib/python*/site-packages/tally_cli/bin/*/tally"), program)


def copied(corpus: Path, folder: Path) -> dict[str, str]:
    """Path in the corpus by path of the copy, `NNNN/Dockerfile`: tally refuses most other names."""
    copies = {}
    for path in sorted(corpus.rglob("*")):
        if is_dockerfile_name(path.name) and path.is_file() and b"\0" not in (content := path.read_bytes()):
            copy = f"{len(copies):04}/Dockerfile"
            (folder / copy).parent.mkdir()
            (folder / copy).write_bytes(content)
            copies[copy] = str(path.relative_to(corpus))
    return copies


def drop_unparsable(copies: dict[str, str], tally: str, folder: Path) -> int:
    """Take out the files at which tally stops, of which it names one or a few a run; how many there were."""
    before = len(copies)
    while True:
        command = (tally, *TALLY_OPTIONS, *WITHOUT_SHELLCHECK, *copies)
        finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if finished.returncode <= 1:
            return before - len(copies)
        stopped = set(TALLY_STOPPED.findall(finished.stderr)) & copies.keys()
        if not stopped:
            sys.exit(f"tally gave {finished.returncode}: {finished.stderr}")
        for copy in stopped:
            del copies[copy]


def measure(programs: list[Program], rounds: int, warm_ups: int) -> dict[str, list[Run]]:
    """The runs of each program by its name, without those that warm up."""
    runs: dict[str, list[Run]] = {program.name: [] for program in programs}
    for turn in range(warm_ups + rounds):
        for program in programs:
            run = timed(program)
            if turn >= warm_ups:
                runs[program.name].append(run)
    return runs


def timed(program: Program) -> Run:
    """Run a program once; one that does not do its work ends the benchmark."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    finished = subprocess.run(
        program.command, cwd=program.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    # mllint gives 2 without a word on stderr where it did all but read a broken file of some context; like every Python
    # program, it gives 1 where it fails.
    if (finished.returncode > 1 and finished.stderr) or b"Traceback" in finished.stderr:
        sys.exit(f"{program.name} gave {finished.returncode}: {finished.stderr.decode(errors='replace')[-2000:]}")
    return Run(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def table(runs: dict[str, list[Run]], unit: str, units_a_second: int, digits: int) -> str:
    """The medians, the fastest run, and the time of the first program as a share of each other's."""
    own, *_ = runs.values()
    lines = [f"| | wall, {unit} | fastest, {unit} | CPU, {unit} | mllint's share |", "| --- | --: | --: | --: | --: |"]
    for name, each in runs.items():
        wall, cpu = median(run.wall for run in each), median(run.cpu for run in each)
        seconds = (wall, min(run.wall for run in each), cpu)
        share = median(mine.wall / its.wall for mine, its in zip(own, each, strict=True))
        cells = [name, *(f"{value * units_a_second:.{digits}f}" for value in seconds), f"{share:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
