"""ML104: a base that only whoever builds can name."""

import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.base_image.pinning import is_first_use
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.build import Build
from mllint.image.expansion import expand
from mllint.image.stage import Stage
from mllint.image.values import Unknown, Value
from mllint.patterns import regex
from mllint.sources import reference
from mllint.sources.reference import Reference
from mllint.sources.words import Word
from mllint.wording import enumerated

_VARIABLE = regex(r"\$\{?(\w+)")
# What a chain of builds fills in, or a script that knows which images there are.
_SLOT = regex(
    r"\$\{?(?:\w*_)?(?:BASE(?:_?IMAGE)?|FROM(?:_IMAGE)?|PARENT(?:_IMAGE)?)(?:_(?:NAME|REF|URI))?\}?", re.IGNORECASE
)
# A default that stands for none.
_PLACEHOLDER = regex(
    r"(?:non-?existing|non-?existent|does-?not-?exist|placeholder|change-?me|undefined|unset|none|null|todo|tbd)",
    re.IGNORECASE,
)
# What a list of packages says in a comment of the images that fit below it.
_FITTING = regex(r"^\s*#\s*(?:depends|requires|base(?:[ _-]image)?)\s*:\s*\S", re.MULTILINE | re.IGNORECASE)
# What `docker buildx bake` reads without being told.
_BAKES = ("docker-bake.hcl", "docker-bake.json")
# Set by BuildKit itself, also where nothing declares them.
_PREDEFINED = regex(r"(?:BUILD|TARGET)(?:PLATFORM|OS|OSVERSION|ARCH|VARIANT|STAGE)")


@check("ML104")
def base_arg_without_default(stage: Stage) -> Iterator[Finding]:
    """A FROM that names no image unless a build argument is given."""
    build = stage.build
    if not stage.instruction.words or not is_first_use(stage):
        return
    word = stage.from_word
    values, declared = _without_arguments(build)
    missing = list(_missing(word.text, values, declared))
    name = expand(word.text, values, build.dockerfile.escape)
    if not missing and isinstance(name, str) and _PLACEHOLDER.fullmatch(name):
        yield from _placeholder(stage, word, name, declared)
    if missing and not isinstance(name, Unknown) and not isinstance(reference.parse(name), Reference):
        needed = _needed(word.text, values, missing, build.dockerfile.escape)
        # A base, or the registry that it is taken from, that is nothing but an argument is made to be put on any.
        is_strict = any(each in declared for each in needed) and not _is_named(word.text, values, declared)
        if is_strict and _is_explained(stage, needed, declared):
            return
        yield _unnamed(stage, word, needed, declared)._replace(is_strict=is_strict)


def _unnamed(stage: Stage, word: Word, missing: list[str], declared: dict[str, Word]) -> Finding:
    """A base whose name lacks the values of some arguments."""
    source = stage.build.source
    related = [Related(Location(source, declared[each].span), "its ARG") for each in missing if each in declared]
    verb = "have" if len(missing) > 1 else "has"
    is_declared = bool(related)
    undeclared = f"{'are' if len(missing) > 1 else 'is'} declared by no ARG above the first FROM"
    why = f"{verb} no default" if is_declared else undeclared
    given = " ".join(f"--build-arg {each}=..." for each in missing)
    outcome = f"docker build fails without {given}" if is_declared else "docker build fails"
    message = f"{word.text} names no image, as {enumerated(missing)} {why}: {outcome}"
    wanted = " and ".join(f"ARG {each}=..." for each in missing)
    repair = f"write above the first FROM what a plain build is to use: {wanted}"
    if all(each in declared for each in missing):
        repair = f"give {'the ARG a default' if len(missing) == 1 else 'the ARGs defaults'}: {wanted}"
    is_slot = is_declared and _is_slot(word)
    if is_slot:
        repair += ", or say in a comment which images fit"
    severity = Severity.INFO if is_slot else None
    return Finding(Location(source, word.span), message, repair, tuple(related), severity=severity)


