"""ML6: what is installed, and whether the next build installs the same."""
