"""Lint the inference service in its worst and in its best state, as `make demo` shows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Run `mllint check` on both; that it finds faults in the broken one is the point, and no failure."""
    for state, outcome in (("broken", 1), ("fixed", 0)):
        folder = f"fixtures/inference/cpu/quickstart/{state}"
        print(f"$ mllint check {folder}", flush=True)
        command = [sys.executable, "-m", "mllint", "check", folder]
        if subprocess.run(command, cwd=ROOT, check=False).returncode != outcome:
            return 1
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
