"""What a stage starts from: an image, an earlier stage, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mllint import facts
from mllint.image import interpreter, releases
from mllint.image.expansion import Variables, expand
from mllint.image.interpreter import Interpreter, Python
from mllint.image.names import common_name, first_row, known_image
from mllint.image.paths import DEFAULT_PATH
from mllint.image.releases import Release
from mllint.image.values import Unknown, Value
from mllint.sources import reference as references
from mllint.sources.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mllint.config import Base as Described
    from mllint.config import Settings
    from mllint.image.stage import Stage
    from mllint.sources.dockerfile import Instruction

_FULL_VERSION = 3
Presence = Literal["present", "absent"] | Unknown


class Entry(NamedTuple):
    """A user of an image, a line of its /etc/passwd."""

    name: str
    uid: str
    gid: str
    home: str


@dataclass(frozen=True, eq=False)
class Base:
    """The base of a stage, `text` being the image's name with its variables replaced where they are known. What is not
    known is Unknown; of a stage it says what that stage's own base brings, but for `user`."""

    kind: Literal["image", "stage", "scratch", "unknown"]
    text: str
    stage: int | None
    reference: Reference | None
    user: Value
    family: str | None
    """The operating system: debian, ubuntu, alpine, rhel … where the tables know the image."""
    why_unknown: str = ""
    row: Mapping[str, Any] = field(default_factory=dict)
    """What the table `base_images` says of it."""
    known_as: Reference | None = None
    """The image that the tables know it by: itself, or what the configuration names as alike."""
    described: Described | None = None
    """What the configuration says of it."""

    @cached_property
    def release(self) -> Release:
        """Its distribution and the release of it."""
        described = self.described
        if described and described.distro:
            return releases.described(described.distro, described.suite)
        if self.known_as is None or not self.row:
            unknown = Unknown(self.why_unknown or f"the distribution of {self.text} is not known")
            return Release(unknown, unknown)
        found = releases.release(self.known_as, common_name(self.known_as), self.row)
        return Release(found.distro, described.suite) if described and described.suite else found

    @property
    def distro(self) -> Value:
        """The ID of its os-release: debian, ubuntu, alpine, rocky …"""
        return self.release.distro

    @property
    def suite(self) -> Value:
        """The release of its distribution, by name where it has one: bookworm, jammy, 3.19, 9."""
        return self.release.suite

    @property
    def libc(self) -> Value:
        """`glibc` or `musl`."""
        return (self.described and self.described.libc) or releases.libc_of(self.distro)

    @cached_property
    def env(self) -> tuple[tuple[str, Value], ...]:
        """Variables that it is known to set; `other_env` tells which others it may set."""
        found: dict[str, Value] = {}
        if self.kind == "scratch" or "plain" in self.row:
            # BuildKit gives a PATH to what is made from nothing.
            found["PATH"] = DEFAULT_PATH
        for name, value in self.row.get("env", {}).items():
            found[name] = self._tag_version(name) if value == "<tag>" else value
            if value == "?":
                found[name] = Unknown(f"the value of {name} in {self.text} is not known")
        if self.described and self.described.env is not None:
            found = {**({} if self._lists_all else found), **self.described.env}
        return tuple(found.items())

    @property
    def other_env(self) -> tuple[str, ...]:
        """Patterns of the names of variables that it may set besides `env`."""
        if self.kind == "scratch" or (self._lists_all and self.described and self.described.env is not None):
            return ()
        return tuple(self.row.get("some_env", "").split()) if "plain" in self.row else ("*",)

    def _tag_version(self, name: str) -> Value:
        """A variable that holds the version in the tag."""
        tag = (self.known_as and self.known_as.tag) or "latest"
        version = tag.partition("-")[0]
        if len(releases.version_of(version)) < _FULL_VERSION:
            return Unknown(f"the tag {tag} does not tell the value of {name}")
        return version

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """Its ENTRYPOINT; empty for none, and where `is_process_known` is False."""
        return self._words("entrypoint")

    @property
    def command(self) -> tuple[str, ...]:
        """Its CMD, in the same way."""
        return self._words("command")

    @property
    def is_process_known(self) -> bool:
        """Whether `entrypoint` and `command` are what it sets."""
        if self.described and None not in (self.described.entrypoint, self.described.command):
            return True
        if "?" in (self.row.get("entrypoint"), self.row.get("command")):
            return False
        return self.kind == "scratch" or any(column in self.row for column in ("plain", "entrypoint", "command"))

    @property
    def server_entrypoint(self) -> tuple[str, ...]:
        """What of a server its ENTRYPOINT starts, in short; empty where it starts none."""
        given = self._described_words("entrypoint")
        return tuple(self.row.get("server_entrypoint", "").split()) if given is None else given

    @property
    def server_command(self) -> tuple[str, ...]:
        """What of a server its CMD starts, in the same way."""
        given = self._described_words("command")
        return tuple(self.row.get("server_command", "").split()) if given is None else given

    def _words(self, column: Literal["entrypoint", "command"]) -> tuple[str, ...]:
        given = self._described_words(column)
        if given is not None:
            return given
        return () if self.row.get(column) == "?" else tuple(self.row.get(column, "").split())

    def _described_words(self, column: Literal["entrypoint", "command"]) -> tuple[str, ...] | None:
        if self.described is None:
            return None
        return self.described.entrypoint if column == "entrypoint" else self.described.command

    @property
    def shell(self) -> tuple[str, ...] | None:
        """Its SHELL, where that is not the default."""
        return tuple(self.row["shell"].split()) if "shell" in self.row else None

    @property
    def healthcheck(self) -> tuple[str, ...]:
        """The test of its health check, as far as one is described."""
        return (self.described and self.described.healthcheck) or ()

    @property
    def ports(self) -> tuple[str, ...]:
        """What it exposes, as far as that is described."""
        return (self.described and self.described.ports) or ()

    @property
    def onbuild(self) -> tuple[str, ...]:
        """The instructions that a build from it carries out first, as far as they are known."""
        given = self.described.onbuild if self.described else None
        return tuple(self.row.get("onbuild", ())) if given is None else given

    @property
    def workdir(self) -> Value:
        """Its working directory."""
        given = self.described.workdir if self.described else None
        plain = "/" if self.kind == "scratch" or "plain" in self.row else None
        return (
            given or self.row.get("workdir") or plain or Unknown(f"the working directory of {self.text} is not known")
        )

    @cached_property
    def _entries(self) -> tuple[Entry, ...]:
        lines = ["root:0:0:/root"] if self.kind != "scratch" else []
        lines += self.row.get("accounts", "").split()
        for row in facts.rows("accounts") if self.family else ():
            since = row.get("since")
            if row["family"] == self.family and (since is None or releases.is_at_least(self.release, since)):
                lines.append(row["account"])
        return tuple(Entry(*line.split(":")) for line in lines)

    def entry(self, user: str) -> Entry | None:
        """The line of its /etc/passwd for a name or number; None where no such line is known."""
        return next((entry for entry in self._entries if user in (entry.name, entry.uid)), None)

    @property
    def uid(self) -> Value:
        """The number of its user."""
        return self._of_user("uid")

    @property
    def home(self) -> Value:
        """The home folder of its user, as /etc/passwd has it."""
        return self._of_user("home")

    def _of_user(self, what: Literal["uid", "home"]) -> Value:
        given = getattr(self.described, what) if self.described else None
        if given is not None:
            return str(given)
        if isinstance(self.user, Unknown):
            return self.user
        name = self.user.partition(":")[0] or "root"
        entry = self.entry(name)
        if entry is not None:
            return entry.uid if what == "uid" else entry.home
        if what == "uid" and name.isdecimal():
            return name
        return Unknown(f"the {what} of {name} in {self.text} is not known")

    @property
    def root_home_mode(self) -> Value:
        """The mode of /root, in octal digits."""
        given = self.described.root_home_mode if self.described else None
        if given is None and not self.is_plain:
            return Unknown(f"the mode of /root in {self.text} is not known")
        return given or releases.root_home_mode(self.release)

    @property
    def is_plain(self) -> bool:
        """Whether it is an operating system or a language in it, without folders such as /app, /code, /workspace."""
        return "plain" in self.row

    @cached_property
    def python(self) -> Python:
        """What `python3`, or else `python`, starts; None where it surely has no Python on PATH."""
        known = self._known_python()
        given = self.described
        if given is None or given.python is None:
            return known
        if given.python == "none":
            return None
        same = known if isinstance(known, Interpreter) else None
        unknown = Unknown(f"where {self.text} has its Python is not described")
        prefix = given.python_prefix or (same.prefix if same else unknown)
        managed: bool | Unknown = unknown
        if given.externally_managed is not None:
            managed = given.externally_managed
        elif same is not None:
            managed = same.is_externally_managed
        names = tuple(each for each in interpreter.names_of(given.python) if self._listed("programs", each) != "absent")
        pip = self._listed("programs", "pip")
        has_pip = pip == "present" if isinstance(pip, str) else same.has_pip if same else pip
        return Interpreter(given.python, prefix, names, has_pip, managed, True)

    def _known_python(self) -> Python:
        if self.kind == "scratch":
            return None
        if self.known_as is None or not self.row:
            return Unknown(self.why_unknown or f"which Python {self.text} has is not known")
        tag = self.known_as.tag or "latest"
        return interpreter.of_row(self.row, common_name(self.known_as), tag, self.release)

    def program(self, name: str) -> Presence:
        """Whether it has a program of this name on PATH."""
        listed = self._listed("programs", name)
        if self.kind == "scratch" or not isinstance(listed, Unknown):
            return "absent" if self.kind == "scratch" else listed
        python = self.python
        if interpreter.is_python_program(name) and not isinstance(python, Unknown):
            if python is None:
                return "absent"
            if name in python.names or (name in ("pip", "pip3") and python.has_pip is True):
                return "present"
        return self._tabled(name)

    def _tabled(self, name: str) -> Presence:
        if name in self._programs["present"]:
            return "present"
        # An operating system brings no server written in Python.
        if name in self._programs["absent"] or (self.is_plain and name in interpreter.servers()):
            return "absent"
        return Unknown(f"whether {self.text} has {name} is not known")

    @cached_property
    def _programs(self) -> Mapping[str, frozenset[str]]:
        listed = {column: self._program_row.get(column, ()) for column in ("present", "absent")}
        return {column: frozenset(" ".join(lines).split()) for column, lines in listed.items()}

    @cached_property
    def _program_row(self) -> Mapping[str, Any]:
        return (self.known_as and first_row("base_programs", self.known_as)) or {}

    def is_verified(self, name: str) -> bool:
        """Whether what `program` says of a name was held against its source; from memory it feeds no error."""
        if isinstance(self._listed("programs", name), str) or (self.described and self.described.python == "none"):
            return True
        is_listed = any(name in names for names in (*self._programs.values(), interpreter.servers()))
        row = self._program_row if is_listed else self.row
        return self.kind == "scratch" or row.get("status") == "verified"

    def library(self, name: str) -> Presence:
        """Whether it has a shared library (`libGL.so.1`), as far as it is described."""
        return "absent" if self.kind == "scratch" else self._listed("libraries", name)

    @property
    def distributions(self) -> Mapping[str, str] | None:
        """The installed Python distributions it is described with, None where it is not."""
        return self.described.distributions if self.described else None

    @property
    def architectures(self) -> tuple[str, ...] | None:
        """The processor architectures it is described with, None where it is not."""
        return self.described.architectures if self.described else None

    @property
    def _lists_all(self) -> bool:
        return self.described is not None and self.described.complete

    def _listed(self, what: Literal["programs", "libraries"], name: str) -> Presence:
        """What a list of the description says."""
        given = getattr(self.described, what) if self.described else None
        if given is not None and name in given:
            return "present"
        if given is not None and self._lists_all:
            return "absent"
        return Unknown(f"whether {self.text} has {name} is not described")


