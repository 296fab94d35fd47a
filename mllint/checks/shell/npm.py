"""Rules about what npm, yarn and pnpm install without a version that anybody wrote down."""

from collections.abc import Iterator
from typing import NamedTuple

from mllint.checks import check
from mllint.edits import replace
from mllint.findings import Finding, Fix, Location
from mllint.image.paths import joined
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage, Step
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.sources.shell_tree import Word
from mllint.wording import enumerated

_LOCKS = {"npm": ("package-lock.json", "npm-shrinkwrap.json"), "yarn": ("yarn.lock",), "pnpm": ("pnpm-lock.yaml",)}
_VERBS = {
    "npm": frozenset({"install", "i", "add", "in"}),
    "yarn": frozenset({"install", "add"}),
    "pnpm": frozenset({"install", "i", "add"}),
}
_FROZEN = (
    "--frozen-lockfile",
    "--immutable",
    "--package-lock-only",
    "--no-package-lock",
    "--lockfile-only",
    "--dry-run",
)
_WITH_VALUE = frozenset(
    "--prefix --registry --cache --loglevel --workspace -w --cwd --userconfig -C --dir --filter --omit".split()
)
_ELSEWHERE = ("--prefix", "--cwd", "-C", "--dir", "-w", "--workspace", "--filter")
_GLOBAL = ("-g", "--global", "--location=global")
_NAME = regex(r"(?:@[\w.-]+/)?[\w.-]+")
_MOVING = regex(r"@(?:latest|next|canary|nightly|beta|\*)$")
_NAMED = 3


class _Call(NamedTuple):
    """A call that installs: its program, its verb, what it names and its options."""

    program: str
    verb: Word | None
    names: tuple[Word, ...]
    options: tuple[str, ...]

    @property
    def text(self) -> str:
        """The program and its verb as written."""
        return f"{self.program} {self.verb.value}" if self.verb is not None else self.program

    @property
    def is_global(self) -> bool:
        """Whether it installs for the whole image."""
        return bool({*_GLOBAL}.intersection(self.options))


@check("DF313")
def npm_install_unlocked(stage: Stage) -> Iterator[Finding]:
    """An install that changes the lock file beside it instead of failing."""
    for step, each, call in _calls(stage):
        lock = None if call.names or call.is_global or _is_frozen(step, each, call) else _lock(stage, step, each, call)
        if lock is None:
            continue
        message = (
            f"{call.text} does not fail where {lock} no longer fits package.json: it takes versions that nobody locked"
        )
        frozen = "npm ci" if call.program == "npm" else f"{call.text} --frozen-lockfile"
        repair = f"write {frozen}: it installs what the lock file says, or fails"
        yield Finding(Location(stage.build.source, each.span), message, repair, fix=_frozen(stage, step, call))


@check("DF314")
def unpinned_npm_package(stage: Stage) -> Iterator[Finding]:
    """A package of npm by its name alone."""
    for _, each, call in _calls(stage):
        moving = [word.value for word in call.names if _is_moving(word)]
        if not moving:
            continue
        what = f"whatever release of {enumerated(moving, _NAMED)} is newest on that day"
        message = f"{_how(call)} takes {what}: each build may get another one"
        is_meant = not call.is_global and all(_MOVING.search(name) for name in moving)
        yield Finding(Location(stage.build.source, each.span), message, _named(moving), is_strict=is_meant)


def _named(moving: list[str]) -> str:
    if moving == ["npm@latest"]:
        return "leave npm as the image has it, which fits its Node.js, or name the release: npm@VERSION"
    names = [name if "@" not in name[1:] else name.rpartition("@")[0] for name in moving]
    if len(names) == 1:
        return f"name the release: {names[0]}@VERSION, as npm view {names[0]} version shows it"
    return f"name each release: {' '.join(f'{name}@VERSION' for name in names)}, as npm view NAME version shows it"


def _how(call: _Call) -> str:
    if not call.is_global:
        return call.text
    return "yarn global add" if call.program == "yarn" else f"{call.text} -g"


def _calls(stage: Stage) -> Iterator[tuple[Step, Executed, _Call]]:
    for step in stage.steps if stage in stage.build.needed else ():
        for each in step.commands if step.trigger is None else ():
            if each.name in _LOCKS and (call := _call(each)) is not None:
                yield step, each, call


def _call(each: Executed) -> _Call | None:
    """The call of one command, None where it installs nothing."""
    names: list[Word] = []
    options: list[str] = []
    words = iter(each.words[1:])
    for word in words:
        if not word.value.startswith("-"):
            names.append(word)
            continue
        options.append(word.value)
        if word.value in _WITH_VALUE:
            next(words, None)
    if each.name == "yarn" and names and names[0].value == "global":
        del names[0]
        options.append("--global")
    if each.name == "yarn" and not names and not {"--version", "-v", "--help"}.intersection(options):
        return _Call(each.name, None, (), tuple(options))
    if not names or names[0].value not in _VERBS[each.name]:
        return None
    return _Call(each.name, names[0], tuple(names[1:]), tuple(options))


def _is_frozen(step: Step, each: Executed, call: _Call) -> bool:
    if any(option.partition("=")[0] in _FROZEN for option in call.options) or not each.is_certain:
        return True
    # pnpm and the yarn of today freeze the lock file by themselves where the variable CI is set.
    return call.program != "npm" and ("CI" in each.environment or step.before.get("CI") is not None)


def _lock(stage: Stage, step: Step, each: Executed, call: _Call) -> str | None:
    """The lock file that surely lies where the call works."""
    directory = each.directory
    if not isinstance(directory, str) or any(option.partition("=")[0] in _ELSEWHERE for option in call.options):
        return None
    view = stage.view_before(step)
    for name in _LOCKS[call.program]:
        path = joined(directory, name)
        if isinstance(path, str) and isinstance(view.find(path), Node):
            return name
    return None


def _frozen(stage: Stage, step: Step, call: _Call) -> Fix | None:
    source, verb = stage.build.source, call.verb
    if verb is None or source.slice(verb.span) != verb.value:
        return None
    text = "ci" if call.program == "npm" else f"{verb.value} --frozen-lockfile"
    title = "npm ci" if call.program == "npm" else f"{call.text} --frozen-lockfile"
    return Fix("unsafe", f"write {title}", (replace(source, verb.span, text),))


def _is_moving(word: Word) -> bool:
    if not word.is_literal or word.value.startswith("."):
        return False
    return _NAME.fullmatch(word.value) is not None or _MOVING.search(word.value) is not None
