"""ML2: users, secrets and what else others could abuse."""
