"""ML1: what an image starts from."""

from mllint.checks.base_image import pinning, python, tags

__all__ = ["pinning", "python", "tags"]
