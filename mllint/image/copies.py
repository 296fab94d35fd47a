"""What COPY and ADD bring, and where a file of the image comes from, as BuildKit's copier decides it."""

from __future__ import annotations

import posixpath
import re
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from mllint.image.accounts import Account, account
from mllint.image.paths import joined
from mllint.image.values import Unknown, Value
from mllint.patterns import regex
from mllint.sources import dockerignore
from mllint.sources.text import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.context import Context, Entry
    from mllint.image.mounts import Mount
    from mllint.image.stage import Stage, Step
    from mllint.sources.dockerignore import IgnoreFile
    from mllint.sources.words import Word

# A repository without a protocol, `host/name.git`, is a path of the context for BuildKit.
_GIT = regex(r"(?:git|ssh)://|[\w.+-]+@[\w.-]+:|https?://[^#?]+\.git(?:[#?]|$)", re.IGNORECASE)
_URL = regex(r"(?:https?|ftp)://", re.IGNORECASE)
_ARCHIVE = regex(r"\.(?:tar(?:\.\w+)?|tgz|tbz2?|txz|tzst)$", re.IGNORECASE)
_HEREDOC = regex(r"<<-?\S")


class CopySource(NamedTuple):
    """One source of a COPY; `path` is clean and relative to the root it is taken from, empty for the root itself, and
    the whole address of what is fetched from elsewhere."""

    word: Word
    path: Value
    kind: Literal["path", "url", "git"]
    pivot: str | None
    """With `--parents`, the folder whose structure below is kept; otherwise None."""
    left_out: IgnoreFile | None
    """The patterns of `--exclude`."""
    may_unpack: bool = False
    """Whether an archive is put there as what it holds."""

    @property
    def is_remote(self) -> bool:
        """Whether it is fetched from elsewhere."""
        return self.kind != "path"

    def unpacks(self, path: str) -> bool:
        """Whether a file that it brings is an archive, by its name, and is put there as what it holds."""
        return self.may_unpack and _ARCHIVE.search(path) is not None

    @property
    def has_wildcard(self) -> bool:
        """Whether it is a pattern."""
        return isinstance(self.path, str) and any(mark in self.path for mark in "*?[")

    def matches(self, context: Context) -> tuple[Entry, ...]:
        """The files and folders of the context that it names, ignored or not."""
        if isinstance(self.path, Unknown) or self.is_remote:
            return ()
        if not self.has_wildcard:
            entry = context.find(self.path)
            return (entry,) if entry else ()
        return tuple(_glob(context, self.path.split("/"), ""))

    def entries(self, context: Context) -> Iterator[Entry]:
        """The files of the context that it brings."""
        for match in self.matches(context):
            yield from self.entries_of(context, match)

    def entries_of(self, context: Context, match: Entry) -> Iterator[Entry]:
        """The files that it brings of one of its matches."""
        if match.is_folder:
            yield from (each for each in context.files(match.path) if not self.leaves_out(match, each.path))
        elif not context.excludes(match.path) and not self.leaves_out(match, match.path):
            yield match

    def leaves_out(self, match: Entry, path: str) -> bool:
        """Whether `--exclude` keeps out a path that a match of this source is or holds."""
        if self.left_out is None:
            return False
        folder = match.path if match.is_folder else posixpath.dirname(match.path)
        inside = relative(path, folder)
        return bool(inside) and self.left_out.excludes(str(inside))


def _glob(context: Context, parts: list[str], folder: str) -> Iterator[Entry]:
    pattern = _go_match(parts[0])
    for entry in context.tree.children(folder):
        if pattern.fullmatch(entry.name):
            if len(parts) == 1:
                yield entry
            elif entry.is_folder:
                yield from _glob(context, parts[1:], entry.path)


_TOKENS = regex(r"\*+|\[\^?(?:\\.|[^]\\])+\]|\\.|.", re.DOTALL)


@cache
def _go_match(pattern: str) -> re.Pattern[str]:
    """Go's filepath.Match for one part of a path; an ill-formed pattern matches nothing."""
    out = []
    for token in _TOKENS.findall(pattern):
        if token[0] == "*":
            out.append("[^/]*")
        elif token == "?":
            out.append("[^/]")
        elif token[0] == "[" and len(token) > 1:
            out.append(re.sub(r"(?<!^)[\[&~|]", r"\\\g<0>", token))
        else:
            out.append(re.escape(token[-1]))
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error:
        return re.compile("(?!)")


