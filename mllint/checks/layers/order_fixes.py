"""Repairs that install what needs no source before it is copied.

The copies of source go down below the last install that does not need them, each leaving a copy of the files that the
installs read above the first that does; everything else keeps its place. So nothing between may need the source.
"""

import posixpath
from collections.abc import Collection, Iterator
from re import MULTILINE

from mllint.checks.layers.needed_files import Needed, needed
from mllint.checks.layers.splits import Split, has, origin, places, split
from mllint.checks.moving import Block, block
from mllint.edits import line_above, line_below, replace
from mllint.findings import Edit, Fix
from mllint.image.copies import Copy, relative
from mllint.image.installing.downloads import is_only_installers
from mllint.image.installing.order import Late, brings_source, stands_alone
from mllint.image.paths import joined
from mllint.image.shell.commands import Executed
from mllint.image.stage import Stage, State, Step
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
# What they do to a path is to be done behind the copies that bring it.
_CHANGING = frozenset({"chgrp", "chmod", "chown", "rm"})
_SETS_MODES = frozenset({"chgrp", "chmod", "chown", "dos2unix", "ls", "mkdir"})
_ABOUT_INSTALLS = regex(r"(?i)install|depend|requirement|package|pip\b")
# Where installers look for their settings and keys by themselves, and the files that may be those.
_OF_SYSTEM = regex(r"/(?:etc|root|usr|var|home/[^/]+/\.|opt/conda)(?:/|$)")
_OF_INSTALLER = regex(r"(?:^|/)\.[^/.]|\.(?:cfg|cnf|conf|crt|ini|key|list|lock|pem|toml|txt|whl)$")
_TOKEN = regex(r"[\w./+-]+")
_READS_MORE = regex(r"^\s*(?:-[rcef]\b|--(?:requirement|constraint|editable|find-links)|\.|/)", MULTILINE)


def installed_first(stage: Stage, late: Late) -> Fix | None:
    """The fix for installs that come too late, where everything between can be told to need no source."""
    own = [id(step) for step in stage.steps]
    ends = [own.index(id(each.step)) for each in late.installs if id(each.step) in own]
    if id(late.copy.step) not in own or len(ends) < len(late.installs):
        return None
    steps = stage.steps[own.index(id(late.copy.step)) : max(ends) + 1]
    return _Plan(stage, late, steps, True).fix() or _Plan(stage, late, steps, False).fix()


