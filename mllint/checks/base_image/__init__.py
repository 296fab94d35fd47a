"""ML1: what an image starts from."""
