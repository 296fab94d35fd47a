"""Programs that an image is given and that its service never starts: those for people, and those that nothing calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.compiling import is_for_development, is_for_tests, is_service
from mllint.image.content.fetching import FETCHERS
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.packages import Install
    from mllint.image.stage import Stage
    from mllint.sources.compose import Service
    from mllint.sources.shell_tree import Word

# Editors, and what people look at a machine with.
_FOR_PEOPLE = frozenset(
    "emacs emacs-nox htop joe mc nano ncdu neovim screen tmux tree vim vim-enhanced vim-nox vim-tiny".split()
)
# Where people log in, or that is made for them to work in, and what an editor of notebooks saves by itself.
_WORKPLACE = regex(
    r"(?i)ipynb_checkpoints|(?<![\w-])(?:fish|zsh)(?![\w-])|jupyter|notebook|openssh-server|sshd\b|code-server|devcontainer|slurm|\bEDITOR\b|GIT_EDITOR"
)
_READ = (".sh", ".bash", ".py", ".yaml", ".yml", ".json", ".toml", ".cfg", ".conf", ".tpl", "Makefile", "Procfile")
_SHELL = (".sh", ".bash")
_COMPOSE = regex(r"(?:docker-)?compose[\w.-]*\.ya?ml$")
_MAX_READ = 2000


class Idle(NamedTuple):
    """A package, and the call that installs it."""

    install: Install
    word: Word
    is_for_people: bool


def idle_tools(stage: Stage) -> list[Idle]:
    """Such programs of a stage that the image is made of, in order."""
    final = stage.build.final
    if final is None or not stage.is_in_image or not is_service(final) or _is_workplace(final):
        return []
    return [each for each in _installed(stage) if not _is_used(stage, final, each)]


def _is_workplace(final: Stage) -> bool:
    texts = [final.build.source.path, final.root.base.text, final.build.source.text]
    return is_for_development(final) or is_for_tests(final) or any(_WORKPLACE.search(text) for text in texts)


def _installed(stage: Stage) -> Iterator[Idle]:
    for step in stage.steps:
        for install in step.installs:
            if install.manager.language or not install.is_certain or step.trigger is not None:
                continue
            for word in install.operands:
                name = word.value.partition("=")[0]
                if name in _FOR_PEOPLE or name in FETCHERS:
                    yield Idle(install, word, name in _FOR_PEOPLE)


def _is_used(stage: Stage, final: Stage, idle: Idle) -> bool:
    """Whether anything but the call names the program: an instruction, or for what scripts call, any text of the
    context, of which a script that cannot be read may be one."""
    name = idle.word.value.partition("=")[0]
    named = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")
    text = stage.build.source
    calls = [each.word.span for each in _installed(stage)]
    for match in named.finditer(text.text):
        line = text.slice(text.line_span(text.position(match.start())[0])).lstrip()
        if not line.startswith("#") and not any(span.start <= match.start() < span.end for span in calls):
            return True
    return not idle.is_for_people and _may_be_called(final, named)


def _may_be_called(final: Stage, named: re.Pattern[str]) -> bool:
    """Whether a text of the context names a program, or one cannot be read that may. Of compose, the services count
    that run the image, where those are known."""
    process, services = final.process, final.build.services
    if process is None or (not process.scripts and any(each.name.endswith(_SHELL) for each in process.commands)):
        return True
    files = [each for each in final.build.context.files() if each.name.endswith(_READ)]
    files = [each for each in files if not (services and _COMPOSE.search(each.name))]
    if not 0 < len(files) <= _MAX_READ or any(named.search(text) for text in map(_of_compose, services)):
        return True
    for each in files:
        text = final.build.context.text(each.path)
        is_text = text is not None and "\0" not in text.text
        if (text is not None and named.search(text.text)) or (not is_text and each.name.endswith(_SHELL)):
            return True
    return False


def _of_compose(service: Service) -> str:
    """What a service of compose starts and probes."""
    test = service.healthcheck.test if service.healthcheck is not None else None
    given = (service.command, service.entrypoint, test)
    return "\n".join(value.text for each in given if each is not None for value in each.values)
