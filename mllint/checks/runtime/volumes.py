"""ML337: VOLUME where it does something else than people think."""

from collections.abc import Iterator

from mllint import edits
from mllint.checks import check, placing
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.copies import relative
from mllint.image.events import Distribution, Event, Moded, Owned, Put
from mllint.image.serving import modules, sources
from mllint.image.stage import Stage, Step
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.sources.text import Span

# Paths of a machine, not of a Linux image, and what `docker run -v` takes.
_OF_HOST = regex(r"/Users/.+|(?:/mnt)?/?[A-Za-z]:[\\/].*|~.*|\$\{?(?:HOME|PWD)\b.*|\.{1,2}/.*|[^:]+:/.*")


@check("ML337")
def misleading_volume(stage: Stage) -> Iterator[Finding]:
    """A VOLUME of the host, one over the code, one in front of what writes into it."""
    for step in placing.own_steps(stage) if stage.is_final else ():
        for word in step.instruction.words if step.instruction.keyword == "VOLUME" else ():
            value = step.before.expand(word.text)
            where = Location(stage.build.source, word.span)
            if _OF_HOST.fullmatch(word.text):
                yield Finding(where, *_of_host(word.text))
            elif isinstance(value, str) and value.startswith("/"):
                path = value.rstrip("/") or "/"
                code = _code_below(stage, path)
                if code is not None:
                    message = (
                        f"VOLUME {path} lies over {code}, which the container starts: docker compose keeps the volume"
                        " when a newer image comes, and runs the old code"
                    )
                    yield Finding(where, message, "name only the folder of the data that has to outlive the container")
                else:
                    yield from _written_later(stage, step, word.span, path)


def _of_host(text: str) -> tuple[str, str]:
    message = f"VOLUME cannot mount {text} of the host: it makes an empty folder of that name in the container"
    return message, "COPY what the service needs, or mount it with docker run -v or in the compose file"


def _code_below(stage: Stage, path: str) -> str | None:
    """The file that is started, if it lies in a volume."""
    started = [each.path for each in sources.loaded(stage)[:1]]
    targets = modules.targets(stage, stage.process) if stage.process is not None else ()
    files = [target.file for target in targets if target.path]
    started += [file for file in files if isinstance(file, str) and isinstance(stage.view.find(file), Node)]
    return next((each for each in started if relative(each, path) is not None), None)


def _written_later(stage: Stage, step: Step, span: Span, path: str) -> Iterator[Finding]:
    """What a RUN behind the VOLUME writes into it."""
    behind = stage.steps[stage.steps.index(step) + 1 :]
    for event in stage.log.events:
        place = _place(event)
        writer = event.cause.step
        if place is None or writer is None or writer.instruction.keyword != "RUN" or relative(place, path) is None:
            continue
        if any(each is writer for each in behind) and event.cause.is_sure:
            line = writer.instruction.start_line
            message = (
                f"the RUN in line {line} writes into the volume {path} declared above it: builders without BuildKit"
                " drop what it writes"
            )
            related = (Related(Location(stage.build.source, writer.instruction.span), "it is written here"),)
            fix = _moved(stage, step)
            yield Finding(
                Location(stage.build.source, span),
                message,
                "declare the volume behind the last RUN",
                related,
                fix,
                is_strict=True,
            )
            return


def _place(event: Event) -> str | None:
    """Where something is written."""
    if isinstance(event, Distribution):
        return event.site
    return event.path if isinstance(event, Put | Owned | Moded) else None


def _moved(stage: Stage, step: Step) -> Fix | None:
    """Puts the VOLUME behind the last RUN of the stage, unless a comment speaks of it."""
    dockerfile, source = stage.build.dockerfile, stage.build.source
    runs = [each for each in placing.own_steps(stage) if each.instruction.keyword == "RUN"]
    first, last = step.instruction.start_line, step.instruction.end_line
    if not runs or first - 1 in {each.line for each in dockerfile.comments} or step.before.user != runs[-1].before.user:
        return None
    text = source.slice(step.instruction.span)
    gone = edits.delete_lines(source, first, last)
    return Fix("safe", "declare the volume behind the last RUN", (gone, edits.line_below(runs[-1].instruction, text)))
