"""What lint, a real engine and the fixes make of each fault of fixtures/inference: the tables of README.md.

    python tests/engine/faults.py [--write] [FAULT...]

Prints the rows of all faults, or of those named (`gpu/no-user`); with --write they go into README.md. They are the same
on each machine, as no time and no size is in them.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from engine import Engine

import mllint

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
INFERENCE = ROOT / "fixtures" / "inference"
FAULTS = sorted(path.relative_to(INFERENCE).as_posix() for path in INFERENCE.glob("*/*"))
KINDS = {"cpu": "scikit-learn on a `python` image", "gpu": "onnxruntime on an `nvidia/cuda` image"}
BEGIN, END = "<!-- faults: make faults -->\n", "<!-- end of faults -->\n"
AT_ONCE = 2
SERVICE = ("main.py", "requirements.txt", "model.joblib", "model.onnx")
"""What the working directory of an image is to hold."""

TELLING = (
    ("built", r"No matching distribution found for (\S+)", "does not build: no matching distribution for {}"),
    ("built", r"FROM (\S+): no such tag", "does not build: no such tag"),
    ("built", r"(\w+): not found", "does not build: {}: not found"),
    ("healthy", r"has no HEALTHCHECK", "no health check"),
    ("healthy", r"^(?:it does not start|the container ended).*\b(uvicorn)\b", "does not start: {} cannot be run"),
    ("healthy", r"^(?:unhealthy|its health check fails although the service answers): (.+)", "unhealthy: {}"),
    ("reachable", r"only the container itself reaches", "not reachable from outside"),
    ("user", r"^uid 0\b", "uid 0"),
    ("stops", r"^killed after (\d+) s", "killed after {} s"),
    ("secrets", r"^whoever can pull the image reads: (.+)", "whoever pulls the image reads the {}"),
)
"""Row of `mllint verify`, what is looked for in it, and how the table puts it."""


class Row(NamedTuple):
    """A line of the table."""

    fault: str
    rules: str
    broken: str
    """What shows on the engine."""
    fix: str
    fixed: str
    """What shows there then."""

    def __str__(self) -> str:
        return f"| `{self.fault}` | {self.rules} | {self.broken} | {self.fix} | {self.fixed} |"


def row(engine: Engine, fault: str) -> Row:
    """Look at a fault: the broken context, its fix, and the fixed one."""
    broken, fixed = INFERENCE / fault / "broken", INFERENCE / fault / "fixed"
    rules = dict.fromkeys(finding.rule.name for finding in mllint.lint([broken]).findings)
    repaired = mllint.fix([broken], unsafe=True, write=False).report
    titles = dict.fromkeys(finding.fix.title for finding in repaired.repaired)
    looks = LOOKS.get(fault.partition("/")[2], ())
    before = [*failures(verified(broken)), *(look(engine, broken) for look in looks)]
    after = [*service(verified(fixed)), *(look(engine, fixed) for look in looks)]
    return Row(
        fault,
        ", ".join(f"`{name}`" for name in rules),
        ", ".join(before) or "runs today; the next build may be another",
        "by hand" if repaired.findings else "; ".join(titles),
        ", ".join(after),
    )


def verified(context: Path) -> Mapping[str, Any]:
    """What `mllint verify` says of a context."""
    command = [sys.executable, "-m", "mllint", "verify", "--quiet", "--format", "json", context]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    if not ran.stdout:
        raise RuntimeError(ran.stderr)
    (variant,) = json.loads(ran.stdout)["variants"]
    return variant


def failures(variant: Mapping[str, Any]) -> list[str]:
    """What is wrong, in the words of the table."""
    if variant["obstacle"] is not None:
        return [variant["obstacle"]]
    return [_told(each) for each in variant["rows"] if each["outcome"] == "fail"]


def _told(failed: Mapping[str, Any]) -> str:
    said = "\n".join((failed["value"], *failed["detail"]))
    for name, pattern, text in TELLING:
        found = re.search(pattern, said, re.MULTILINE) if name == failed["name"] else None
        if found:
            return text.format(*found.groups())
    return f"{failed['name']}: {failed['value']}"


def service(variant: Mapping[str, Any]) -> list[str]:
    """What is right, or else what is wrong."""
    wrong = failures(variant)
    if wrong:
        return wrong
    outcomes = {each["name"]: each["outcome"] for each in variant["rows"]}
    provider = {"pass": ["served on the GPU"], "note": ["served on CPU fallback"]}
    return ["built", "healthy", "stops in time", *provider.get(outcomes.get("provider", ""), ())]


def after_an_edit(engine: Engine, context: Path) -> str:
    """What pip does when the code has changed since the last build."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(context, Path(folder) / "context"))
        engine.build(copy)
        with (copy / "main.py").open("a") as code:
            # The builder's cache has the edits of earlier runs.
            code.write(f"\n# {uuid.uuid4()}\n")
        log = engine.log(copy)
    step = re.search(r"^(#\d+) \[.*\bRUN pip install ", log, re.MULTILINE)
    assert step is not None, log
    is_cached = re.search(f"^{step[1]} CACHED$", log, re.MULTILINE)
    return f"an edit of main.py installs {'nothing' if is_cached else 'everything'} again"


