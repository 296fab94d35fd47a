"""ML3: how the container starts, serves, stays healthy and stops."""
