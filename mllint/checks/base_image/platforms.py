"""ML110: stages that are tied to one processor, or to that of the machine that builds."""

import posixpath
import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.edits import delete, replace
from mllint.findings import Finding, Fix, Location, Related
from mllint.image.build import Build
from mllint.image.content.moved import compiled_in
from mllint.image.installing import indexed, offered
from mllint.image.stage import Stage
from mllint.image.values import Unknown
from mllint.patterns import regex
from mllint.sources.text import Span
from mllint.sources.words import Word
from mllint.wording import enumerated

_CONST = regex(r"linux/[a-z0-9]+(?:/v\d)?")
_PROCESSOR = regex(r"amd64|x86_64|x86-64|linux-x64|linux64|aarch64|arm64")
_BY_NAME = regex(r"(?i)(?:^|[._-])(?:arm|arm32|arm64|armv?[678][a-z\d]*|aarch64|amd64|x86|x86[_-]64|i386)(?:$|[._-])")
# The repositories of the official images of one processor.
_ONE_PROCESSOR = regex(r"(?:docker\.io/)?(?:amd64|arm32v[567]|arm64v8|i386|ppc64le|riscv64|s390x)/")
# Environments and folders of programs, by their paths.
_PROGRAMS = regex(
    r"/(?:[\w.-]*v?env|[\w.-]*python[\d.]*|(?:mini)?conda\d?|bin|lib|(?:site|dist)-packages)$|/s?bin/[^/]+$"
)
# What comments call them.
_OF_PROCESSORS = regex(
    r"\b(?:arm|aarch64|amd64|x86|x64|apple|m[1-4]\b|mac|(?:micro)?arch(?:itecture)?s?\b|platform|processor|emulat)",
    re.IGNORECASE,
)
_OF_BUILDER = regex(r"\$(?:BUILDPLATFORM|\{BUILDPLATFORM\})")


@check("ML110")
def build_platform_hardcoded(stage: Stage) -> Iterator[Finding]:
    """A FROM whose platform is not that of the image."""
    flag = stage.instruction.flag("platform")
    if stage not in stage.build.needed or stage.base.kind != "image":
        return
    if flag is None:
        yield from _of_repository(stage)
        return
    found = None
    if _CONST.fullmatch(flag.text) and stage.is_in_image:
        found = _fixed(stage, flag)
    elif _OF_BUILDER.fullmatch(flag.text):
        found = _of_image(stage, flag) if stage.is_in_image else _of_packages(stage, flag)
    if found is not None:
        yield found


def _fixed(stage: Stage, flag: Word) -> Finding | None:
    """An image for one processor, where all in it is there for others too."""
    if not stage.base.is_plain or "cuda" in stage.base.text or _needs_one(stage) or _is_explained(stage):
        return None
    if not _starts_something(stage.build):
        return None
    if (stage.name and flag.text.split("/")[1] in stage.name) or _is_of_name(stage):
        return None
    message = f"--platform={flag.text} fixes the image to one processor: machines with another run it in slow emulation"
    repair = "leave the flag out, and give the platform with docker build --platform"
    where = Location(stage.build.source, flag.span)
    return Finding(where, message, repair, fix=_without(stage, flag), is_strict=True)


def _of_repository(stage: Stage) -> Iterator[Finding]:
    """An official image from the repository of one processor, told at the first FROM of such."""
    tied = [(each, each.from_word) for each in stage.build.needed if _tied(each)]
    if not tied or tied[0][0] is not stage or any(_needs_one(each) or _is_explained(each) for each, _ in tied):
        return
    if not _starts_something(stage.build):
        return
    source, word = stage.build.source, tied[0][1]
    name = _ONE_PROCESSOR.sub("", word.text)
    message = f"{word.text} is for one processor, whatever docker build --platform asks for"
    repair = f"write {name}, which is there for every processor, and give the platform with docker build --platform"
    lines = [str(source.position(each.span.start)[0]) for _, each in tied]
    if len(lines) > 1:
        repair += f", in lines {enumerated(lines)}"
    edits = tuple(replace(source, each.span, _ONE_PROCESSOR.sub("", each.text)) for _, each in tied)
    fix = Fix("unsafe", "take the image that is there for every processor", edits)
    yield Finding(Location(source, word.span), message, repair, fix=fix, is_strict=True)


def _tied(stage: Stage) -> bool:
    match = _ONE_PROCESSOR.match(stage.from_word.text) if stage.base.kind == "image" else None
    return match is not None and match[0].split("/")[-2][:5] not in (stage.name or "") and not _is_of_name(stage)


