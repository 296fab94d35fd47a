"""ML715: what compiles at run time, in an image without a compiler."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.frameworks.cuda_bases import asked_at, where
from mllint.checks.system import fixes
from mllint.findings import Finding, Location, Related
from mllint.image.serving.jit import Compiler, without_compiler
from mllint.image.stage import Stage

_PACKAGES = {"debian": ("g++",), "ubuntu": ("g++",)}


@check("ML715")
def jit_needs_compiler(stage: Stage) -> Iterator[Finding]:
    """A service that compiles kernels while it runs, and no compiler to do it."""
    found = without_compiler(stage)
    if found is None:
        return
    base = stage.root.base
    who = f"{found.name} compiles" if found.event is not None else f"{found.name} has kernels compiled"
    message = (
        f"{who} with the C compiler of the image while it serves, and {base.text} has none: it fails with Failed to"
        " find C compiler, or No working C++ compiler found"
    )
    repair = "install g++ in the final stage, with python3-dev for the Python of the operating system"
    place, related = _place(stage, found)
    step = found.event.cause.step if found.event is not None else None
    names = _packages(stage)
    fix = fixes.at_step(stage, step, names) if names else None
    yield Finding(place, message, repair, related, fix, is_strict=found.event is None)


def _place(stage: Stage, found: Compiler) -> tuple[Location, tuple[Related, ...]]:
    root = stage.root
    base = Location(root.build.source, root.from_word.span)
    if found.event is not None:
        return where(stage, found.event), asked_at(stage, found.event)
    assert found.place is not None, "what is no distribution is a call"
    return base, (Related(Location(*found.place), "compiled here"),)


def _packages(stage: Stage) -> tuple[str, ...]:
    """What an image whose Python is no package of the operating system lacks; the headers of that one are there."""
    base = stage.root.base
    has_own = base.python is not None and getattr(base.python, "prefix", "") == "/usr/local"
    return _PACKAGES.get(base.family or "", ()) if has_own else ()