def package_lists(engine: Engine, context: Path) -> str:
    """Whether apt's lists are in the image. What pip keeps depends on the index: see test_faults.py."""
    lists = engine.run(engine.build(context), "find", "/var/lib/apt/lists", "-name", "*_Packages*", user="0")
    return f"apt's package lists {'are' if lists else 'are not'} in the image"


def files(engine: Engine, context: Path) -> str:
    """What of the context is in the image beside the service."""
    found = engine.run(engine.build(context), "find", ".", "-type", "f", "-not", "-name", "*.pyc", user="0")
    others = sorted({path.removeprefix("./") for path in found.split()}.difference(SERVICE))
    return f"{', '.join(others)} in the image" if others else "nothing but the service in the image"


LOOKS: Mapping[str, tuple[Callable[[Engine, Path], str], ...]] = {
    "caches-kept": (package_lists,),
    "code-before-deps": (after_an_edit,),
    "no-dockerignore": (files,),
    "quickstart": (after_an_edit, package_lists, files),
}
"""What shows in the image or in a build after it alone, by the fault without its kind."""


@contextmanager
def rows(engine: Engine, faults: Iterable[str]) -> Iterator[dict[str, Future[Row]]]:
    """The rows of faults, as they come."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {fault: pool.submit(row, engine, fault) for fault in faults}


def written() -> dict[str, str]:
    """The lines of README.md, by fault."""
    lines = _parts(README.read_text("utf-8"))[1].splitlines()
    return {found[1]: line for line in lines if (found := re.match(r"\| `([a-z/-]+)` \|", line))}


def tables(lines: Mapping[str, str]) -> str:
    """The tables of README.md, by the lines of each fault."""
    return "\n".join(
        f"**{kind.upper()}: {what}**\n\n"
        "| fault | lint says | on the engine | fix | then |\n|---|---|---|---|---|\n"
        + "".join(f"{line}\n" for fault, line in lines.items() if fault.startswith(f"{kind}/"))
        for kind, what in KINDS.items()
    )


def with_tables(text: str, lines: Mapping[str, str]) -> str:
    """The text of README.md with other lines in its tables."""
    before, _, after = _parts(text)
    return f"{before}\n{tables(lines)}\n{after}"


def _parts(text: str) -> tuple[str, str, str]:
    """A text up to the tables, the tables, and what follows on them."""
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return text[:begin], text[begin:end], text[end:]


def main() -> None:
    """Prints the rows, and writes them where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the rows into README.md")
    parser.add_argument("faults", nargs="*", metavar="FAULT")
    arguments = parser.parse_args()
    if unknown := set(arguments.faults).difference(FAULTS):
        parser.error(f"there is no fault {', '.join(sorted(unknown))}")
    engine, lines = Engine(), dict.fromkeys(FAULTS, "") | written()
    try:
        with rows(engine, arguments.faults or FAULTS) as found:
            for fault, each in found.items():
                lines[fault] = str(each.result())
                print(lines[fault], flush=True)
    finally:
        engine.remove_all()
    if arguments.write:
        README.write_text(with_tables(README.read_text("utf-8"), lines), "utf-8")


if __name__ == "__main__":
    main()