class _Plan:
    """What is to be done with the steps from the first copy of source to the last install."""

    def __init__(self, stage: Stage, late: Late, steps: tuple[Step, ...], takes_all: bool) -> None:
        self.stage = stage
        self.takes_all = takes_all
        """Whether other copies of what no install reads go down as well."""
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
        self.readers: dict[str, Step] = {}
        """What is read of the context, with the first step that does."""
        self.splits: dict[int, list[Split]] = {}
        self.down: list[Step] = []

    def fix(self) -> Fix | None:
        if any(step.trigger is not None or step.mounts for step in self.steps):
            return None
        found = [needed(self.stage, each) for each in self.installs]
        wanted = [each for each in found if each is not None]
        if len(wanted) < len(found):
            return None
        for install, each in zip(self.installs, wanted, strict=True):
            for path in each.files:
                self.readers.setdefault(path, install.step)
        if self.takes_all:
            self.copies = [step.copy for step in self.steps if step.copy is not None and self._goes_down(step.copy)]
        if not self._read_mentioned() or not self._split() or not self._divide():
            return None
        names = sorted(filter(self._is_copied, self.readers))
        again = [each for each in wanted if each.again]
        if len(again) > 1 or not all(_is_the_same_at(self.last.after, step) for step in self.down):
            return None
        edits = [*self._above(), *(edit for each in again for edit in each.edits), self._below(again)]
        first = f"copy {', '.join(names[:3])} alone, and " if names else ""
        return Fix("unsafe", f"{first}bring {self._written()} behind the install", tuple(edits))

    def _goes_down(self, copy: Copy) -> bool:
        """Whether a copy is one of source, or of something from the context that is no setting of an installer."""
        if copy.origin != "context" or isinstance(copy.destination, Unknown):
            return copy in self.copies
        paths = [source.path for source in copy.sources if isinstance(source.path, str)]
        is_remote = any(source.is_remote for source in copy.sources)
        is_data = not (is_remote or _OF_SYSTEM.match(copy.destination) or any(map(_OF_INSTALLER.search, paths)))
        is_read = any(next(places(self.stage, copy, path), None) is not None for path in self.readers)
        return copy in self.copies or (is_data and not is_read)

    def _written(self) -> str:
        """What goes down, by its names where something else of the context stays above."""
        names = [source.word.text for copy in self.copies for source in copy.sources]
        copies = [step.copy for step in self.steps if step.copy is not None and step.copy.origin == "context"]
        is_all = len(copies) == len(self.copies) and all(brings_source(self.stage, copy) for copy in copies)
        return "the source" if is_all or len(names) > 3 else ", ".join(names)

    # which files are copied by themselves

    def _is_copied(self, path: str) -> bool:
        return any(next(places(self.stage, copy, path), None) is not None for copy in self.copies)

    def _read_mentioned(self) -> bool:
        """Count as read the files of which only the text of a RUN speaks, in a branch that other build arguments lead
        to; whether each of them is a simple list of requirements."""
        installed = set(self.readers)
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
                name = next(filter(None, (origin(self.stage, copy, path) for copy in self.copies)), None)
                entry = self.context.find(name) if name is not None else None
                if entry is None or entry.is_folder or entry.path in installed:
                    continue
                if not self._is_list(entry.path):
                    return False
                self.readers.setdefault(entry.path, step)
        return True

    def _is_list(self, path: str) -> bool:
        """Whether a file is one of requirements that reads no other."""
        text = self.context.text(path) if path.endswith(".txt") else None
        return text is not None and not _READS_MORE.search(text.text)

    def _split(self) -> bool:
        """Find a copy of its own for each file that only a copy of source brings; whether all can have one."""
        for copy in self.copies:
            groups: dict[tuple[int, str], list[str]] = {}
            for path in self.readers:
                at = next(places(self.stage, copy, path), None)
                if at is not None:
                    groups.setdefault((at[0], posixpath.dirname(at[1])), []).append(path)
            for (index, folder), paths in groups.items():
                made = split(copy, copy.sources[index], folder, paths)
                if made is None:
                    return False
                self.splits.setdefault(id(copy.step), []).append(made)
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
        made = {each.folder for splits in self.splits.values() for each in splits}
        if commands and all(self._is_free(step, each, made) for each in commands):
            return True
        if commands and step is not self.last and all(each.name in _SETS_MODES for each in commands):
            self.down.append(step)
            return True
        return False

    def _is_free(self, step: Step, each: Executed, made: Collection[str]) -> bool:
        """Whether a command does not need the source, where some folders are made in front of it."""
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
        return not any(self._is_brought(each, path, {*made, step.before.directory}) for path in paths)

    def _is_brought(self, each: Executed, written: str, made: Collection[str]) -> bool:
        """Whether a word is the path of something that only the copies of source bring."""
        directory = each.directory
        if isinstance(directory, Unknown):
            return True
        path = posixpath.normpath(posixpath.join(directory, written.rpartition("=")[2]))
        if each.name in _CHANGING and any(
            relative(str(copy.destination), path) is not None or has(self.stage, copy, path) for copy in self.copies
        ):
            return True
        # What is made there needs the folder above it.
        return any(
            has(self.stage, copy, place)
            for place in (path, posixpath.dirname(path))
            if not any(relative(folder, place) is not None for folder in made)
            for copy in self.copies
        )

    def _is_apart(self, step: Step) -> bool:
        """Whether a copy that stays brings nothing that a copy of source, now behind it, would put something over."""
        copy = step.copy
        if copy is None or isinstance(copy.destination, Unknown):
            return False
        if copy.origin != "context":
            target = copy.destination.rstrip("/") or "/"
            return not any(has(self.stage, each, target) for each in self.copies)
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
                    if any(origin(self.stage, moved, target) not in (None, path) for path, target in targets):
                        return False
        return True

    def _reader(self, step: Step) -> Step | None:
        """The first step that reads what a copy leaves of itself, where that can go directly above it, and what lies
        between is then not run again with each change of it."""
        steps = [id(each) for each in self.steps]
        readers = [self.readers[path] for each in self.splits[id(step)] for path in each.files]
        at = min(steps.index(id(each)) for each in readers)
        between = [each for each in self.steps[steps.index(id(step)) + 1 : at] if each not in self.down]
        is_spared = any(each.instruction.keyword == "RUN" for each in between)
        # Whoever makes a folder owns it.
        is_plain = step.copy is not None and step.copy.owner is None
        can_go = all(self._is_the_same_above(each, is_plain) for each in between)
        reader = self.steps[at]
        return reader if is_spared and can_go and _is_the_same_at(reader.before, step) else None

    def _is_the_same_above(self, step: Step, may_make_folders: bool) -> bool:
        """Whether a step does the same where the files of the installs are not there yet."""
        if step.instruction.keyword == "RUN":
            return all(self._is_free(step, each, ()) for each in step.commands)
        return may_make_folders or step.instruction.keyword in _KEEPING

    # the edits

    def _block(self, step: Step) -> Block:
        """The lines of a step that go down: comments about the install stay with what it reads."""
        found = block(self.dockerfile, step.instruction)
        if id(step) in self.splits and any(map(_ABOUT_INSTALLS.search, _comments(found, step))):
            return found._replace(first=step.instruction.start_line)
        return found

    def _above(self) -> Iterator[Edit]:
        gone: Block | None = None
        above: dict[Step, list[str]] = {}
        for step in self.down:
            moved, whole = self._block(step), block(self.dockerfile, step.instruction)
            lines = [each.line for each in self.splits.get(id(step), ())]
            reader = self._reader(step) if lines else None
            if reader is not None:
                kept = _comments(whole, step) if moved != whole else []
                is_apart = _is_airy(whole) and not block(self.dockerfile, reader.instruction).is_below_blank
                above.setdefault(reader, [""] if is_apart else []).extend([*kept, *lines])
                moved = whole
            elif lines:
                yield replace(self.dockerfile.source, moved.span, "\n".join(lines))
                continue
            if gone is not None and gone.last + 1 == moved.first:
                gone = gone._replace(last=moved.last)
            else:
                if gone is not None:
                    yield gone.removed()
                gone = moved
        if gone is not None:
            yield gone.removed()
        for reader, lines in above.items():
            yield line_above(self.dockerfile, reader.instruction, *lines)

    def _below(self, again: list[Needed]) -> Edit:
        end = block(self.dockerfile, self.last.instruction)
        moved = [self._block(step) for step in self.down]
        # What ends a stage is set off by nothing but the stage behind it.
        is_airy = any(map(_is_airy, moved)) or (end.is_set_off and self.last is not self.stage.steps[-1])
        lines: list[str] = []
        for step, each in zip(self.down, moved, strict=True):
            if each.is_below_blank if lines else is_airy:
                lines.append("")
            lines += self._reduced(step, each)
        for needed_again in again:
            lines += needed_again.again
        if is_airy and not end.is_set_off:
            lines.append("")
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


def _is_airy(found: Block) -> bool:
    """Whether blank lines set a block off from what stands around it."""
    return found.is_set_off or found.is_below_blank


def _comments(found: Block, step: Step) -> list[str]:
    """The lines of a block above its instruction."""
    return found.lines[: step.instruction.start_line - found.first]


def _is_the_same_at(there: State, step: Step) -> bool:
    """Whether an instruction means the same in another state."""
    here, instruction = step.before, step.instruction
    if instruction.keyword == "RUN":
        if "$" in instruction.rest.text or any(each.name not in _SETS_MODES for each in step.commands):
            return here[:5] == there[:5]
        return here[2:5] == there[2:5]
    texts = [word.text for word in (*instruction.flag_words, *instruction.words)]
    target = here.expand(instruction.words[-1].text)
    is_absolute = isinstance(target, str) and target.startswith("/")
    return (is_absolute or here.directory == there.directory) and all(
        here.expand(text) == there.expand(text) for text in texts
    )


def _without(text: str, span: Span) -> str:
    """A text without a word and the blanks behind it."""
    rest = text[span.end :]
    return text[: span.start] + rest.lstrip(" \t")
