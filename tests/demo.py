"""Lint the tutorial's "production-grade" image, as `make demo` shows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Run `mllint check` on the broken fixture; what it finds is the demonstration, so findings are no failure."""
    for state, outcome in (("broken", 1), ("fixed", 0)):
        folder = f"fixtures/inference/cpu/tutorial/{state}"
        print(f"$ mllint check {folder}", flush=True)
        command = [sys.executable, "-m", "mllint", "check", folder]
        if subprocess.run(command, cwd=ROOT, check=False).returncode != outcome:
            return 1
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