def _is_explained(stage: Stage, names: list[str], declared: dict[str, Word]) -> bool:
    """Whether a comment above the FROM or an ARG names an argument, or says what the image is to bring."""
    source = stage.build.source
    starts = [stage.instruction.span.start, *(declared[each].span.start for each in names if each in declared)]
    comments = [source.comment_above(start) for start in starts]
    is_named = any(re.search(rf"\b{name}\b", comment) for name in names for comment in comments)
    return is_named or any(map(_FITTING.search, comments))


def _is_slot(word: Word) -> bool:
    return _SLOT.fullmatch(word.text.strip("\"'")) is not None


def _placeholder(stage: Stage, word: Word, name: str, declared: dict[str, Word]) -> Iterator[Finding]:
    """A base that is a variable alone whose default stands for none."""
    argument = "".join(_VARIABLE.findall(word.text))
    is_told = argument in declared and _is_explained(stage, [argument], declared)
    if argument in declared and stage.parent is None and not is_told and not _is_baked(stage.build):
        why = f"the default of {argument} is the placeholder {name}"
        outcome = f"docker build fails without --build-arg {argument}=..."
        message = f"{word.text} names no image, as {why}: {outcome}"
        repair = f"give the ARG a default that is an image, or say in a comment which fit: ARG {argument}=..."
        related = (Related(Location(stage.build.source, declared[argument].span), "its ARG"),)
        where = Location(stage.build.source, word.span)
        yield Finding(where, message, repair, related, severity=Severity.INFO, is_strict=True)


def _is_baked(build: Build) -> bool:
    """Whether a file of bake lies beside the Dockerfile, which builds it with what it is to be given."""
    inputs = build.context.inputs
    folder = (inputs.cwd / build.source.path).parent
    return any(inputs.exists(folder / name) for name in _BAKES)


def _is_named(text: str, values: dict[str, Value], declared: dict[str, Word]) -> bool:
    """Whether a reference itself tells the repository, and lacks more than the registry in front of it."""
    rest = text.strip("\"'").rpartition("/")[2]
    has_name = _VARIABLE.sub("", rest.partition(":")[0]).strip("{}") != ""
    return has_name and any(_missing(rest, values, declared))


def _needed(text: str, values: dict[str, Value], missing: list[str], escape: str) -> list[str]:
    """The missing arguments that have to be given for it to name an image; others may stay empty."""
    found = list(missing)
    for each in missing:
        name = expand(text, values | {other: "x" for other in found if other != each}, escape)
        if not isinstance(name, Unknown) and isinstance(reference.parse(name), Reference):
            found.remove(each)
    return found or missing


def _missing(text: str, values: dict[str, Value], declared: dict[str, Word]) -> Iterator[str]:
    """The arguments without a value that a text rests on, also by way of the defaults of others."""
    for name in dict.fromkeys(_VARIABLE.findall(text)):
        default = declared[name].text.partition("=")[2] if name in declared else ""
        if "$" in default and name not in default:
            yield from _missing(default, values, declared)
        elif values.get(name, "") == "" and not _PREDEFINED.fullmatch(name):
            yield name


def _without_arguments(build: Build) -> tuple[dict[str, Value], dict[str, Word]]:
    """The variables of a FROM where nobody gives any but those of the configuration and of compose files, and their
    declarations."""
    services = (service.build for service in build.services if service.build is not None)
    given = {each.name for service in services for each in service.args}
    names = _VARIABLE.findall(build.source.text)
    values: dict[str, Value] = {name: Unknown(f"BuildKit sets {name}") for name in names if _PREDEFINED.fullmatch(name)}
    values |= build.settings.build_args
    declared: dict[str, Word] = {}
    for instruction in build.dockerfile.instructions:
        if instruction.keyword == "FROM":
            break
        for word in instruction.words if instruction.keyword == "ARG" else ():
            name, _, text = word.text.partition("=")
            declared[name] = word
            if name not in build.settings.build_args:
                is_given = name in given or _PREDEFINED.fullmatch(name)
                values[name] = (
                    Unknown(f"{name} is given") if is_given else expand(text, values, build.dockerfile.escape)
                )
    return values, declared
