"""ML9: libraries and programs that packages and commands need."""

from mllint.checks.system import building, libraries, running, staged, tools

__all__ = ["building", "libraries", "running", "staged", "tools"]
