"""How messages write sizes."""


def size(count: int) -> str:
    """A number of bytes in the unit that leaves it short."""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= step:
            return f"{count / step:.1f} {unit}" if count < 10 * step else f"{count / step:.0f} {unit}"
    return f"{count} B"
