"""ML6: what is installed, and whether the next build installs the same."""

from mllint.checks.requirements import available, floating, managed

__all__ = ["available", "floating", "managed"]
