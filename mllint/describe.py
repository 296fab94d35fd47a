"""What an image holds, read from its files without running any of them, as an entry of `bases` in the configuration."""

from __future__ import annotations

import posixpath
import re
import stat
import tarfile
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from mllint.config import Base
from mllint.image.paths import DEFAULT_PATH
from mllint.image.releases import described, libc_of, version_of
from mllint.image.values import Unknown
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_LIBRARY_FOLDER = regex(
    r"/(?:usr/)?(?:local/)?lib(?:32|64|x32)?(?:/[a-z0-9_]+-linux-[a-z0-9]+)?"
    r"|/usr/local/cuda[^/]*/(?:lib64|targets/[^/]+/lib)|/opt/conda/lib|/usr/local/nvidia/lib(?:64)?"
)
_LIBRARY = regex(r"[^/]+\.so(?:\.[0-9.]+)?")
_METADATA = regex(r"/[^/]+\.dist-info/METADATA|/[^/]+\.egg-info/PKG-INFO|/[^/]+\.egg-info")
_PACKAGES_FOLDER = regex(r"(.*/lib(?:64)?/python3?(?:\.\d+)?/(?:site|dist)-packages)/.+")
_PATCHLEVEL = regex(r'#define\s+PY_VERSION\s+"([^"]+)"')
_PATCHLEVEL_PATH = regex(r"(.*)/include/python(3\.\d+)m?/patchlevel\.h")
_VERSIONED = regex(r"python(\d\.\d+)")
_MARKER = "EXTERNALLY-MANAGED"
_READ = ("/etc/os-release", "/usr/lib/os-release", "/etc/passwd")
_MOST_READ = 1 << 16
_AT_ONCE = 1 << 18
"""Bytes of an archive that are asked for at once."""
_EXECUTABLE = 0o111
_MOST_LINKS = 40
# Of a line of /etc/passwd.
_HOME_FIELD = 5
_HEADER_LINE = regex(r"^(Name|Version):\s*(.*?)\s*$", re.MULTILINE)


class Program(NamedTuple):
    """An executable file on the search path."""

    folder: str
    path: str
    """The file, links followed."""


class Files:
    """The files of an image as far as they matter: kinds, modes and links of all, the texts of a few."""

    def __init__(self, search_path: Iterable[str]) -> None:
        self.programs_in = tuple(search_path)
        self.links: dict[str, str] = {}
        self.modes: dict[str, int] = {}
        self.folders: dict[str, int] = {}
        self.texts: dict[str, str] = {}
        self.names: dict[str, list[str]] = {}

    def read(self, stream: IO[bytes]) -> None:
        """Take in an archive of a whole file system, as `docker export` gives it, in one pass. Raises
        tarfile.TarError."""
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_AT_ONCE) as archive:
            for member in archive:
                self._add(archive, member)

    def _add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = _absolute(member.name)
        if member.isdir():
            self.folders[path] = stat.S_IMODE(member.mode)
            return
        self.names.setdefault(posixpath.dirname(path), []).append(posixpath.basename(path))
        if member.issym():
            self.links[path] = member.linkname
        elif member.islnk():
            # The archive is a stream: what a hard link leads to has gone by.
            first = _absolute(member.linkname)
            self.modes[path] = self.modes.get(first, member.mode)
            if first in self.texts:
                self.texts[path] = self.texts[first]
        elif member.isfile():
            self.modes[path] = member.mode
            content = archive.extractfile(member) if _is_read(path) else None
            if content is not None:
                self.texts[path] = content.read(_MOST_READ).decode("utf-8", "replace")

    def resolve(self, path: str) -> str | None:
        """The path that a path leads to once its links are followed; None for a circle of links."""
        done, rest = "/", posixpath.normpath(path).strip("/").split("/")
        followed = 0
        while rest:
            step = rest.pop(0)
            here = posixpath.normpath(posixpath.join(done, step))
            target = self.links.get(here)
            if target is None:
                done = here
                continue
            followed += 1
            if followed > _MOST_LINKS:
                return None
            if target.startswith("/"):
                done = "/"
            rest = [part for part in target.split("/") if part not in ("", ".")] + rest
        return done

    def text(self, path: str) -> str:
        """The text of one of the files that are read, empty where there is none."""
        return self.texts.get(self.resolve(path) or "", "")

    def mode(self, path: str) -> int | None:
        """The mode of a folder."""
        return self.folders.get(self.resolve(path) or "")

    def programs(self) -> dict[str, Program]:
        """What the search path finds, by name."""
        found: dict[str, Program] = {}
        for folder in self.programs_in:
            real = self.resolve(folder) or ""
            for name in self.names.get(real, ()):
                path = self.resolve(posixpath.join(real, name))
                if path is not None and self.modes.get(path, 0) & _EXECUTABLE:
                    found.setdefault(name, Program(folder, path))
        return found

    def libraries(self) -> list[str]:
        """The names of the shared libraries in the folders where a loader looks for them."""
        paths = (path for path in (*self.modes, *self.links) if _LIBRARY.fullmatch(posixpath.basename(path)))
        known = {path for path in paths if _LIBRARY_FOLDER.fullmatch(posixpath.dirname(path))}
        return sorted({posixpath.basename(path) for path in known if self.resolve(path) in self.modes})


