"""DF2: the packages of the operating system."""

from mllint.checks.os_packages import lists, names

__all__ = ["lists", "names"]
