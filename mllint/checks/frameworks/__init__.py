"""ML7: torch, TensorFlow, JAX, CUDA and what goes with them."""

from mllint.checks.frameworks import cuda_wheels

__all__ = ["cuda_wheels"]
