"""ML618: indexes by which somebody else may put packages into the image."""

from collections.abc import Iterator
from typing import NamedTuple

from mllint.checks import check
from mllint.engine import Requirements, Use
from mllint.findings import Finding, Severity
from mllint.image.installing import indexed, trust
from mllint.image.installing.trust import Mixed
from mllint.image.stage import Stage
from mllint.wording import enumerated


class _Fault(NamedTuple):
    about: tuple[str, str]
    """What it is and whom it concerns: an image hears of it once."""
    finding: Finding


@check("ML618")
def index_dependency_confusion(subject: Stage | Requirements) -> Iterator[Finding]:
    """An index that others can put packages into, or change on the way."""
    seen = set[tuple[str, str]]()
    for use in _uses(subject):
        own = subject.file.source if isinstance(subject, Requirements) else use.stage.build.source
        for about, finding in (*_unencrypted(use), *_unverified(use), *_mixed(use)):
            if finding.location.source is own and about not in seen:
                seen.add(about)
                yield finding


def _uses(subject: Stage | Requirements) -> list[Use]:
    """The calls of pip and uv for what the image is made from."""
    if isinstance(subject, Requirements):
        found = [] if subject.is_constraints else list(subject.uses)
    else:
        found = [Use(subject, call, subject.closure(call)) for step in subject.steps for call in step.installs]
    found = [use for use in found if use.install.manager.name in ("pip", "uv pip")]
    return [use for use in found if use.stage in use.stage.build.needed]


def _unencrypted(use: Use) -> Iterator[_Fault]:
    for index, place in trust.unencrypted(use.stage, use.install):
        url, name = trust.shown(index.url), trust.host(index.url)
        message = f"{url} is read without encryption: whoever sits between can put other packages into the image"
        severity = None
        if trust.is_passed_over(use.stage, use.install, index):
            message = f"pip passes {url} over, as it is not https and {name} is no trusted host"
            if index.kind == "only":
                message, severity = f"{message}: it finds no package and the build fails", Severity.ERROR
            else:
                what = "page" if index.kind == "links" else "index"
                message += f": what only this {what} has is not found"
        yield _Fault(("http", name), Finding(place, message, "ask it by https", severity=severity))


def _unverified(use: Use) -> Iterator[_Fault]:
    named = {trust.host(index.url) for index, _ in trust.unencrypted(use.stage, use.install)}
    for host in trust.unverified(use.stage, use.install):
        if host.name not in named and trust.kind(f"https://{host.name}") != "local":
            tool = indexed.tool(use.install)
            message = (
                f"{tool} does not check the certificate of {host.name}:"
                " whoever sits between can put other packages into the image"
            )
            repair = (
                "leave the option out; for a certificate of your own give pip the authority with --cert or PIP_CERT"
            )
            yield _Fault(("trusted", host.name), Finding(host.place, message, repair))


def _mixed(use: Use) -> Iterator[_Fault]:
    found = trust.mixed(use.stage, use.install)
    if found is not None:
        name = trust.host(found.extra.url) or found.extra.url
        yield _Fault(
            ("mixed", name), Finding(found.place, _confusion(use, found, name), _REPAIR, is_strict=not found.is_private)
        )


_REPAIR = "name one index that has both, with --index-url, or take the files by their hashes"


def _confusion(use: Use, found: Mixed, name: str) -> str:
    return (
        f"{indexed.tool(use.install)} takes the highest version of {enumerated(found.names, 1)} from {name} or the"
        " public index: whoever publishes the name there decides what is installed"
    )
