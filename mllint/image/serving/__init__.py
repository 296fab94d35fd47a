"""What the container runs, where it listens, and whether what it runs is there."""
