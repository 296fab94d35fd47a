"""ML6: what is installed, and whether the next build installs the same."""

from mllint.checks.requirements import (
    available,
    clashing,
    elsewhere,
    floating,
    local,
    managed,
    naming,
    numpy_abi,
    overlapping,
)

__all__ = ["available", "clashing", "elsewhere", "floating", "local", "managed", "naming", "numpy_abi", "overlapping"]
