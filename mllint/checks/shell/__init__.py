"""DF3: shell in RUN."""

from mllint.checks.shell import lost, masking, redirecting

__all__ = ["lost", "masking", "redirecting"]