def _absolute(name: str) -> str:
    return posixpath.normpath(f"/{name}").replace("//", "/")


def _is_read(path: str) -> bool:
    if path in _READ or _PATCHLEVEL_PATH.fullmatch(path):
        return True
    folder = _PACKAGES_FOLDER.fullmatch(path)
    return folder is not None and _METADATA.fullmatch(path[len(folder[1]) :]) is not None


class Found(NamedTuple):
    """The Python of an image."""

    version: str
    prefix: str


def base_of(config: Mapping[str, Any], files: Files, architecture: str) -> Base:
    """The description of an image by its configuration, as `docker inspect` shows it below Config, and its files."""
    env = environment(config)
    release = _os_release(files)
    distro = release.get("ID")
    programs = files.programs()
    python = _python(files, programs, env)
    passwd = [line.split(":") for line in files.text("/etc/passwd").splitlines() if line.count(":") >= _HOME_FIELD]
    user = config.get("User") or "root"
    entry = next((line for line in passwd if user.partition(":")[0] in line[:3:2]), None)
    distributions = _distributions(files, python)
    mode = files.mode("/root")
    return Base(
        distro=distro,
        suite=_suite(release),
        libc=None if distro and not isinstance(libc_of(distro), Unknown) else _libc(files),
        architectures=(architecture,) if architecture else None,
        user=user,
        uid=entry[2] if entry else None,
        home=entry[_HOME_FIELD] if entry else None,
        root_home_mode=None if mode is None else f"{mode:04o}",
        workdir=config.get("WorkingDir") or "/",
        python=python.version if python else None if any(map(_is_python, programs)) else "none",
        python_prefix=python.prefix if python else None,
        externally_managed=_is_managed(files, python) if python else None,
        env=_masked(env),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        healthcheck=tuple((config.get("Healthcheck") or {}).get("Test") or ()),
        ports=tuple(sorted(config.get("ExposedPorts") or ())),
        onbuild=tuple(config.get("OnBuild") or ()),
        programs=tuple(sorted(programs)),
        libraries=tuple(files.libraries()),
        distributions=distributions,
        complete=True,
    )


def environment(config: Mapping[str, Any]) -> dict[str, str]:
    """The variables of an image; PATH is there, as Docker sets the default one where the image sets none."""
    pairs = (each.partition("=") for each in config.get("Env") or ())
    return {"PATH": DEFAULT_PATH, **{name: value for name, _, value in pairs}}


def search_path(config: Mapping[str, Any]) -> list[str]:
    """The folders that programs are looked for in."""
    return [folder for folder in environment(config)["PATH"].split(":") if folder.startswith("/")]


def _masked(env: Mapping[str, str]) -> dict[str, str]:
    from mllint.masking import credential, mask

    return {name: "***" if credential(name, value) else mask(value, False) for name, value in env.items()}


def _os_release(files: Files) -> dict[str, str]:
    text = files.text("/etc/os-release") or files.text("/usr/lib/os-release")
    pairs = (line.partition("=") for line in text.splitlines())
    return {name.strip(): value.strip().strip("\"'") for name, equals, value in pairs if equals}


