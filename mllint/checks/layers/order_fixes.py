"""Repairs that install what needs no source before it is copied.

The copies of source go down below the last install that does not need them, each leaving behind a copy of the files
that the installs read; everything else keeps its place. So nothing between may need the source.
"""

import posixpath
from collections.abc import Collection, Iterator
from re import MULTILINE
from typing import NamedTuple

from mllint.checks.layers.moving import Block, block
from mllint.checks.layers.needed_files import Needed, needed
from mllint.edits import line_below, replace
from mllint.findings import Edit, Fix
from mllint.image.copies import Copy, CopySource, relative
from mllint.image.installing.downloads import is_only_installers
from mllint.image.installing.order import Late, brings_source, stands_alone
from mllint.image.paths import joined
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage, Step
from mllint.image.values import Unknown
from mllint.patterns import regex
from mllint.sources.text import Span

# They change nothing that an install could notice.
_KEEPING = frozenset({"ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD"})
_MORE_KEEPING = frozenset({"STOPSIGNAL", "USER", "WORKDIR"})
# What works without the source, as far as it names nothing of it.
_FREE = frozenset(
    ": [ [[ add-apt-repository addgroup adduser apk apt apt-get cd chgrp chmod chown conda curl dnf dpkg echo exit"
    " export gpg groupadd install ldconfig ln locale-gen mamba micromamba microdnf mkdir pip pip3 pipx playwright"
    " poetry rm set tar test true unzip update-alternatives useradd usermod uv wget yum".split()
)
_FREE_MODULES = frozenset({"ensurepip", "nltk.downloader", "pip", "playwright", "spacy", "venv"})
# What they do to a folder they do to all in it.
_RECURSIVE = frozenset({"chgrp", "chmod", "chown", "rm"})
_SETS_MODES = frozenset({"chgrp", "chmod", "chown", "dos2unix", "ls", "mkdir"})
_ABOUT_INSTALLS = regex(r"(?i)install|depend|requirement|package|pip\b")
_TOKEN = regex(r"[\w./+-]+")
_READS_MORE = regex(r"^\s*(?:-[rcef]\b|--(?:requirement|constraint|editable|find-links)|\.|/)", MULTILINE)
_PLAIN = regex(r"[\w.+/@-]+")


def installed_first(stage: Stage, late: Late) -> Fix | None:
    """The fix for installs that come too late, where everything between can be told to need no source."""
    own = [id(step) for step in stage.steps]
    ends = [own.index(id(each.step)) for each in late.installs if id(each.step) in own]
    if id(late.copy.step) not in own or len(ends) < len(late.installs):
        return None
    steps = stage.steps[own.index(id(late.copy.step)) : max(ends) + 1]
    return _Plan(stage, late, steps).fix()


class _Split(NamedTuple):
    """A copy of what installs read, out of one that goes down."""

    line: str
    folder: str
    """Where it goes in the image."""
    taken: tuple[CopySource, ...]
    """The sources that nothing is left of for the copy below."""


