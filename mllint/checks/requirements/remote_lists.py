"""ML619: lists of what to install that somebody else may change from one build to the next."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import of_image
from mllint.engine import Requirements
from mllint.findings import Finding
from mllint.image.installing import remote
from mllint.image.installing.indexed import tool
from mllint.image.installing.remote import Remote
from mllint.image.stage import Stage


@check("ML619")
def remote_requirements_file(subject: Stage | Requirements) -> Iterator[Finding]:
    """A requirements file or constraints at an address where others write."""
    for found in _groups(subject):
        moving = [each for each in found if each.moving is not None]
        others = [each for each in found if each.is_unversioned]
        if moving:
            yield _finding(moving, is_strict=False)
        if others:
            yield _finding(others, is_strict=True)


def _groups(subject: Stage | Requirements) -> Iterator[list[Remote]]:
    """What is read from addresses, by the calls of a stage, or all of a file."""
    if isinstance(subject, Requirements):
        uses = of_image(subject)
        if uses or not subject.uses:
            yield list(remote.named_in(subject.file, tool(uses[0].install) if uses else "pip"))
    elif subject in subject.build.needed:
        for step in subject.steps:
            for install in step.installs:
                yield list(remote.read_by(subject, install))


def _finding(found: list[Remote], is_strict: bool) -> Finding:
    first, others = found[0], len(found) - 1
    name = first.url.partition("?")[0].rpartition("/")[2]
    more = f" and {others} more such file{'s' if others > 1 else ''}" if others else ""
    what = "other releases" if all(each.limits for each in found) else "other packages"
    if first.moving is not None:
        where = f"{name} of {first.moving.place} as it is on its branch {first.moving.ref}{more}"
        repair = "put the full commit in the place of the branch, or copy the file into the build context"
    else:
        where = f"{first.url}{more}, which names no release"
        repair = "copy the file into the build context, so that a commit of yours changes it"
    message = f"{first.reader} reads {where}: the next build may install {what}"
    return Finding(first.place, message, repair, is_strict=is_strict)
