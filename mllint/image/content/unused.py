"""Build arguments that nothing reads, and those that nothing can read where it tries to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mllint.image.copies import context_path
from mllint.image.paths import joined
from mllint.image.values import Unknown
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mllint.image.build import Build
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step
    from mllint.sources.dockerfile import Instruction
    from mllint.sources.words import Word

# What BuildKit, package managers, compilers and libraries read from the environment, and what is there to be changed.
_READ_UNSEEN = regex(
    r"(?:BUILDKIT|DOCKER|SOURCE_DATE|DEBIAN|DEBCONF|APT|PIP|UV|POETRY|PIPENV|PDM|CONDA|MAMBA|PYTHON|VIRTUAL_ENV|HF|TORCH|PYTORCH"
    r"|TRANSFORMERS|CUDA|CUDNN|NVIDIA|NCCL|TRT|TENSORRT|FORCE|MAX_JOBS|NVCC|CMAKE|CC|CXX|CFLAGS|CXXFLAGS|CPPFLAGS|LDFLAGS|MAKE|LD|LANG|LC|TZ|TERM"
    r"|HOME|PATH|USER|SHELL|GIT|SSH|AWS|AZURE|GOOGLE|GCP|GITHUB|NPM|NODE|YARN|GO|CARGO|RUST|JAVA|NLTK|SETUPTOOLS|TMP|TEMP)(?:_|\d|$)"
    r"|.*(?:CACHE|BUST|DATE|TIMESTAMP|BUILD_(?:ID|NUMBER|TIME)|PROXY|INDEX|TOKEN|REFRESH|REBUILD)",
    re.IGNORECASE,
)
# What means something where it stands, above the first FROM.
_FOR_BUILDKIT = regex(r"BUILDKIT_|SOURCE_DATE_EPOCH$|(?:HTTPS?|FTP|NO|ALL)_PROXY$", re.IGNORECASE)
_NAME = regex(r"[A-Za-z_]\w*")
# What reads none but its own variables.
_PLAIN = frozenset(
    ": [ add-apt-repository addgroup adduser apk apt apt-cache apt-get apt-key awk basename cat cd chgrp chmod chown"
    " command conda cp curl cut date dirname dnf dpkg echo export false find git gpg grep groupadd gunzip gzip head id"
    " install ldconfig ln locale-gen ls mamba mkdir microdnf mktemp mv pip pip2 pip3 popd printf pushd pwd rm rmdir rpm"
    " sed set sha256sum sleep sort tail tar tee test touch tr true uname unzip update-alternatives"
    " update-ca-certificates useradd usermod wget which xargs yum zypper".split()
)
# What the builds of packages with compiled parts ask for, and what no such switch is.
_SWITCH = regex(r"(?:USE|NO|WITH|WITHOUT|BUILD|ENABLE|DISABLE|DS|HOROVOD|FLASH|LLAMA|GGML|XLA|TF|MXNET|APEX|VLLM)_")
_OF_RELEASE = regex(r"_(?:VERSION|VER|TAG|REF|REPO|URL|BRANCH)$")
_PIPS = frozenset({"pip", "pip2", "pip3"})


class Unused(NamedTuple):
    """A declaration whose value nothing reads."""

    instruction: Instruction
    word: Word
    name: str
    is_sure: bool
    """Whether nothing behind it could read the environment."""
    is_global: bool
    """Whether it stands above the first FROM."""
    wanted: tuple[Step, ...] = ()
    """The instructions that a global one is written for and that do not see it, the first of each stage."""
    has_twin: bool = False
    """Whether something outside of its stage reads a declaration of that name."""
    outside: tuple[Instruction, Instruction] | None = None
    """The declaration above the first FROM of that name, and the FROM that reads it."""


def unused(build: Build) -> Iterator[Unused]:
    """The declarations of a file that nothing reads."""
    yield from _global(build)
    for stage in build.needed:
        for at, step in enumerate(stage.steps):
            if step.instruction.keyword == "ARG" and step.trigger is None:
                yield from _of_stage(stage, at, step)


def _declared(instruction: Instruction, without: re.Pattern[str]) -> Iterator[tuple[Word, str]]:
    for word in instruction.words:
        name = word.text.partition("=")[0]
        if _NAME.fullmatch(name) and not without.match(name):
            yield word, name


def _global(build: Build) -> Iterator[Unused]:
    instructions = build.dockerfile.instructions
    first = next((at for at, each in enumerate(instructions) if each.keyword == "FROM"), len(instructions))
    for at, instruction in enumerate(instructions[:first]):
        for word, name in _declared(instruction, _FOR_BUILDKIT) if instruction.keyword == "ARG" else ():
            seen = [each for each in instructions[at + 1 :] if each.keyword == "FROM" or each in instructions[:first]]
            inside = [word.text for each in instructions[first:] if each.keyword == "ARG" for word in each.words]
            own = [each.text for each in instruction.words if each is not word]
            if _says(seen, name) or any(re.search(rf"\b{name}\b", text) for text in (*inside, *own)):
                continue
            triggers = [each for each in instructions[first:] if each.keyword == "ONBUILD"]
            if not _says(triggers, name):
                yield Unused(instruction, word, name, True, True, tuple(_wanted(build, name)))


def _wanted(build: Build, name: str) -> Iterator[Step]:
    """The first instruction of each stage that names a variable which nothing sets there."""
    reads = re.compile(rf"\$(?:{name}\b|\{{{name}\b)")
    sets = re.compile(rf"(?:\b{name}=|\bfor\s+{name}\b|\bread\s[^\n]*\b{name}\b)")
    for stage in build.needed:
        for step in stage.steps:
            text = _text(step.instruction)
            if not reads.search(text) or isinstance(step.before.get(name), str):
                continue
            if not sets.search(text) and f"\\${name}" not in text and not _is_in_single_quotes(text, name):
                yield step
            break


def _is_in_single_quotes(text: str, name: str) -> bool:
    return re.search(rf"'[^'\n]*\$\{{?{name}\b[^'\n]*'", text) is not None


def _of_stage(stage: Stage, at: int, step: Step) -> Iterator[Unused]:
    placed = [(stage, each) for each in stage.steps[at + 1 :]]
    others = [each for each in stage.build.stages if stage in each.lineage[:-1]]
    placed += [(other, each) for other in others for each in other.steps]
    later = [each for _, each in placed]
    for word, name in _declared(step.instruction, _READ_UNSEEN):
        own = [each.text for each in step.instruction.words if each is not word]
        if _says([each.instruction for each in later], name) or any(name in text for text in own):
            continue
        runs = [each for each in placed if each[1].instruction.keyword == "RUN"]
        if all(_is_plain(*each, name) for each in runs):
            inside = {id(each.instruction) for each in later} | {id(step.instruction)}
            outside = [each for each in stage.build.dockerfile.instructions if id(each) not in inside]
            yield Unused(step.instruction, word, name, not runs, False, (), _says(outside, name), _outside(stage, name))


def _outside(stage: Stage, name: str) -> tuple[Instruction, Instruction] | None:
    instructions = stage.build.dockerfile.instructions
    froms = [each for each in instructions if each.keyword == "FROM"]
    above = [each for each in instructions if each.keyword == "ARG" and each.span.start < froms[0].span.start]
    declared = next((each for each in above if _says([each], name)), None)
    reading = [each for each in froms if _says([each], name)]
    below = (each for each in reading if each.span.start > stage.instruction.span.start)
    reads = next(below, next(iter(reading), None))
    return (declared, reads) if declared is not None and reads is not None else None


def line_of_use(step: Step, name: str) -> int:
    """The line of an instruction that names a variable first; 1 is that of the file."""
    source, span = step.instruction.source, step.instruction.span
    found = re.compile(rf"(?m)^(?!\s*#).*?\$\{{?{name}\b").search(source.text, span.start, span.end)
    return source.position(found.end())[0] if found is not None else step.instruction.start_line


def _says(instructions: Sequence[Instruction], name: str) -> bool:
    pattern = re.compile(rf"\b{name}\b")
    return any(pattern.search(_text(each)) for each in instructions)


def _text(instruction: Instruction) -> str:
    """An instruction as written, with its heredocs."""
    return "\n".join((instruction.text, *(each.content for each in instruction.heredocs)))


def _is_plain(stage: Stage, step: Step, name: str) -> bool:
    """Whether a RUN surely does not read a variable from its environment."""
    return bool(step.commands) and all(_reads_nothing(stage, step, each, name) for each in step.commands)


def _reads_nothing(stage: Stage, step: Step, each: Executed, name: str) -> bool:
    if each.name in _PIPS or each.name in _PLAIN:
        return each.name not in _PIPS or not (any(map(_is_built, each.arguments)) or _is_switch(name, each))
    # A script of the context can be looked into.
    for word in each.words[:2]:
        path = joined(each.directory, word.value)
        found = None if isinstance(path, Unknown) else context_path(stage, step, path)
        text = stage.build.context.text(found) if found else None
        if text is not None and text.text.strip():
            return text.path.endswith(".sh") and name not in text.text and "source " not in text.text
    return False


def _is_built(word: str) -> bool:
    """Whether pip builds something, or may, which may ask for anything."""
    if word.endswith((".txt", ".in")):
        return False
    if "git+" in word or word.startswith("$") or word.endswith((".zip", ".tar.gz")):
        return True
    return word in ("-e", "--editable", "--no-build-isolation") or word.startswith((".", "/", "--no-binary"))


def _is_switch(name: str, each: Executed) -> bool:
    """Whether the build of a package that a call of pip installs may ask for a variable, by its name: HOROVOD_WITH_MPI
    is for horovod, DS_BUILD_OPS for deepspeed, USE_CUDA for many."""
    if "install" not in each.arguments or _OF_RELEASE.search(name):
        return False
    names = (_NAME.match(word) for word in each.arguments)
    return _SWITCH.match(name) is not None or any(name.startswith(f"{of[0].upper()}_") for of in names if of)
