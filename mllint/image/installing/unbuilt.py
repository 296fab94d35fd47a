"""What calls of pip and uv have to compile, as there is no wheel for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mllint import facts
from mllint.image import distributions
from mllint.image.installing import offered
from mllint.image.installing.fitting import misfit
from mllint.image.installing.locked import files_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.image.installing.fitting import Place
    from mllint.image.installing.indexed import Asked
    from mllint.image.installing.locked import Files


class SourceOnly(NamedTuple):
    """A requirement of which there is nothing but source to compile."""

    release: str
    """The distribution and its release, or the name alone where the release is open."""
    row: Mapping[str, Any]
    """Of the table `source_builds`."""


class WithoutMusl(NamedTuple):
    """A distribution that comes with a requirement and has no wheel for musl in any release for the interpreter."""

    name: str
    fails: bool
    """Whether there is no source to build from either."""


def source_only(each: Asked, where: Place) -> SourceOnly | None:
    """What of a requirement is published as source alone; None where it has wheels, or is not in the table."""
    row = next(iter(facts.by("source_builds", "name").get(each.name, ())), None)
    found = _offer(each, where) if row is not None else None
    if row is None or found is None or found.has_wheels or not found.has_sdist:
        return None
    return SourceOnly(f"{each.name} {each.version}" if each.version else each.name, row)


def _offer(each: Asked, where: Place) -> Files | None:
    """What there is of the release that is pinned, else of the newest that the interpreter and the specifier let in."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    if each.version is not None:
        return files_of(each)
    try:
        limits = SpecifierSet(each.specifier)
    except InvalidSpecifier:
        return None
    for version in filter(limits.contains, reversed(offered.releases(each.name))):
        found = offered.offer(each.name, version)
        if found is None or found.admits(where.minor):
            return found
    return None


def is_without_musl(each: Asked, where: Place) -> bool:
    """Whether a release of a lock file has wheels for glibc and none for musl, the C library of the place."""
    found = files_of(each)
    if found is None or where.platform.libc != "musl" or found.is_built_for(where.platform):
        return False
    return (found.arm64 if where.platform.is_arm else found.glibc) not in (None, "no")


def without_musl(each: Asked, where: Place) -> Iterator[WithoutMusl]:
    """What comes with a requirement and has to be built on musl, but what misfits by itself."""
    brought = distributions.closure([(each.name, each.version, frozenset())], where.minor)
    for name in brought.via:
        if name == each.name and (each.version is not None or misfit(each, where) is not None):
            continue
        known = [found for found in offered.offers(name) if found.admits(where.minor)]
        is_compiled = bool(known) and bool(known[-1].python) and "any" not in known[-1].python
        if is_compiled and not any(found.has_wheel(where.minor, where.platform) for found in known):
            yield WithoutMusl(name, not any(found.has_sdist for found in known))