def _is_of_name(stage: Stage) -> bool:
    """Whether the name of the Dockerfile says that it is the one for a processor."""
    return _BY_NAME.search(stage.build.source.path.rpartition("/")[2]) is not None


def _needs_one(root: Stage) -> bool:
    """Whether something that is installed has no wheels for ARM, or is fetched for one processor."""
    for step in root.steps:
        if _PROCESSOR.search(root.build.source.text, *step.instruction.span):
            return True
    for stage in root.on_top:
        for install in (each for step in stage.steps for each in step.installs):
            for each in indexed.asked(stage, install):
                known = offered.offers(each.name)
                if known and known[-1].python and "any" not in known[-1].python and known[-1].arm64 in (None, "no"):
                    return True
    return False


def _is_explained(stage: Stage) -> bool:
    """Whether a comment above the FROM tells of processors."""
    return any(map(_OF_PROCESSORS.search, stage.build.source.comments_above(stage.instruction.span.start)))


def _starts_something(build: Build) -> bool:
    """Whether the image is there to run, and not to make files of one kind with what it holds."""
    final = build.final
    return final is not None and (final.last("CMD", "ENTRYPOINT") is not None or bool(final.end.exposed))


def _of_image(stage: Stage, flag: Word) -> Finding:
    source = stage.build.source
    others = list(_copied_along(stage))
    places = [(each.name or each.index, source.position(word.span.start)[0]) for each, word in others]
    named = " and ".join(f"stage {name} (line {line})" for name, line in places)
    also = f" here and at {named}, whose programs it copies," if others else ""
    message = (
        f"--platform={flag.text}{also} gives the image the processor of the machine that builds it, whatever docker"
        " build --platform asks for: elsewhere it ends with an exec format error"
    )
    repair = "leave the flag out: without it the stage is of the platform that the build asks for"
    if others:
        repair = f"leave the flag out here and at {named}: a stage is then of the platform that the build asks for"
    related = tuple(Related(Location(source, word.span), "this flag as well") for _, word in others)
    fixes = [_without(each, word) for each, word in [(stage, flag), *others]]
    edits = tuple(edit for fix in fixes if fix is not None for edit in fix.edits)
    fix = Fix("unsafe", f"leave --platform={flag.text} out", edits) if None not in fixes else None
    return Finding(Location(source, flag.span), message, repair, related, fix)


def _copied_along(stage: Stage) -> Iterator[tuple[Stage, Word]]:
    """The stages on the builder's processor, with their flags, whose programs and packages an image copies; not those
    that build for another."""
    for other in stage.build.needed:
        flag = other.instruction.flag("platform")
        if other is stage or flag is None or not _OF_BUILDER.fullmatch(flag.text):
            continue
        copies = [step.copy for step in stage.steps if step.copy is not None and step.copy.stage == other.index]
        paths = [f"/{each.path}".rstrip("/") for copy in copies for each in copy.sources if isinstance(each.path, str)]
        is_for_other = any("TARGET" in step.instruction.rest.text for step in other.steps)
        if not is_for_other and any(_PROGRAMS.search(path) or compiled_in(other, path) for path in paths):
            yield other, flag


def _of_packages(stage: Stage, flag: Word) -> Finding | None:
    """A stage on the builder's processor whose compiled packages go into the image."""
    for other in stage.build.needed:
        if not other.is_in_image or isinstance(other.platform, Unknown):
            continue
        for copy in (step.copy for step in other.steps if step.copy is not None and step.copy.stage == stage.index):
            paths = [source.path for source in copy.sources if isinstance(source.path, str)]
            name = next(filter(None, (compiled_in(stage, posixpath.join("/", path)) for path in paths)), None)
            if name is not None:
                message = f"--platform={flag.text} installs {name} for the processor of the machine that builds"
                end = "and the image takes it from there: on another platform it cannot be imported"
                repair = "leave the flag out, so that the stage is of the platform that the image is for"
                where = Location(stage.build.source, flag.span)
                return Finding(where, f"{message}, {end}", repair, fix=_without(stage, flag))
    return None


def _without(stage: Stage, flag: Word) -> Fix | None:
    source = stage.build.source
    end = flag.span.end
    while source.text[end : end + 1] in (" ", "\t"):
        end += 1
    if source.text[end : end + 1] in ("\\", "`", "\n", "\r"):
        return None
    return Fix("unsafe", f"leave --platform={flag.text} out", (delete(source, Span(flag.span.start, end)),))
