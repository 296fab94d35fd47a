"""The command line: a module a command, each thin over the functions of `mllint`."""

from __future__ import annotations

import gc
import os
import sys
from io import TextIOWrapper


def main() -> None:
    """The console script. Exit codes: 0 clean, 1 findings, 2 unusable input or usage, 130 interrupted."""
    # A run is short and leaves few reference cycles: looking for them costs a sixth of the time,
    # from the first import on.
    gc.disable()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A file may hold what the terminal's encoding does not: show it escaped rather than fail.
            stream.reconfigure(errors="backslashreplace")
    try:
        from mllint.cli.commands import COMMANDS, command_line

        command_line([name for name in sys.argv[1:2] if name in COMMANDS] or COMMANDS)()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output has seen enough; what is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    finally:
        # Python looks for cycles as it ends, disabled or not: a fifth of a short run, unless all is frozen.
        gc.freeze()
