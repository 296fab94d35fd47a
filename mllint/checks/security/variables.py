"""ML202: credentials in the variables and arguments of a build."""

from collections.abc import Iterator

from mllint import masking
from mllint.checks import check
from mllint.findings import Finding, Location, Related, Severity
from mllint.image import mounts
from mllint.image.build import Build
from mllint.image.content.logins import kept
from mllint.image.stage import Stage, Step
from mllint.patterns import regex
from mllint.sources.compose import Service
from mllint.sources.dockerfile import Pair
from mllint.sources.text import Span
from mllint.wording import enumerated

_VARIABLE = regex(r"\$\{?(\w+)(?::?[-+?][^}]*)?\}?")


@check("ML202")
def secret_in_env_or_arg(build: Build) -> Iterator[Finding]:
    """A credential in ENV or ARG, which the image's history shows."""
    for instruction in build.dockerfile.instructions:
        if instruction.keyword == "FROM":
            break
        for word in instruction.words if instruction.keyword == "ARG" else ():
            name, _, value = word.text.partition("=")
            yield from _literal(build, f"ARG {name}", name, value, word.span, False)
    for stage in build.stages:
        for step in stage.steps:
            if step.instruction.keyword == "ENV":
                yield from _secret_env(stage, step)
            elif step.instruction.keyword == "ARG":
                yield from _secret_arg(stage, step)
    for service in build.services:
        yield from _composed(service)


def _composed(service: Service) -> Iterator[Finding]:
    """Credentials that a compose file writes out for what is built from the Dockerfile."""
    arguments = service.build.args if service.build is not None else ()
    for setting in (*service.environment, *arguments):
        kind = masking.credential(setting.name, setting.value.text) if setting.value is not None else None
        if kind is not None:
            message = (
                f"{setting.name} of the compose service {service.name} holds a credential ({kind}): whoever sees the"
                " file can read it"
            )
            repair = (
                f"write ${{{setting.name}}} and give it in an .env file that git ignores, or as a secret of compose"
            )
            yield Finding(Location(service.source, setting.span), message, repair)


def _literal(build: Build, what: str, name: str, value: str, span: Span, is_in_image: bool) -> Iterator[Finding]:
    """A value in the file that is a credential."""
    kind = masking.credential(name, value.strip("\"'"))
    if kind is not None:
        reach = "and with docker history whoever can pull the image" if is_in_image else "and the build cache keeps it"
        message = f"{what} holds a credential ({kind}): whoever sees the Dockerfile can read it, {reach}"
        yield Finding(Location(build.source, span), message, _repair(name, what.startswith("ENV")))


def _repair(name: str, is_for_container: bool) -> str:
    mounted = f"give it to the one RUN that needs it, RUN --mount=type=secret,id={name.lower()},env={name}"
    return mounted + (f", and at run time to the container: docker run -e {name}" if is_for_container else "")


def _secret_env(stage: Stage, step: Step) -> Iterator[Finding]:
    found: list[tuple[Pair, str]] = []
    for pair in step.instruction.pairs:
        argument = _kept(pair)
        if argument is not None and argument in step.before.args and stage.is_in_image:
            found.append((pair, argument))
        else:
            name, span = pair.key.text, pair.key.span
            yield from _literal(stage.build, f"ENV {name}", name, pair.value.text, span, stage.is_in_image)
    if found:
        names, arguments = enumerated([pair.key.text for pair, _ in found]), enumerated([each for _, each in found])
        is_one = len(found) == 1
        keeps, what = ("keeps", "argument") if is_one else ("keep", "arguments")
        message = f"ENV {names} {keeps} the build {what} {arguments} in the image: docker history shows "
        related = tuple(each for _, argument in found for each in _declared(stage, step, argument))
        where = Location(stage.build.source, found[0][0].key.span)
        repair = _repair(found[0][0].key.text, True) + ("" if is_one else ", and the others likewise")
        yield Finding(where, message + ("it" if is_one else "them"), repair, related)


def _declared(stage: Stage, step: Step, argument: str) -> Iterator[Related]:
    """Where the stage takes an argument."""
    for each in stage.steps[: stage.steps.index(step)]:
        for word in each.instruction.words if each.instruction.keyword == "ARG" else ():
            if word.text.partition("=")[0] == argument:
                yield Related(Location(stage.build.source, word.span), "takes it")


def _kept(pair: Pair) -> str | None:
    """The variable whose value an ENV for a credential takes on."""
    variable = _VARIABLE.fullmatch(pair.value.text.strip("\"'"))
    return variable[1] if variable and masking.looks_secret_name(pair.key.text) else None


def _secret_arg(stage: Stage, step: Step) -> Iterator[Finding]:
    for word in step.instruction.words:
        name, _, value = word.text.partition("=")
        if value.strip("\"'"):
            yield from _literal(stage.build, f"ARG {name}", name, value, word.span, stage.is_in_image)
        elif masking.looks_secret_name(name) and stage.is_in_image and _is_seen(stage, step, name):
            message = f"ARG {name} takes a credential: docker history shows the value that the RUNs below it were given"
            repair = _repair(name, _is_read_at_start(stage, name))
            yield Finding(Location(stage.build.source, word.span), message, repair, severity=Severity.WARNING)


def _is_read_at_start(stage: Stage, name: str) -> bool:
    """Whether a script that the container starts with reads the variable."""
    scripts = stage.process.scripts if stage.is_final and stage.process is not None else ()
    return any(f"${name}" in each.source.text or f"${{{name}" in each.source.text for each in scripts)


def _is_seen(stage: Stage, declared: Step, name: str) -> bool:
    """Whether the history shows the argument, as it does with each RUN below. Not where an ENV below keeps it or a RUN
    writes it into a file, which are findings of their own, nor where a RUN mounts a secret of that name: then nobody
    gives the argument a value."""
    later = stage.steps[stage.steps.index(declared) + 1 :]
    if any(each.variable == name for step in later for each in kept(stage, step)):
        return False
    if any(
        _kept(pair) == name for step in later for pair in step.instruction.pairs if step.instruction.keyword == "ENV"
    ):
        return False
    runs = [step for step in later if step.instruction.keyword == "RUN"]
    given = (mount for step in runs for mount in mounts.options(step.instruction) if mount.get("type") == "secret")
    return bool(runs) and all(name.lower() not in (each.lower() for each in mount.values()) for mount in given)
