"""What lies in a context beside the source, has another reader than the service, and would not be missed in the image:
tests, files of compose, and settings of editors and forges."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex
from mllint.sources.file_names import is_dockerfile_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.build import Build
    from mllint.image.context import Context, Entry

_TESTS = frozenset({"tests", "test"})
_SETTINGS = frozenset({".github", ".vscode", ".idea"})
_COMPOSE = regex(r"(?:docker-)?compose(?:[.\w-]*)\.ya?ml")
_TEST_FILE = regex(r"test_\w+\.py|\w+_test\.py|conftest\.py")
# A build that runs tests, or hands the image to those who do.
_RUNS_TESTS = regex(r"(?i)\b(?:pytest|unittest|tox|nox)\b|(?:^|[\s/._\"'-])tests?(?:[\s/._\"'-]|$)")


class Stray(NamedTuple):
    """A file or folder right below the root of a context."""

    entry: Entry
    is_tests: bool
    size: int
    """The bytes of it."""

    @property
    def pattern(self) -> str:
        """The line of .dockerignore that keeps it out."""
        return self.entry.name


def find_stray(build: Build) -> Iterator[Stray]:
    """Such files and folders of a build, in order of their names."""
    context = build.context
    runs_tests = any(map(_RUNS_TESTS.search, _dockerfiles(build)))
    for entry in context.tree.children(""):
        is_tests = entry.is_folder and entry.name in _TESTS and not runs_tests and _holds_tests(context, entry)
        is_setting = entry.name in _SETTINGS if entry.is_folder else _COMPOSE.fullmatch(entry.name)
        if is_tests or is_setting:
            size = sum(each.size for each in context.files(entry.path)) if entry.is_folder else entry.size
            yield Stray(entry, is_tests, size)


def _dockerfiles(build: Build) -> Iterator[str]:
    """The texts of a Dockerfile and of its neighbours, which the same ignore file would hold for."""
    yield build.source.text
    for entry in build.context.tree.children(""):
        text = build.context.text(entry.path) if is_dockerfile_name(entry.name) else None
        if text is not None:
            yield text.text


def _holds_tests(context: Context, folder: Entry) -> bool:
    return any(_TEST_FILE.fullmatch(each.name) for each in context.files(folder.path))


def is_only_dockerfiles(context: Context) -> bool:
    """Whether nothing else lies there, so that builds get their files from elsewhere."""
    return all(is_dockerfile_name(each.name) for each in context.files())