class _Plan:
    """What is to be done with the steps from the first copy of source to the last install."""

    def __init__(self, stage: Stage, late: Late, steps: tuple[Step, ...]) -> None:
        self.stage = stage
        self.context = stage.build.context
        self.dockerfile = stage.build.dockerfile
        self.steps = steps
        self.last = steps[-1]
        self.copies = [step.copy for step in steps if step.copy is not None and brings_source(stage, step.copy)]
        self.installs = [
            each
            for step in steps
            for each in step.installs
            if any(each is other for other in late.installs) or stands_alone(stage, each)
        ]
        self.splits: dict[int, list[_Split]] = {}
        self.down: list[Step] = []

    def fix(self) -> Fix | None:
        if any(step.trigger is not None or step.mounts for step in self.steps):
            return None
        found = [needed(self.stage, each) for each in self.installs]
        wanted = [each for each in found if each is not None]
        files = dict.fromkeys(path for each in wanted for path in each.files)
        others = self._mentioned(files)
        if len(wanted) < len(found) or others is None:
            return None
        files |= dict.fromkeys(others)
        if not self._split(files) or not self._divide():
            return None
        names = sorted(filter(self._is_copied, files))
        again = [each for each in wanted if each.again]
        if len(again) > 1 or not all(map(self._is_the_same_below, self.down)):
            return None
        edits = [*self._above(), *(edit for each in again for edit in each.edits), self._below(again)]
        first = f"copy {', '.join(names[:3])} alone, and " if names else ""
        return Fix("unsafe", f"{first}bring the source behind the install", tuple(edits))

    # which files are copied by themselves

    def _is_copied(self, path: str) -> bool:
        return any(next(_places(self.stage, copy, path), None) is not None for copy in self.copies)

    def _mentioned(self, files: Collection[str]) -> list[str] | None:
        """The files of which only the text of a RUN speaks, in a branch that other build arguments lead to; None where
        one of them is no simple list of requirements."""
        found: list[str] = []
        for step in self.steps:
            if step.instruction.keyword != "RUN" or all(each.name in _SETS_MODES for each in step.commands):
                continue
            folders = {step.before.directory, *(each.directory for each in step.commands)}
            # A variable may name what an installer reads, such as its configuration.
            texts = [
                step.instruction.rest.text,
                *(value for value in step.before.env.values() if isinstance(value, str)),
            ]
            tokens = {token for text in texts for token in _TOKEN.findall(text)}
            paths = {joined(folder, token) for folder in folders for token in tokens}
            for path in sorted(path for path in paths if isinstance(path, str)):
                origin = next(filter(None, (_origin(self.stage, copy, path) for copy in self.copies)), None)
                entry = self.context.find(origin) if origin is not None else None
                if entry is None or entry.is_folder or entry.path in files:
                    continue
                if not self._is_list(entry.path):
                    return None
                found.append(entry.path)
        return found

    def _is_list(self, path: str) -> bool:
        """Whether a file is one of requirements that reads no other."""
        text = self.context.text(path) if path.endswith(".txt") else None
        return text is not None and not _READS_MORE.search(text.text)

    def _split(self, files: Collection[str]) -> bool:
        """Find a copy of its own for each file that only a copy of source brings; whether all can have one."""
        for copy in self.copies:
            groups: dict[tuple[int, str], list[str]] = {}
            for path in files:
                at = next(_places(self.stage, copy, path), None)
                if at is not None:
                    groups.setdefault((at[0], posixpath.dirname(at[1])), []).append(path)
            for (index, folder), paths in groups.items():
                split = _split(copy, copy.sources[index], folder, paths)
                if split is None:
                    return False
                self.splits.setdefault(id(copy.step), []).append(split)
        return True

    # what stays and what goes down

    def _divide(self) -> bool:
        """Tell which steps go down below the last install; whether the rest can stay."""
        for step in self.steps:
            keyword = step.instruction.keyword
            if step.copy is not None and step.copy in self.copies:
                self.down.append(step)
            elif keyword in ("COPY", "ADD"):
                if not self._is_apart(step):
                    return False
            elif keyword == "RUN":
                if not self._run(step):
                    return False
            elif keyword not in _KEEPING | _MORE_KEEPING:
                return False
        return True

    def _run(self, step: Step) -> bool:
        commands = step.commands
        if commands and all(self._is_free(step, each) for each in commands):
            return True
        if commands and step is not self.last and all(each.name in _SETS_MODES for each in commands):
            self.down.append(step)
            return True
        return False

    def _is_free(self, step: Step, each: Executed) -> bool:
        """Whether a command does not need the source."""
        if any(install.executed is each for install in self.installs):
            return True
        install = next((install for install in step.installs if install.executed is each), None)
        if install is not None and install.manager.language == "python":
            return is_only_installers(install)
        is_module = each.arguments[:1] == ("-m",) and not _FREE_MODULES.isdisjoint(each.arguments[1:2])
        if each.name not in _FREE and not is_module and install is None:
            return False
        paths = [word.value for word in each.words[1:]]
        paths += [redirect.target.value for redirect in each.command.redirects if redirect.target is not None]
        return not any(self._is_brought(step, each, path) for path in paths)

    def _is_brought(self, step: Step, each: Executed, written: str) -> bool:
        """Whether a word is the path of something that only the copies of source bring."""
        directory = each.directory
        if isinstance(directory, Unknown):
            return True
        path = posixpath.normpath(posixpath.join(directory, written.rpartition("=")[2]))
        if each.name in _RECURSIVE and any(relative(str(copy.destination), path) is not None for copy in self.copies):
            return True
        folders = {split.folder for splits in self.splits.values() for split in splits}
        folders.add(step.before.directory)
        # What is made there needs the folder above it.
        return any(
            _has(self.stage, copy, place)
            for place in (path, posixpath.dirname(path))
            if not any(relative(folder, place) is not None for folder in folders)
            for copy in self.copies
        )

    def _is_apart(self, step: Step) -> bool:
        """Whether a copy that stays brings nothing that a copy of source, now behind it, would put something over."""
        copy = step.copy
        if copy is None or isinstance(copy.destination, Unknown):
            return False
        if copy.origin != "context":
            target = copy.destination.rstrip("/") or "/"
            return not any(_has(self.stage, each, target) for each in self.copies)
        return all(self._is_apart_from(copy, each) for each in self.copies)

    def _is_apart_from(self, copy: Copy, moved: Copy) -> bool:
        for source in copy.sources:
            for match in source.matches(self.context):
                files = self.context.files(match.path) if match.is_folder else (match,)
                for place in copy.places(source, match.path, match.is_folder):
                    # Where two files go, there is a folder.
                    if place == copy.destination == moved.destination and not match.is_folder:
                        continue
                    inside = ((entry.path, relative(entry.path, match.path)) for entry in files)
                    targets = ((path, posixpath.join(place, name) if name else place) for path, name in inside)
                    if any(_origin(self.stage, moved, target) not in (None, path) for path, target in targets):
                        return False
        return True

    def _is_the_same_below(self, step: Step) -> bool:
        """Whether an instruction means the same below the last install."""
        here, there = step.before, self.last.after
        if step.instruction.keyword == "RUN":
            return here[:5] == there[:5]
        instruction = step.instruction
        texts = [word.text for word in (*instruction.flag_words, *instruction.words)]
        target = here.expand(instruction.words[-1].text)
        is_absolute = isinstance(target, str) and target.startswith("/")
        return (is_absolute or here.directory == there.directory) and all(
            here.expand(text) == there.expand(text) for text in texts
        )

    # the edits

    def _block(self, step: Step) -> Block:
        """The lines of a step that go down: comments about the install stay with what it reads."""
        found = block(self.dockerfile, step.instruction)
        if any(_ABOUT_INSTALLS.search(line) for line in found.lines[: step.instruction.start_line - found.first]):
            return found._replace(first=step.instruction.start_line)
        return found

    def _above(self) -> Iterator[Edit]:
        gone: Block | None = None
        for step in self.down:
            moved = self._block(step)
            splits = self.splits.get(id(step))
            if splits:
                yield replace(self.dockerfile.source, moved.span, "\n".join(split.line for split in splits))
            elif gone is not None and gone.last + 1 == moved.first:
                gone = gone._replace(last=moved.last)
            else:
                if gone is not None:
                    yield gone.removed()
                gone = moved
        if gone is not None:
            yield gone.removed()

    def _below(self, again: list[Needed]) -> Edit:
        end = block(self.dockerfile, self.last.instruction)
        # What ends a stage is set off by nothing but the stage behind it.
        is_airy = self._block(self.down[0]).is_set_off or (end.is_set_off and self.last is not self.stage.steps[-1])
        lines: list[str] = []
        for step in self.down:
            moved = self._block(step)
            if moved.is_below_blank if lines else is_airy:
                lines.append("")
            lines += self._reduced(step, moved)
        for each in again:
            lines += each.again
        return line_below(self.last.instruction, *lines)

    def _reduced(self, step: Step, moved: Block) -> list[str]:
        """The lines of a step without the sources of a copy that its split has."""
        taken = [source.word.span for split in self.splits.get(id(step), ()) for source in split.taken]
        if not taken:
            return moved.lines
        raw, start = self.dockerfile.source.slice(moved.span), moved.span.start
        for span in sorted(taken, reverse=True):
            raw = _without(raw, Span(span.start - start, span.end - start))
        lines = [line.rstrip("\r") for line in raw.split("\n")]
        return [line for line in lines if line.strip() != self.dockerfile.escape]


