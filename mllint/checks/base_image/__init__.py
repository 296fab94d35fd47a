"""ML1: what an image starts from."""

from mllint.checks.base_image import arguments, devel, pinning, python, tags

__all__ = ["arguments", "devel", "pinning", "python", "tags"]
