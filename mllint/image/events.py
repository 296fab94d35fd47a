"""What happens to the inside of an image, in order: the log from which `view` tells what is where at any point.

Every event names the step that makes it and the place in the Dockerfile, and whether it surely happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from mllint.image.context import Entry
    from mllint.image.copies import Copy, CopySource
    from mllint.image.stage import Step
    from mllint.image.values import Unknown, Value
    from mllint.image.view import View
    from mllint.sources.lockfiles import Locked
    from mllint.sources.text import Source, Span

Kind = Literal["file", "folder", "link", "unknown"]
Scope = Literal["files", "programs", "interpreters", "distributions", "users"]
"""What may be there that the log does not tell of; interpreters are those of Python, no other program is one."""
EVERYTHING: frozenset[Scope] = frozenset({"files", "programs", "interpreters", "distributions", "users"})


class Cause(NamedTuple):
    """Where an event comes from; `step` is None for what the base brings."""

    step: Step | None
    span: Span
    is_sure: bool = True


class Put(NamedTuple):
    """A file, folder or link is made at a path."""

    cause: Cause
    path: str
    kind: Kind
    owner: Value
    mode: int | None = None
    target: Value | None = None
    """Of a link."""
    origin: str | None = None
    """The file of the build context it is."""


class FromContext(NamedTuple):
    """A COPY or ADD brings one of its sources from the build context; looked up only when somebody asks."""

    cause: Cause
    copy: Copy
    source: CopySource
    owner: Value
    is_into_folder: bool | None
    """Whether a file goes below the destination; None where it may also go to that very path."""

    def places(self, match: Entry) -> tuple[str, ...]:
        """Where what matches the source may come to lie."""
        places = self.copy.places(self.source, match.path, match.is_folder)
        if self.is_into_folder is None or len(places) == 1:
            return places
        return places[1:] if self.is_into_folder else places[:1]


class FromElsewhere(NamedTuple):
    """What lies at `path` of another stage or image comes to lie at `target`: a file there, or what a folder holds."""

    cause: Cause
    view: View | None
    """Of the stage at its end; None for what nobody can look into."""
    path: str
    target: str
    is_into_folder: bool
    """Whether a file goes below `target` rather than to that path."""
    owner: Value
    keeps_owner: bool = False


class Gone(NamedTuple):
    """A path, or what matches a pattern, is removed with everything below."""

    cause: Cause
    path: str


class Owned(NamedTuple):
    """`chown`."""

    cause: Cause
    path: str
    owner: Value
    is_recursive: bool


class Moded(NamedTuple):
    """`chmod`; the mode as written."""

    cause: Cause
    path: str
    mode: str
    is_recursive: bool


class Unsure(NamedTuple):
    """Something is done that nobody can follow: from here on, what is not known to be there may be there."""

    cause: Cause
    reason: str
    about: frozenset[Scope]
    below: str = "/"
    """The folder in which it happens, where files are concerned."""
    repository: str | None = None
    """The address of the repository that comes to lie in that folder."""


class User(NamedTuple):
    """An account of /etc/passwd."""

    cause: Cause
    name: str
    uid: Value
    gid: Value
    home: Value
    has_home: bool | Unknown
    """Whether the home folder exists."""
    is_system: bool = False


class Interpreter(NamedTuple):
    """A Python in the image: `/usr/local/bin/python3`, a virtual environment, a conda environment."""

    cause: Cause
    prefix: str
    version: Value
    """`3.11` or `3.11.9`."""
    kind: Literal["image", "system", "venv", "conda", "uv", "pyenv"]
    names: frozenset[str]
    """The programs it is started by: python, python3, python3.11."""
    is_managed: bool | Unknown
    """Whether pip refuses to install into it (PEP 668)."""
    has_pip: bool | Unknown
    site: str
    """Where packages are installed to."""
    made_from: str | None = None
    """The prefix of the interpreter that a virtual environment needs."""
    sees_system: bool = False
    """Whether a virtual environment sees the packages of that interpreter."""

    @property
    def bin(self) -> str:
        """The folder of its programs."""
        return f"{self.prefix.rstrip('/')}/bin"

    @property
    def minor(self) -> Value:
        """The version without the patch release."""
        return ".".join(self.version.split(".")[:2]) if isinstance(self.version, str) else self.version


class Programs(NamedTuple):
    """A package of the operating system brings programs into the standard folders."""

    cause: Cause
    package: str
    names: frozenset[str] | None
    """None where the tables do not know the package."""
    is_removed: bool = False
    perhaps: frozenset[str] = frozenset()
    """Programs that it brings in some releases of the operating system, or with the packages it recommends."""
    is_verified: bool = True
    """Whether that is all it brings was held against the package; from memory it feeds no error."""


class Distribution(NamedTuple):
    """A Python distribution is installed into a folder of packages."""

    cause: Cause
    name: str
    """Normalised (PEP 503)."""
    version: Value
    extras: frozenset[str]
    site: str
    scripts: str
    """The folder its console scripts go to."""
    manager: str
    place: tuple[Source, Span] | None = None
    """The line of the file that asks for it; None where the Dockerfile itself does."""
    is_removed: bool = False
    locked: Locked | None = None
    """The package of a lock file that it is, with its files."""
    brings_more: bool = True
    """Whether it may bring others along: what a lock file, hashes or `--no-deps` settle brings nothing."""


class Installed(NamedTuple):
    """A resolver ran to the end: `is_complete` tells whether all that it was asked for is in the log."""

    cause: Cause
    site: str
    is_complete: bool
    reason: str
    """Why it is not complete."""
    is_all_asked_known: bool = False
    """Whether, where it is not complete, only what it brings along is missing."""
    interpreter: Interpreter | None = None
    """The one that it installs for; None where that is not known."""


Event = (
    Put
    | FromContext
    | FromElsewhere
    | Gone
    | Owned
    | Moded
    | Unsure
    | User
    | Interpreter
    | Programs
    | Distribution
    | Installed
)
