"""ML336: users that instructions and commands name and that nothing makes."""

from collections.abc import Iterator

from mllint.checks import check, placing
from mllint.findings import Finding, Fix, Location, Severity
from mllint.image.accounts import account
from mllint.image.events import User
from mllint.image.serving import uses
from mllint.image.stage import Stage, Step
from mllint.image.view import View

_OPTIONS_WITH_VALUES = ("--reference", "--from")


@check("ML336")
def user_does_not_exist(stage: Stage) -> Iterator[Finding]:
    """A user who is not in /etc/passwd where he is asked for."""
    found = [*_running_as(stage), *_given(stage)] if stage in stage.build.needed else []
    for user in {user: None for user, _ in found}:
        # One fault, however often he is named: the worst that follows, and the repair where he is named first.
        named = sorted((each for name, each in found if name == user), key=lambda each: each.location.start)
        worst = next((each for each in named if each.severity is None), named[0])
        yield worst._replace(fix=named[0].fix)


def _given(stage: Stage) -> Iterator[tuple[str, Finding]]:
    """Files that are to be a user's."""
    for step in placing.own_steps(stage):
        if step.copy is not None and step.copy.owner is not None:
            user = step.copy.owner.user
            if isinstance(user, str) and _is_missing(stage.view_before(step), user):
                yield user, _copied(stage, step, user)
        yield from _handed_over(stage, step)


def _is_missing(view: View, user: str) -> bool:
    return not user.isdecimal() and "$" not in user and view.user(user) is None


def _running_as(stage: Stage) -> Iterator[tuple[str, Finding]]:
    """A USER as whom a RUN behind it, or the container, is to run."""
    at: Step | None = None
    for step in stage.steps:
        keyword = step.instruction.keyword
        if keyword == "USER":
            at = step if step.trigger is None else None
        elif keyword == "RUN" and at is not None:
            line = step.instruction.start_line
            found = [*_nobody(stage, at, stage.view_before(step), f"the RUN in line {line} fails")]
            yield from found
            at = None if found else at
    if at is not None and stage.is_final:
        yield from _nobody(stage, at, stage.view, "the container does not start")


def _nobody(stage: Stage, step: Step, view: View, outcome: str) -> Iterator[tuple[str, Finding]]:
    user = account(step.after.user).user
    if isinstance(user, str) and _is_missing(view, user):
        message = f"USER names {user}, whom neither the base nor a step makes: {outcome}"
        where = Location(stage.build.source, step.instruction.span)
        yield user, Finding(where, message, _repair(user), fix=_made(stage, step, user))


def _copied(stage: Stage, step: Step, user: str) -> Finding:
    message = (
        f"--chown names {user}, whom nothing has made by then: BuildKit leaves the files to root without a word,"
        " and other builders fail"
    )
    where = Location(stage.build.source, step.instruction.span)
    return Finding(where, message, _repair(user), fix=_made(stage, step, user), severity=Severity.WARNING)


def _handed_over(stage: Stage, step: Step) -> Iterator[tuple[str, Finding]]:
    """A chown in a RUN."""
    for use in uses.of_step(stage, step) if any(each.name == "chown" for each in step.commands) else ():
        words = [word for word in use.executed.words[1:] if not word.value.startswith("-")]
        options = [word.value for word in use.executed.words if word.value.startswith(_OPTIONS_WITH_VALUES)]
        if use.executed.name != "chown" or options or not words or not words[0].is_literal:
            continue
        user = account(words[0].value).user
        if isinstance(user, str) and _is_missing(use.view, user):
            message = f"chown names {user}, whom nothing has made by then: the build fails"
            where = Location(use.source, words[0].span)
            yield user, Finding(where, message, _repair(user), fix=_made(stage, step, user))


def _made(stage: Stage, step: Step, user: str) -> Fix | None:
    """Makes the user above the step, where root can and nothing else does later."""
    is_later = any(isinstance(event, User) and event.name == user for event in stage.log.events)
    if is_later or stage.root.base.family not in ("debian", "ubuntu") or not account(step.before.user).is_root:
        return None
    edit = placing.above(stage.build.dockerfile, step.instruction, f"RUN useradd --create-home {user}")
    return Fix("unsafe", f"make the user {user}", (edit,))


def _repair(user: str) -> str:
    return f"write RUN useradd --create-home {user} above, or name a user by number"
