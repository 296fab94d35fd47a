"""ML7: torch, TensorFlow, JAX, CUDA and what goes with them."""