def _suite(release: Mapping[str, str]) -> str | None:
    number = release.get("VERSION_CODENAME") or release.get("VERSION_ID")
    if not number:
        return None
    suite = described(release.get("ID", ""), number).suite
    return suite if isinstance(suite, str) else number


def _libc(files: Files) -> str | None:
    names = [posixpath.basename(path) for path in (*files.modes, *files.links)]
    if any(name.startswith("ld-musl-") for name in names):
        return "musl"
    return "glibc" if any(name.startswith(("ld-linux", "ld64.so")) for name in names) else None


def _is_python(name: str) -> bool:
    return name in ("python", "python3")


def _python(files: Files, programs: Mapping[str, Program], env: Mapping[str, str]) -> Found | None:
    """What `python3`, else `python`, starts. Its version stands in its header, in the image's PYTHON_VERSION, or in the
    name of its file."""
    program = programs.get("python3") or programs.get("python")
    if program is None:
        return None
    home = posixpath.dirname(posixpath.dirname(program.path))
    named = _VERSIONED.match(posixpath.basename(program.path))
    minor = named[1] if named else max(_minors(files, home), key=version_of, default=None)
    if minor is None:
        return None
    exact = _PATCHLEVEL.search(files.text(f"{home}/include/python{minor}/patchlevel.h"))
    given = env.get("PYTHON_VERSION", "")
    version = exact[1] if exact else given if given.startswith(f"{minor}.") and home == "/usr/local" else minor
    environment = posixpath.dirname(program.folder)
    is_virtual = files.resolve(f"{environment}/pyvenv.cfg") in files.modes
    return Found(version, environment if is_virtual else home)


def _minors(files: Files, prefix: str) -> set[str]:
    pattern = re.compile(rf"{re.escape(prefix)}/lib(?:64)?/python(\d\.\d+)")
    return {match[1] for path in files.folders if (match := pattern.fullmatch(path))}


def _is_managed(files: Files, python: Found) -> bool:
    minor = ".".join(python.version.split(".")[:2])
    folders = [f"{python.prefix}/{lib}/python{minor}" for lib in ("lib", "lib64")]
    return any(files.resolve(f"{folder}/{_MARKER}") in files.modes for folder in folders)


def _distributions(files: Files, python: Found | None) -> dict[str, str]:
    """The distributions that its Python sees."""
    found: dict[str, str] = {}
    for path, text in files.texts.items():
        folder = _PACKAGES_FOLDER.fullmatch(path)
        if folder and python and _is_seen(folder[1], python):
            header = dict(_HEADER_LINE.findall(text.partition("\n\n")[0]))
            if header.get("Name"):
                found.setdefault(re.sub(r"[-_.]+", "-", header["Name"]).lower(), header.get("Version", ""))
    return dict(sorted(found.items()))


def _is_seen(folder: str, python: Found) -> bool:
    minor = ".".join(python.version.split(".")[:2])
    below = {f"{python.prefix}/{lib}/python{minor}/site-packages" for lib in ("lib", "lib64")}
    if python.prefix == "/usr":
        # Debian's own Python, which keeps what pip installs apart.
        below = {"/usr/lib/python3/dist-packages", f"/usr/local/lib/python{minor}/dist-packages"} | below
    return folder in below


_ORDER = (
    *("like", "distro", "suite", "libc", "architectures", "user", "uid", "home", "root_home_mode", "workdir"),
    *("python", "python_prefix", "externally_managed", "env", "entrypoint", "command", "healthcheck", "ports"),
    *("onbuild", "complete", "programs", "libraries", "distributions"),
)


def entry(base: Base) -> dict[str, Any]:
    """A description as the configuration writes it, without what it leaves open."""
    values = ((name.replace("_", "-"), getattr(base, name)) for name in _ORDER)
    plain = ((name, list(value) if isinstance(value, tuple) else value) for name, value in values)
    return {name: dict(value) if hasattr(value, "items") else value for name, value in plain if value is not None}


def document(pattern: str, base: Base) -> dict[str, Any]:
    """A configuration that holds the description of the images of a pattern and nothing else."""
    return {"bases": {pattern: entry(base)}}
