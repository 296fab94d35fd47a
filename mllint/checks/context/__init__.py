"""ML5: what the build is sent, and what of it reaches the image."""

from mllint.checks.context import copying, ignoring, installing, weighing

__all__ = ["copying", "ignoring", "installing", "weighing"]
