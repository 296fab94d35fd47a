"""ML7: torch, TensorFlow, JAX, CUDA and what goes with them."""

from mllint.checks.frameworks import companions, cuda_bases, cuda_wheels, extra_indexes

__all__ = ["companions", "cuda_bases", "cuda_wheels", "extra_indexes"]
