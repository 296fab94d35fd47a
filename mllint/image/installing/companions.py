"""Distributions that are compiled against one release of torch, and the releases of both that a call asks for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.image.installing import offered
from mllint.image.installing.clashing import fits
from mllint.image.installing.fitting import place
from mllint.image.installing.indexed import asked, interpreter_of, is_public, view_at
from mllint.image.installing.indexes import is_of_index_or_pytorch
from mllint.image.python import environment
from mllint.patterns import regex
from mllint.sources.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from mllint.image.events import Distribution
    from mllint.image.installing.fitting import Place
    from mllint.image.installing.indexed import Asked
    from mllint.image.packages import Install
    from mllint.image.stage import Stage
    from mllint.sources.text import Source, Span

_LOCAL = regex(r"\+[\w.]+")
_CLOSED = regex(r"(?:^|,)\s*(?:===?|~=|<)")
# From here on the last release of torchaudio, which names no torch, may load all the same.
_STABLE_SINCE = "2.9.0"


class Apart(NamedTuple):
    """A companion and the torch that it will meet, of which it is not made for the latter."""

    companion: Asked
    release: str
    """The release of the companion, or what is asked of it."""
    requires: str
    """The specifier of torch that it has; empty where it names none."""
    torch: str
    """The release of torch, or what is asked of it."""
    torch_place: tuple[Source, Span] | None
    fails: bool
    """Whether the call finds no releases that fit; else it replaces torch, or leaves both."""
    matching: str | None = None
    """The release of the companion for this torch, that has a wheel here."""

    @property
    def replaces(self) -> bool:
        """Whether the call brings another torch than the one that is there."""
        return not self.fails and bool(self.requires)


class Agreed(NamedTuple):
    """Companions that are all made for one torch, while another one is asked for."""

    torch: Asked
    release: str
    """The one that they are made for."""
    found: tuple[Apart, ...]


@cache
def names() -> frozenset[str]:
    """The distributions that are compiled against torch."""
    return frozenset(row["name"] for row in facts.rows("torch_companions"))


def requires(name: str, version: str) -> str | None:
    """What a release says of torch; None where that is not known."""
    wanted = _version(version)
    for row in facts.by("torch_companions", "name").get(name, ()):
        if _version(row["first"]) <= wanted <= _version(row["last"]):
            return str(row["requires"])
    return None


def apart(stage: Stage, install: Install) -> Iterator[Apart]:
    """The companions that a call asks for and that are not made for the torch of it, or of a call before it."""
    wanted = asked(stage, install)
    companions = [each for each in wanted if each.name in names()]
    if not companions or install.has("--no-deps", "--override", "--overrides") or install.variable("UV_OVERRIDE"):
        return
    if not is_of_index_or_pytorch(stage, install):
        return
    torch = [each for each in wanted if each.name == "torch"]
    if torch:
        yield from together(wanted, place(stage, install))
        yield from _without_limit(stage, install, companions, torch)
    elif not _asks_for_torch(stage, install):
        before = _installed(stage, install)
        found = (_after(stage, install, each, before) for each in companions) if before is not None else ()
        yield from (each for each in found if each is not None)


def together(wanted: Sequence[Asked], where: Place | None) -> Iterator[Apart]:
    """The companions of which no release that is admitted requires a torch that is admitted."""
    for each in wanted:
        if each.name in names() and sum(other.name in ("torch", each.name) for other in wanted) == 2:
            torch = next((other for other in wanted if other.name == "torch"), None)
            found = _unfit(each, torch, where) if torch is not None else None
            if found is not None:
                yield found


def agreed(wanted: Sequence[Asked], found: Sequence[Apart]) -> Agreed | None:
    """The torch that all companions of a call ask for, where those are more than one, or another pin shuts out the one
    that is asked for."""
    torch = next((each for each in wanted if each.name == "torch" and each.version is not None), None)
    pinned = [each for each in wanted if each.name in names() and each.version is not None]
    odd = tuple(each for each in found if each.fails and each.companion.version is not None)
    limits = {each.requires for each in odd}
    if torch is None or torch.version is None or len(odd) != len(pinned) or len(limits) != 1:
        return None
    others = [each for each in wanted if each.name not in names()]
    if len(odd) == 1 and fits("torch", _public(torch.version), others):
        return None
    limit = limits.pop()
    return Agreed(torch, limit.removeprefix("=="), odd) if limit.startswith("==") else None


def _unfit(each: Asked, torch: Asked, where: Place | None) -> Apart | None:
    if not _CLOSED.search(each.specifier) or not torch.specifier:
        return None
    releases = [each.version] if each.version else _admitted(each.name, each.specifier)
    limits = [requires(each.name, release) for release in releases]
    if not limits or any(not limit or _admits_both(limit, torch.specifier) for limit in limits):
        return None
    release = each.version or each.specifier
    wanted, fitting = torch.version or torch.specifier, matching(each.name, torch.version or _last(torch), where)
    return Apart(each, release, limits[-1] or "", wanted, (torch.source, torch.span), True, fitting)


def _without_limit(
    stage: Stage, install: Install, companions: Sequence[Asked], torch: Sequence[Asked]
) -> Iterator[Apart]:
    """A companion whose newest release says nothing of torch, beside an older torch."""
    settled = torch[0].version or _last(torch[0])
    if len(torch) > 1 or settled is None or not _is_old(settled):
        return
    place_of_torch = torch[0].source, torch[0].span
    for each in companions:
        last = newest(stage, install, each)
        if last is not None and requires(each.name, last) == "":
            fitting = matching(each.name, settled, place(stage, install))
            yield Apart(each, last, "", settled, place_of_torch, False, fitting)


def _last(torch: Asked) -> str | None:
    """The newest release that a specifier of torch admits, where no later one ever will be."""
    found = _admitted_releases(torch.name, torch.specifier) if _CLOSED.search(torch.specifier) else ()
    return found[-1] if found else None


def _after(stage: Stage, install: Install, each: Asked, torch: Distribution) -> Apart | None:
    """A companion that is not made for the torch that an earlier call installed."""
    assert isinstance(torch.version, str), "only a torch whose release is known is looked at"
    release = each.version or newest(stage, install, each)
    limit = requires(each.name, release) if release is not None and is_release(release) else None
    version = _public(torch.version)
    if release is None or limit is None or (limit and admits(limit, version)):
        return None
    if not limit and not _is_old(version):
        return None
    asked_at = torch.place or (stage.build.source, torch.cause.span)
    return Apart(each, release, limit, version, asked_at, False, matching(each.name, version, place(stage, install)))


def _is_old(torch: str) -> bool:
    return is_release(torch) and _version(torch) < _version(_STABLE_SINCE)


def newest(stage: Stage, install: Install, each: Asked) -> str | None:
    """The newest release of a companion without a version, where nothing but the index decides on it."""
    where, read = place(stage, install), stage.closure(install)
    if each.specifier or where is None or not is_public(stage, install) or not read.is_complete:
        return None
    if read.constraints or read.has_unread_constraints:
        return None
    for version in reversed(offered.releases(each.name)):
        found = offered.offer(each.name, version)
        if found is None:
            return None
        if found.has_wheel(where.minor, where.platform) and not offered.is_yanked(each.name, version):
            return version
    return None


def matching(name: str, torch: str | None, where: Place | None) -> str | None:
    """The newest release of a companion that names exactly this torch and has a wheel at the place."""
    if torch is None:
        return None
    named = (row["last"] for row in facts.by("torch_companions", "name").get(name, ()))
    for version in reversed(offered.releases(name) or tuple(named)):
        limit = requires(name, version)
        if limit and limit.startswith("==") and admits(limit, _public(torch)):
            found = offered.offer(name, version)
            is_built = where is None or found is None or found.has_wheel(where.minor, where.platform)
            return version if is_built else None
    return None


def _asks_for_torch(stage: Stage, install: Install) -> bool:
    """Whether a call names torch, also one that it finds in place."""
    lines = (*install.requirements, *(line for _, line in stage.closure(install).lines()))
    return any(isinstance(line, Requirement) and line.key == "torch" for line in lines)


def _installed(stage: Stage, install: Install) -> Distribution | None:
    """The torch of a known release that a call finds."""
    found, read = interpreter_of(stage, install), stage.closure(install)
    if found is None or not read.is_complete or read.constraints or read.has_unread_constraints:
        return None
    torch = environment(view_at(stage, install), found, install.step.before).distributions.get("torch")
    if torch is None or not torch.cause.is_sure or not isinstance(torch.version, str):
        return None
    return torch if is_release(torch.version) else None


def _admitted(name: str, specifier: str) -> list[str]:
    """The releases that a specifier admits; none where one that the table lacks is among them."""
    found = _admitted_releases(name, specifier)
    return found if all(requires(name, version) is not None for version in found) else []


def _admitted_releases(name: str, specifier: str) -> list[str]:
    limits = _limits(specifier)
    return [version for version in offered.releases(name) if limits is not None and limits.contains(version)]


def _admits_both(limit: str, specifier: str) -> bool:
    """Whether a release of torch, or one to come, lies within two specifiers."""
    first, second = _limits(limit), _limits(specifier)
    if first is None or second is None:
        return True
    named = (clause.version.removesuffix(".*") for clause in second)
    return any(version in first and version in second for version in (*offered.releases("torch"), *named))


def admits(limit: str, version: str) -> bool:
    """Whether a specifier takes a release; also where it is none that can be read."""
    found = _limits(limit)
    return found is None or found.contains(version, prereleases=True)


def is_release(version: str) -> bool:
    """Whether a version, its local part aside, is a final release of torch or of a companion."""
    from packaging.version import InvalidVersion, Version

    try:
        return not Version(version).is_prerelease
    except InvalidVersion:
        return False


@cache
def _limits(specifier: str) -> SpecifierSet | None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(_LOCAL.sub("", specifier))
    except InvalidSpecifier:
        return None


def _public(version: str) -> str:
    return version.partition("+")[0]


@cache
def _version(text: str) -> Version:
    from packaging.version import Version

    return Version(_public(text))