def _without(text: str, span: Span) -> str:
    """A text without a word and the blanks behind it."""
    rest = text[span.end :]
    return text[: span.start] + rest.lstrip(" \t")


def _split(copy: Copy, source: CopySource, folder: str, names: list[str]) -> _Split | None:
    instruction = copy.step.instruction
    written = instruction.words[-1].text
    if instruction.is_exec_form or source.pivot is not None or not isinstance(copy.destination, str):
        return None
    if not all(map(_PLAIN.fullmatch, names)) or instruction.flag("from") is not None:
        return None
    below = relative(folder, copy.destination.rstrip("/") or "/")
    if below is None:
        return None
    target = written if written in (".", "./") else f"{written.rstrip('/')}/"
    if below:
        target = f"{below}/" if written == "." else f"{target}{below}/"
    elif len(names) > 1 and written == ".":
        target = "./"
    start, given, paths = "", source.word.text, names
    if "$" in given and isinstance(source.path, str) and all(relative(path, source.path) for path in paths):
        paths = [posixpath.join(given, str(relative(path, source.path))) for path in paths]
    elif given.startswith("./"):
        start = "./"
    flags = [word.text for word in instruction.flag_words if not word.text.startswith("--exclude=")]
    keyword = instruction.source.slice(instruction.keyword_span)
    line = " ".join([keyword, *flags, *(f"{start}{path}" for path in paths), target])
    taken = tuple(each for each in copy.sources if each.path in names)
    return _Split(line, folder, taken)


def _places(stage: Stage, copy: Copy, path: str) -> Iterator[tuple[int, str]]:
    """Where a copy puts a file of the context, with the index of the source that brings it."""
    for index, source in enumerate(copy.sources):
        for match in source.matches(stage.build.context):
            inside = relative(path, match.path)
            if inside is None or source.leaves_out(match, path) or stage.build.context.excludes(path):
                continue
            place = copy.places(source, match.path, match.is_folder)[:1]
            yield from ((index, posixpath.join(each, inside) if inside else each) for each in place)


def _origin(stage: Stage, copy: Copy, path: str) -> str | None:
    """The file or folder of the context that a copy puts at a path."""
    context = stage.build.context
    for source in copy.sources:
        for match in source.matches(context):
            for place in copy.places(source, match.path, match.is_folder):
                inside = relative(path, place)
                name = posixpath.join(match.path, inside or "").rstrip("/")
                if inside is not None and context.find(name) is not None and not context.excludes(name):
                    return name
    return None


def _has(stage: Stage, copy: Copy, path: str) -> bool:
    return isinstance(copy.destination, Unknown) or _origin(stage, copy, path) is not None
