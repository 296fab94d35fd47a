"""ML3: how the container starts, serves, stays healthy and stops."""

from mllint.checks.runtime import environment, installed, probe, server, serving, starting

__all__ = ["environment", "installed", "probe", "server", "serving", "starting"]
