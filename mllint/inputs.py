"""The files of a run: each read once, decoded as the tool that will read it does, failures kept with their reason."""

from __future__ import annotations

import os
import stat
from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from mllint.findings import InputError
from mllint.sources import dockerfile as dockerfiles
from mllint.sources import requirements
from mllint.sources.pip_encoding import decode, without_nuls
from mllint.sources.requirements import Invalid
from mllint.sources.text import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mllint.sources.dockerfile import Dockerfile
    from mllint.sources.requirements import RequirementsFile

Parsed = TypeVar("Parsed")

MAX_BYTES = 5_000_000
"""Inputs above this size are not read: no Dockerfile or requirements file is that long."""


class Unreadable(Exception):
    """An input that cannot be read; the text says why."""


class Inputs:
    """Reads and parses the files of one run; `errors` are those that a user asked for and that could not be read."""

    def __init__(self, cwd: Path, given: Mapping[Path, bytes] = MappingProxyType({})) -> None:
        """`given` are bytes to use for paths instead of the files (standard input, an unsaved buffer, a repair)."""
        self.cwd = cwd
        self.errors: list[InputError] = []
        self._given = given
        self._dockerfiles: dict[Path, Dockerfile | None] = {}
        self._requirements: dict[Path, RequirementsFile | None] = {}
        self._texts: dict[Path, Source | None] = {}
        self._parsed: dict[tuple[Source, object], Any] = {}

    @property
    def given(self) -> dict[Path, int]:
        """The paths whose bytes were given, with how many they are."""
        return {path: len(data) for path, data in self._given.items()}

    def kind(self, path: Path) -> Literal["file", "folder"] | None:
        """What a path leads to; None, with an entry in `errors`, where it cannot be looked at."""
        if path in self._given:
            return "file"
        try:
            mode = path.stat().st_mode
        except OSError as error:
            self.fail(path, (error.strerror or str(error)).lower())
            return None
        return "folder" if stat.S_ISDIR(mode) else "file"

    def exists(self, path: Path) -> bool:
        """Whether there is anything at a path."""
        return path in self._given or os.path.lexists(path)

    def data(self, path: Path) -> bytes:
        """The content of a file. Raises Unreadable."""
        return self._bytes(path, allow_nul=True)

    def problems(self, path: Path) -> Counter[str]:
        """What is wrong with the text of a Dockerfile or requirements file that was parsed in this run."""
        dockerfile, requirements = self._dockerfiles.get(path), self._requirements.get(path)
        found: list[str] = []
        if dockerfile is not None:
            unknown = {each.keyword for each in dockerfile.instructions} - dockerfiles.KEYWORDS
            found += [problem.message for problem in dockerfile.problems]
            found += [f"{keyword} is no instruction" for keyword in unknown]
        if requirements is not None:
            found += [line.message for line in requirements.lines if isinstance(line, Invalid)]
        return Counter(found)

    def display(self, path: Path) -> str:
        """How reports name a path: relative to the working directory where it lies below it, with forward slashes."""
        try:
            return path.relative_to(self.cwd).as_posix()
        except ValueError:
            return Path(os.path.relpath(path, self.cwd)).as_posix()

    def fail(self, path: Path, message: str) -> None:
        """Note an input that could not be read."""
        error = InputError(self.display(path), None, message)
        if error not in self.errors:
            self.errors.append(error)

    def dockerfile(self, path: Path) -> Dockerfile | None:
        """A parsed Dockerfile; None, with an entry in `errors`, where it cannot be read."""
        if path not in self._dockerfiles:
            try:
                source = self._utf8(path)
                self._dockerfiles[path] = dockerfiles.parse(source)
            except Unreadable as error:
                self.fail(path, str(error))
                self._dockerfiles[path] = None
        return self._dockerfiles[path]

    def requirements(self, path: Path) -> RequirementsFile | None:
        """A parsed requirements file; None, with an entry in `errors`, where it cannot be read."""
        if path not in self._requirements:
            try:
                self._requirements[path] = requirements.parse(self._as_pip(path))
            except Unreadable as error:
                self.fail(path, str(error))
                self._requirements[path] = None
        return self._requirements[path]

    def text(self, path: Path) -> Source | None:
        """A file that only adds knowledge (an entry script, a source file); None where it is not there or no text."""
        if path not in self._texts:
            try:
                self._texts[path] = self._utf8(path)
            except Unreadable:
                self._texts[path] = None
        return self._texts[path]

    def parsed(self, source: Source, parser: Callable[[Source], Parsed]) -> Parsed:
        """What a parser makes of a text of this run."""
        key = (source, parser)
        if key not in self._parsed:
            self._parsed[key] = parser(source)
        found: Parsed = self._parsed[key]
        return found

    def _utf8(self, path: Path) -> Source:
        data = self._bytes(path)
        has_bom = data.startswith(b"\xef\xbb\xbf")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise Unreadable(f"not UTF-8 text: {error.reason} at byte {error.start}") from None
        return Source(self.display(path), text, has_bom)

    def _as_pip(self, path: Path) -> Source:
        data = self._bytes(path, allow_nul=True)
        try:
            decoded = decode(data)
        except UnicodeDecodeError as error:
            raise Unreadable(
                f"pip cannot decode it as {error.encoding}: {error.reason} at byte {error.start}"
            ) from None
        if "\0" in decoded.text and without_nuls(decoded.text) is None:
            raise Unreadable("binary data, not text")
        return Source(self.display(path), decoded.text, bool(decoded.bom))

    def _bytes(self, path: Path, allow_nul: bool = False) -> bytes:
        data = self._given.get(path)
        if data is None:
            try:
                with path.open("rb") as file:
                    data = file.read(MAX_BYTES + 1)
            except OSError as error:
                raise Unreadable((error.strerror or str(error)).lower()) from None
        if len(data) > MAX_BYTES:
            raise Unreadable(f"larger than {MAX_BYTES // 1_000_000} MB")
        if b"\0" in data and not allow_nul:
            raise Unreadable("binary data, not text")
        return data
