"""ML0: the inputs themselves and the comments that steer mllint."""