class Copy(NamedTuple):
    """A COPY or ADD carried out: its sources, where they come from and where they go."""

    step: Step
    origin: Literal["context", "stage", "elsewhere"]
    """`elsewhere`: another image, a named context, or a source only the build knows."""
    stage: int | None
    sources: tuple[CopySource, ...]
    destination: Value
    """Absolute where it is known; a trailing slash is kept."""
    image: str | None = None
    """What `--from` names that is no stage above: an image, or a named context of the build."""
    owner: Account | None = None
    """`--chown`; without it root owns what the context brings, and what other images bring keeps its owner's number."""
    mode: int | str | Unknown | None = None
    """`--chmod`: permission bits, or text such as `u=rwX,go=rX`."""
    is_link: bool = False
    checksum: Value | None = None
    """What an ADD from a URL or repository has to match."""
    keeps_git_dir: bool = False

    @property
    def written(self) -> str:
        """The instruction as a message names it, without flags and with few of its sources."""
        words = [word.text for word in self.step.instruction.words]
        shown = words if len(words) < 5 else [*words[:3], "...", words[-1]]
        return " ".join([self.step.instruction.keyword, *shown])

    @property
    def is_into_folder(self) -> bool:
        """Whether the destination is a folder for sure."""
        return len(self.sources) > 1 or (isinstance(self.destination, str) and self.destination.endswith("/"))

    def takes_all(self) -> bool:
        """Whether it brings the whole context."""
        return self.origin == "context" and any(source.path in ("", "*") for source in self.sources)

    def places(self, source: CopySource, path: str, is_folder: bool) -> tuple[str, ...]:
        """Where a match of a source may come to lie. A folder brings what is in it; a file goes below a folder that is
        there and otherwise to that very path, which only the build can tell apart."""
        if isinstance(self.destination, Unknown):
            return ()
        target = self.destination.rstrip("/") or "/"
        if source.pivot is not None:
            return (posixpath.join(target, relative(path, source.pivot) or ""),)
        below = posixpath.join(target, posixpath.basename(path))
        if is_folder:
            return (target,)
        return (below,) if self.is_into_folder else (target, below)


def read(step: Step) -> Copy | None:
    """What a step copies; None for another instruction, one without source and destination, and on Windows."""
    instruction = step.instruction
    if instruction.keyword not in ("COPY", "ADD") or len(instruction.words) < 2 or step.before.is_windows:
        return None
    *words, last = instruction.words
    origin, stage, image = _origin(step)
    written = step.before.expand(last.text)
    destination = joined(step.before.directory, written)
    if isinstance(destination, str) and isinstance(written, str) and re.search(r"(?:^|/)\.{0,2}$", written):
        destination = destination.rstrip("/") + "/"
    sources = tuple(_source(step, word) for word in words if not _HEREDOC.match(word.text))
    owner = _flag(step, "chown")
    return Copy(
        step,
        origin,
        stage,
        sources,
        destination,
        image,
        None if owner is None else account(owner),
        _mode(_flag(step, "chmod")),
        _is_on(step, "link"),
        _flag(step, "checksum"),
        _is_on(step, "keep-git-dir"),
    )


def _flag(step: Step, name: str) -> Value | None:
    word = step.instruction.flag(name)
    return None if word is None else step.before.expand(word.text) or None


def _is_on(step: Step, name: str) -> bool:
    word = step.instruction.flag(name)
    return word is not None and word.text.lower() == "true"


def _mode(text: Value | None) -> int | str | Unknown | None:
    return int(text, 8) if isinstance(text, str) and re.fullmatch("[0-7]+", text) else text


def _source(step: Step, word: Word) -> CopySource:
    path = step.before.expand(word.text)
    kind = _kind(path if isinstance(path, str) else word.text) if step.instruction.keyword == "ADD" else "path"
    pivot = None
    if _is_on(step, "parents") and isinstance(path, str):
        pivot = clean(path.partition("/./")[0]) if "/./" in path else ""
    by_default = step.instruction.keyword == "ADD" and kind == "path"
    may_unpack = by_default if step.instruction.flag("unpack") is None else _is_on(step, "unpack")
    place = clean(path) if isinstance(path, str) and kind == "path" else path
    return CopySource(word, place, kind, pivot, _left_out(step), may_unpack)


def _kind(text: str) -> Literal["path", "url", "git"]:
    if _GIT.match(text):
        return "git"
    return "url" if _URL.match(text) else "path"


def _left_out(step: Step) -> IgnoreFile | None:
    flags = [word.text for word in step.instruction.flag_words]
    patterns = [text.removeprefix("--exclude=") for text in flags if text.startswith("--exclude=")]
    return dockerignore.parse(Source("--exclude", "\n".join(patterns))) if patterns else None


def _origin(step: Step) -> tuple[Literal["context", "stage", "elsewhere"], int | None, str | None]:
    word = step.instruction.flag("from")
    if word is None:
        return "context", None, None
    stage = stage_named(step, word.text)
    return ("elsewhere", None, word.text) if stage is None else ("stage", stage, None)


