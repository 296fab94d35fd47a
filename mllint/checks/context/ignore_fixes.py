"""Repairs of the ignore file: lines that keep files out of a build, and lines that let one back in.

Whoever finds a context without an ignore file makes the same one: the names that no image wants, and what the context
has beside them that nothing reads.
"""

from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase

from mllint import facts
from mllint.edits import delete_lines, insert, lines_at_end
from mllint.findings import Edit, Fix, NewFile
from mllint.image.build import Build
from mllint.image.content.ballast import find_ballast, is_wanted
from mllint.image.content.ignored import Exclusion
from mllint.image.content.training import unread
from mllint.image.context import Context
from mllint.image.copies import clean, context_path
from mllint.image.paths import joined
from mllint.image.serving import sources
from mllint.patterns import regex
from mllint.sources import dockerfile, dockerignore
from mllint.sources.dockerignore import IgnoreFile
from mllint.sources.file_names import is_dockerfile_name
from mllint.sources.text import Source, Span
from mllint.wording import enumerated

_VERSION_CONTROL = ".git"
_HOUSE = (".venv", "**/__pycache__", "**/*.pyc", ".pytest_cache")
_MAX_SOURCES = 300
_PLAIN = regex(r"[\w.+@,=~/ -]+")


def listed_lines(lines: Sequence[str], most: int | None = None) -> str:
    """Lines of an ignore file in words."""
    return f"the line{'s' if len(lines) > 1 else ''} {enumerated(lines, most)}"


def keeping_out(build: Build, patterns: Collection[str], paths: Collection[str]) -> tuple[Edit | NewFile, ...] | None:
    """The edits that keep paths of the context out by some more patterns; None where that would hide what something
    asks for, or where the ignore file brings a path back all the same."""
    context = build.context
    if not all(map(_PLAIN.fullmatch, paths)):
        return None
    source = counting_file(context)
    if source is None:
        if any(context.find(name) is not None for name in context.ignore_names):
            return None
        return _new_file(build, patterns, paths)
    old = [line.strip() for line in source.text.split("\n")]
    lines = [each for each in dict.fromkeys(patterns) if each not in old and f"**/{each}" not in patterns]
    edit = lines_at_end(source, lines)
    after = _parsed(source.text + edit.text)
    return (edit,) if lines and _is_fit(build, after, paths) else None


def new_file(build: Build, patterns: Collection[str] = ()) -> tuple[NewFile] | None:
    """The ignore file for a context that has none, with some more patterns; None where it would hide what something
    asks for."""
    return _new_file(build, patterns, ())


def let_in(build: Build, found: Exclusion) -> Fix | None:
    """The fix that lets a path back in, by a line behind the one that keeps it out; None where that is not enough, and
    for what may be kept out because it is secret."""
    if found.place is None or not _PLAIN.fullmatch(found.path) or _is_secret(found.path):
        return None
    edit = _exception(*found.place, found.path)
    source, at = edit.location
    after = _parsed(source.text[: at.start] + edit.text + source.text[at.end :])
    context = build.context
    entry = context.find(found.path)
    below = _all_below(context, found.path) if entry is not None and entry.is_folder else [found.path]
    is_in = not after.excludes(found.path) and any(not after.excludes(path) for path in below)
    return Fix("unsafe", f"let {found.path} into the build", (edit,)) if is_in else None


def _is_secret(path: str) -> bool:
    """Whether a path is that of a file which may well be kept out for what it holds."""
    return any(fnmatchcase(f"/{path}", f"*/{row['file']}") for row in facts.rows("credential_files"))


def counting_file(context: Context) -> Source | None:
    """The text of the ignore file that counts; None where there is none or it cannot be read."""
    name = next((name for name in context.ignore_names if context.find(name) is not None), None)
    return context.inputs.text(context.root / name) if name is not None else None


def _exception(source: Source, span: Span, path: str) -> Edit:
    """The line that lets a path in, behind one at a span that keeps it out; a line about nothing else is taken out."""
    line = source.position(span.start)[0]
    if source.slice(span).strip("/") == path:
        return delete_lines(source, line, line)
    if line == len(source.line_starts):
        return lines_at_end(source, [f"!{path}"])
    return insert(source, source.line_starts[line], f"!{path}\n")


def _all_below(context: Context, folder: str) -> list[str]:
    found: list[str] = []
    for entry in context.tree.children(folder):
        found += _all_below(context, entry.path) if entry.is_folder else [entry.path]
    return found


def _parsed(text: str) -> IgnoreFile:
    return dockerignore.parse(Source(".dockerignore", text))


