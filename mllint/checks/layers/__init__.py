"""ML4: what layers cost, and what has to be built again when something changes."""

from mllint.checks.layers import caches, compilers, order, removed, stages, weights

__all__ = ["caches", "compilers", "order", "removed", "stages", "weights"]
