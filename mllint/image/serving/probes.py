"""The health checks of an image: its own, and those that compose files give to the services built from it."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from mllint.findings import Location
from mllint.image import configuration
from mllint.image.configuration import Healthcheck
from mllint.image.serving import uses
from mllint.image.shell.commands import argv, inner_start
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.sources import shell
from mllint.sources.shell_tree import Word
from mllint.sources.text import Logical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.serving.uses import Use
    from mllint.image.stage import Stage
    from mllint.sources import compose
    from mllint.sources.dockerfile import Instruction
    from mllint.sources.shell_tree import Script


class Probe(NamedTuple):
    """A health check."""

    who: str
    """What a message calls it."""
    where: Location
    words: tuple[Word, ...]
    """The program with its arguments, behind `sh -c` for a text that the image's shell reads."""
    text: Logical | None
    """What a shell reads of it."""
    uses: tuple[Use, ...]
    """The programs that it surely runs."""
    times: Healthcheck
    instruction: Instruction | None
    """None for one of compose."""
    service: compose.Service | None = None

    @property
    def needs_own_shell(self) -> bool:
        """Whether it is a text for the shell that the image has."""
        if self.instruction is not None:
            return not self.instruction.is_exec_form
        return self.words[0].span == self.where.span

    @property
    def script(self) -> Script | None:
        """The text as a shell reads it; None where none does, or not without errors."""
        parsed = shell.parse(self.text) if self.text is not None else None
        return parsed if parsed is not None and parsed.is_clean else None


def of(stage: Stage) -> tuple[Probe, ...]:
    """The health check of a stage's image and those of its services, which replace it there."""
    own = _own(stage)
    return (*([own] if own is not None else []), *_of_compose(stage))


def _own(stage: Stage) -> Probe | None:
    setting, counts = stage.end.healthcheck, stage.healthcheck
    if setting is None or counts is None or setting.instruction is None:
        return None
    instruction, source = setting.instruction, stage.build.source
    words, text = argv(instruction), None
    if not instruction.is_exec_form:
        at = instruction.rest.text.index(instruction.words[1].text, 4)
        text = instruction.rest.part(at, len(instruction.rest.text))
        words = ()
    run = tuple(uses.of_healthcheck(stage))
    where = Location(source, instruction.span)
    return Probe("HEALTHCHECK", where, words, text or _text_of(words), run, counts, instruction)


def _of_compose(stage: Stage) -> Iterator[Probe]:
    for service in stage.build.services:
        check = service.healthcheck
        if check is None or check.test is None or check.is_disabled or not check.test.values:
            continue
        test = check.test
        values = test.values[1:] if test.is_list else test.values
        words = tuple(Word(value.text, value.literal or "$", value.is_literal, value.span) for value in values)
        if not test.is_list or test.values[0].text == "CMD-SHELL":
            words = (*(Word(text, text, True, test.span) for text in ("sh", "-c")), *words)
        if not words:
            continue
        run = tuple(uses.of_test(stage, service.source, words))
        who = f"the health check of the compose service {service.name}"
        yield Probe(who, Location(service.source, test.span), words, _text_of(words), run, _times(check), None, service)


def _text_of(words: tuple[Word, ...]) -> Logical | None:
    """The text behind `sh -c`."""
    if len(words) < 3 or posixpath.basename(words[0].value) not in POSIX_SHELLS or not words[1].value.endswith("c"):
        return None
    return Logical(words[2].value, (0,), (inner_start(words[2]),))


def _times(check: compose.Healthcheck) -> Healthcheck:
    def seconds(value: compose.Value | None, default: float) -> float:
        return configuration.seconds(value.text if value is not None else "", default)

    retries = int(check.retries.text) if check.retries is not None and check.retries.text.isdecimal() else 3
    interval, timeout = seconds(check.interval, 30.0), seconds(check.timeout, 30.0)
    return Healthcheck((), interval, timeout, seconds(check.start_period, 0.0), 5.0, retries or 3)
