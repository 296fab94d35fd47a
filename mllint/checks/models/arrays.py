"""ML803: pickles of NumPy 2 where NumPy 1 loads them."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.pins import pinned_to
from mllint.findings import Finding, Fix
from mllint.image.installing import offered
from mllint.image.models.installed import Release, release
from mllint.image.models.served import Served, loaded
from mllint.image.releases import version_of
from mllint.image.stage import Stage

_FIRST = (1, 26, 1)
"""The first release of NumPy 1 that has the names of NumPy 2."""


@check("ML803")
def pickle_numpy2_on_numpy1(stage: Stage) -> Iterator[Finding]:
    """A pickle that the service loads names a module that NumPy has had since 2.0, and the image has an older one."""
    for service, model in loaded(stage):
        if not any(name.startswith("numpy._core.") for name in model.globals):
            continue
        there = release(stage, service, "numpy")
        if there is not None and version_of(there.version) < _FIRST:
            yield Finding(
                model.place,
                f"NumPy 2 saved {model.entry.path}, and the image has {there.version}:"
                " loading it fails with \"No module named 'numpy._core'\"",
                "install numpy 1.26.4, which loads such files, or NumPy 2",
                there.related,
                _fix(service, there),
            )


def _fix(service: Served, there: Release) -> Fix | None:
    """The newest NumPy 1 for the interpreter, which has those names since 1.26.1."""
    minor = service.interpreter.minor
    version = offered.newest("numpy", minor, "<2") if isinstance(minor, str) else None
    if version is None or version_of(version) < _FIRST or there.asked is None or there.call is None:
        return None
    return pinned_to(*there.call, there.asked, version)