def resolve(
    instruction: Instruction, variables: Variables, stages: Sequence[Stage], escape: str, settings: Settings
) -> Base:
    """The base of a FROM, by the global arguments and the stages above it."""
    if not instruction.words:
        return _unknown("", "FROM names no image")
    written = instruction.words[0].text
    name = expand(written, variables, escape)
    if isinstance(name, Unknown):
        return _unknown(written, name.reason)
    if name == "scratch":
        return Base("scratch", name, None, None, "root", None)
    for stage in reversed(stages):
        if stage.name == name.lower():
            user = stage.end.user
            return replace(
                stage.base, kind="stage", text=name, stage=stage.index, reference=None, user=user, why_unknown=""
            )
    return of_image(name, settings)


def of_image(name: str, settings: Settings) -> Base:
    """The base that an image of this name is."""
    reference = references.parse(name)
    if not isinstance(reference, Reference):
        return _unknown(name, f"{name} is no image reference")
    return _image(name, reference, settings)


def _unknown(text: str, reason: str) -> Base:
    return Base("unknown", text, None, None, Unknown(reason), None, reason)


def _image(name: str, reference: Reference, settings: Settings) -> Base:
    described = next((base for glob, base in settings.bases.items() if fnmatchcase(name, glob)), None)
    if described is not None:
        return _described(name, reference, described, settings)
    row = known_image(reference)
    if row is None:
        reason = f"the user of {name} is not known: describe the image under `bases` in the configuration"
        return Base("image", name, None, reference, Unknown(reason), None, reason)
    return Base("image", name, None, reference, row["user"], row["family"] or None, "", row, reference)


def _described(name: str, reference: Reference, described: Described, settings: Settings) -> Base:
    """What the configuration says, and what it leaves open as in the image it names as alike, else as in the tables."""
    like = references.parse(described.like) if described.like is not None else reference
    rest = settings._replace(bases={})
    known = _image(described.like or name, like, rest) if isinstance(like, Reference) else _unknown(name, "")
    user = described.user or known.user
    if isinstance(user, Unknown):
        user = Unknown(f"the user of {name} is not described")
    family = releases.family_of(described.distro) if described.distro else known.family
    return replace(
        known,
        kind="image",
        text=name,
        reference=reference,
        user=user,
        family=family,
        why_unknown="",
        described=described,
    )
