"""ML4: what layers cost, and what has to be built again when something changes."""
