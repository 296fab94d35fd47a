"""ML0: the inputs themselves and the comments that steer mllint."""

from mllint.checks.input import comments, lines

__all__ = ["comments", "lines"]