def stage_named(step: Step, text: str) -> int | None:
    """The index of the earlier stage that a `from` names by name or number; None for an image and the unknown."""
    name = step.before.expand(text)
    if isinstance(name, Unknown):
        return None
    if name.isdecimal() and int(name) < len(step.earlier):
        return int(name)
    return next((stage.index for stage in reversed(step.earlier) if stage.name == name.lower()), None)


def clean(path: str) -> str:
    """A path as BuildKit looks it up: below the root whatever it says, so that `../x` and `/x` are `x`."""
    return posixpath.normpath("/" + path).lstrip("/")


def context_path(stage: Stage, before: Step | None, path: str) -> str | None:
    """The file of the context that a file of the image is, as the mounts of a step and the copies in front of it
    (None: all of the stage) brought it there; None where nobody can tell."""
    for mount in before.mounts if before else ():
        found = _mounted(stage, mount, path)
        if found is not None:
            return found
    for step in reversed(stage.steps_before(before)):
        for source in reversed(step.copy.sources if step.copy else ()):
            found = _copied(stage, step.copy, source, path) if step.copy else None
            if found is not None:
                return found
    return None


def arrives_in_image(stage: Stage, copy: Copy, source: CopySource, path: str) -> bool:
    """Whether a path of the context that a source of a copy brings becomes part of a layer of the image."""
    if stage.is_in_image:
        return True
    for match in source.matches(stage.build.context):
        inside = relative(path, match.path)
        for place in copy.places(source, match.path, match.is_folder) if inside is not None else ():
            if reaches_image(stage, posixpath.join(place, inside) if inside else place):
                return True
    return False


def reaches_image(stage: Stage, path: str) -> bool:
    """Whether a file of a stage becomes part of a layer of the image, in its own place or copied to another."""
    if stage.is_in_image:
        return True
    for other in stage.build.stages[stage.index + 1 :]:
        if other.base.stage == stage.index and reaches_image(other, path):
            return True
        taken = (place for step in other.steps if step.copy for place in _taken(step.copy, stage, path))
        if any(reaches_image(other, place) for place in taken):
            return True
    return False


def _taken(copy: Copy, stage: Stage, path: str) -> Iterator[str]:
    """Where a copy from a stage puts one of its files."""
    if copy.stage != stage.index or isinstance(copy.destination, Unknown):
        return
    for source in copy.sources:
        inside = relative(path, f"/{source.path}") if isinstance(source.path, str) else None
        if inside is not None:
            yield posixpath.join(copy.destination, inside or posixpath.basename(path))


def _mounted(stage: Stage, mount: Mount, path: str) -> str | None:
    if mount.kind != "bind" or isinstance(mount.target, Unknown) or isinstance(mount.source, Unknown):
        return None
    if mount.is_from_context:
        return _below(stage.build.context, path, mount.target, mount.source)
    inside = relative(path, mount.target)
    if mount.stage is None or inside is None:
        return None
    return context_path(stage.build.stages[mount.stage], None, posixpath.join("/", mount.source, inside).rstrip("/"))


def _copied(stage: Stage, copy: Copy, source: CopySource, path: str) -> str | None:
    if isinstance(source.path, Unknown) or isinstance(copy.destination, Unknown) or source.is_remote:
        return None
    if copy.origin == "stage" and copy.stage is not None:
        return _from_stage(stage.build.stages[copy.stage], copy, source, path)
    if copy.origin != "context":
        return None
    context = stage.build.context
    for match in source.matches(context):
        if not match.is_folder and source.unpacks(match.path):
            continue
        for place in copy.places(source, match.path, match.is_folder):
            found = _below(context, path, place, match.path)
            if found is not None and not source.leaves_out(match, found):
                return found
    return None


def _from_stage(other: Stage, copy: Copy, source: CopySource, path: str) -> str | None:
    """Nobody knows whether the source is a file or a folder: try both."""
    assert isinstance(source.path, str)
    assert isinstance(copy.destination, str)
    origin = "/" + source.path
    if source.has_wildcard:
        return None
    inside = relative(path, copy.destination.rstrip("/") or "/")
    if inside is None:
        return None
    found = context_path(other, None, posixpath.join(origin, inside) if inside else origin)
    if found is None and path in copy.places(source, origin, False):
        return context_path(other, None, origin)
    return found


def _below(context: Context, path: str, target: str, source: str) -> str | None:
    inside = relative(path, target)
    if inside is None:
        return None
    found = posixpath.join(source, inside) if inside else source
    return found if context.find(found) is not None and not context.excludes(found) else None


def relative(path: str, folder: str) -> str | None:
    """A path as seen from a folder, empty for the folder itself; None where it does not lie below."""
    if path == folder:
        return ""
    prefix = folder if folder.endswith("/") or not folder else folder + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None