def _new_file(build: Build, patterns: Collection[str], paths: Collection[str]) -> tuple[NewFile] | None:
    context = build.context
    lines = [] if is_wanted(build, _VERSION_CONTROL) else [_VERSION_CONTROL]
    lines += [".dockerignore", *_dockerfiles(build)]
    lines += [] if _may_read_env(build) else [".env"]
    lines += [*_HOUSE, *(each.pattern for each in find_ballast(build)), *_unread(build), *patterns]
    needed = asked_for(build)
    lines = [line for line in dict.fromkeys(lines) if f"**/{line}" not in lines]
    kept = [line for line in lines if not any(map(_parsed(line).excludes, needed))]
    text = "".join(f"{line}\n" for line in kept)
    if not _is_fit(build, _parsed(text), paths):
        return None
    return (NewFile(context.inputs.display(context.root / context.ignore_names[-1]), text),)


def _may_read_env(build: Build) -> bool:
    """Whether there is a file of settings, and source that may read it."""
    context = build.context
    if context.find(".env") is None:
        return False
    sources = [each.path for each in context.files() if each.name.endswith(".py")]
    texts = (context.text(path) for path in sources[:_MAX_SOURCES])
    return any(text is not None and ("dotenv" in text.text or ".env" in text.text) for text in texts)


def _unread(build: Build) -> list[str]:
    """What a server does not read."""
    if build.final is None or build.final.server is None:
        return []
    found = [
        each.entry.path
        for stage in build.needed
        for step in stage.steps
        for each in (unread(stage, step.copy) if step.copy and step.copy.origin == "context" else ())
    ]
    return folded(build.context, found)


def folded(context: Context, paths: Collection[str]) -> list[str]:
    """Paths of files, with the outermost folders instead of all that is sent of them."""
    wanted = set(paths)
    found: dict[str, None] = {}
    for path in sorted(wanted):
        parts = path.split("/")
        above = ("/".join(parts[:end]) for end in range(1, len(parts)))
        whole = next((folder for folder in above if all(each.path in wanted for each in context.files(folder))), path)
        found[whole] = None
    return list(found)


def _dockerfiles(build: Build) -> list[str]:
    """The lines for the Dockerfiles right in the context."""
    names = [entry.name for entry in build.context.tree.children("") if is_dockerfile_name(entry.name)]
    is_many = len(names) > 1 and all(name.startswith("Dockerfile") for name in names)
    return ["Dockerfile*"] if is_many else names


def _is_fit(build: Build, after: IgnoreFile, paths: Collection[str]) -> bool:
    """Whether an ignore file keeps paths out, and lets in all that was let in and is asked for."""
    if not all(map(after.excludes, paths)):
        return False
    return not any(after.excludes(path) and not build.context.excludes(path) for path in asked_for(build))


def asked_for(build: Build) -> frozenset[str]:
    """The files and folders of the context that something names: a COPY, a command, a file of requirements, the source
    of the service, or another Dockerfile of the same context."""
    return frozenset((*_copied(build), *_used(build), *_opened(build), *_copied_elsewhere(build)))


def _copied(build: Build) -> Iterator[str]:
    for stage in build.stages:
        for step in stage.steps:
            for source in step.copy.sources if step.copy and step.copy.origin == "context" else ():
                yield from (match.path for match in source.matches(build.context) if match.path)
            yield from (str(mount.source) for mount in step.mounts if mount.is_from_context and mount.source)


def _used(build: Build) -> Iterator[str]:
    """What the words of commands, and what installs read, lead to."""
    for stage in build.stages:
        for step in stage.steps:
            for each in step.commands:
                for word in each.words:
                    yield from _origin(build, stage.index, joined(each.directory, word.value))
            for install in step.installs:
                read = stage.closure(install)
                yield from (*read.files, *read.constraints)
    if build.final is not None and build.final.process is not None:
        for each in build.final.process.commands:
            for word in each.words:
                yield from _origin(build, build.final.index, joined(each.directory, word.value))


def _opened(build: Build) -> Iterator[str]:
    if build.final is not None:
        for file in sources.loaded(build.final):
            for opened in file.module.opened:
                yield from _origin(build, build.final.index, build.final.view.resolve(opened.path, build.final.end))


def _origin(build: Build, stage: int, path: object) -> Iterator[str]:
    found = context_path(build.stages[stage], None, path) if isinstance(path, str) else None
    if found:
        yield found


def _copied_elsewhere(build: Build) -> Iterator[str]:
    """What other Dockerfiles of the context copy by name."""
    context = build.context
    for entry in context.files():
        if is_dockerfile_name(entry.name) and context.root / entry.path != context.inputs.cwd / build.source.path:
            text = context.text(entry.path)
            other = context.inputs.parsed(text, dockerfile.parse) if text is not None else None
            for instruction in other.instructions if other is not None else ():
                if instruction.keyword in ("COPY", "ADD") and instruction.flag("from") is None:
                    paths = (clean(word.text) for word in instruction.words[:-1])
                    yield from (path for path in paths if path and context.find(path) is not None)
