"""Where in the text of one requirement its name, extras, specifier, marker and URL stand, as pip divides it.

The way is that of `parse_req_from_line` in `pip/_internal/req/constructors.py`: first the marker is cut off, then URLs
and local paths are told from names, and only what is left is a requirement of PEP 508. Where pip asks the file system
whether a path is there, a text that can hardly be anything but a path is taken for one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mllint.patterns import regex
from mllint.sources.pip_options import Complaint

Range = tuple[int, int]
_NOWHERE = (-1, -1)


class Parts(NamedTuple):
    """Half-open ranges of the text, (-1, -1) for what is not there."""

    name: Range = _NOWHERE
    extras: Range = _NOWHERE
    specifier: Range = _NOWHERE
    marker: Range = _NOWHERE
    url: Range = _NOWHERE
    """A URL, or a local path without its extras."""


_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_EXTRAS = rf"\[[ \t]*(?P<extras>{_NAME}(?:[ \t]*,[ \t]*{_NAME})*)[ \t]*\]"
_RELEASE = r"[0-9]+(?:\.[0-9]+)*"
_SUFFIX = r"(?:(?:a|b|rc)[0-9]+)?(?:\.post[0-9]+)?(?:\.dev[0-9]+)?"
_EQUAL = rf"[=!]=[ \t]*{_RELEASE}(?:\.\*|{_SUFFIX}(?:\+[a-z0-9]+(?:\.[a-z0-9]+)*)?)"
_ORDER = rf"(?:[<>]=?[ \t]*{_RELEASE}|~=[ \t]*[0-9]+(?:\.[0-9]+)+){_SUFFIX}"
_SPECIFIER = rf"(?:{_EQUAL}|{_ORDER})(?:[ \t]*,[ \t]*(?:{_EQUAL}|{_ORDER}))*"
_DIRECT_URL = r"(?![#-])(?:(?![;$\[\]])[!-~])+"
_TEST = (
    r"(?:python_(?:full_)?version|os_name|sys_platform|platform_(?:release|system|version|machine|python_implementation)"
    r"|implementation_(?:name|version)|extra)"
    r"(?:[ \t]*(?:[=!<>~]=|[<>])[ \t]*|[ \t]+(?:not[ \t]+)?in[ \t]+)"
    r"""(?:'[A-Za-z0-9_.+*!-]*'|"[A-Za-z0-9_.+*!-]*")"""
)
_MARKER = rf"{_TEST}(?:[ \t]+(?:and|or)[ \t]+{_TEST})*"

COMMON = regex(
    rf"[ \t]*(?!\S*\.(?i:whl|zip|tar|t[bglx]z))(?P<text>(?P<name>{_NAME})(?:[ \t]*{_EXTRAS})?"
    rf"(?:[ \t]*(?P<specifier>{_SPECIFIER})|[ \t]*@[ \t]*(?P<url>{_DIRECT_URL}))?"
    rf"(?:[ \t]*;[ \t]*(?P<marker>{_MARKER}))?)(?:[ \t]+(?P<comment>#.*))?\s*",
    re.ASCII,
)
"""The lines nearly all files consist of: a part of what pip accepts, in which nothing needs packaging's judgement."""

_URL = regex(
    r"(?:https?|file|ftp|bzr\+(?:file|ftp|https?|lp|sftp|ssh)|git\+(?:file|git|https?|ssh)"
    r"|hg\+(?:file|https?|ssh|static-http)|svn\+(?:file|https?|ssh|svn)):",
    re.IGNORECASE,
)
"""What begins like this is a URL for pip; any other text with a colon is not."""

_EGG = regex(r"[#&]egg=([^&]*)")
_WHEEL = regex(
    r"(?:.*[/:])?(?P<name>[\w.]+)-(?P<version>[^\s/-]+)(?:-[0-9][^\s/-]*)?-[^\s/-]+-[^\s/-]+-[^\s/-]+\.whl/*"
)

_PATH_WITH_EXTRAS = regex(r"(?P<url>.*\S)\s*\[(?P<extras>[^][]+)\]")

_ARCHIVE = regex(r".*\.(?:zip|whl|t[bgxl]z|tar(?:\.(?:bz2|gz|xz|lz|lzma))?)/*", re.IGNORECASE | re.DOTALL)
_VERSION_CONTROL = regex(r"(?:git|hg|svn|bzr)\+|(?:git|svn):", re.IGNORECASE)
_NO_PROJECT = regex(r"[^/]*://|[\w.-]+@[\w.-]+:")
_NO_PATH = regex(rf"{_NAME}[ \t]*(?:\[[^]]*\])?[ \t]*[=<>!~]|[^/]*://")
_PEP508 = regex(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*\b)[ \t]*(?:\[[ \t]*(?P<extras>[^]]*)\])?"
    r"[ \t]*(?:@[ \t]*(?P<url>[^ \t]+)|\(?[ \t]*(?P<specifier>[^ \t)]*(?:[ \t]+[^ \t)]+)*)[ \t]*\)?)"
)


def parts_of(text: str) -> Parts:
    """Divide a requirement that begins the text. Raises Complaint where pip would refuse it."""
    common = COMMON.fullmatch(text)
    if common and not common["comment"]:
        return _parts(common)
    head, found, marker = text.partition("; " if _URL.match(text) else ";")
    spot = _NOWHERE
    if marker := marker.strip():
        start = text.index(marker, len(head) + len(found))
        spot = (start, start + len(marker))
        _judge(marker, start, is_marker=True)
    head = head.rstrip()
    if _URL.match(head):
        parts = _url_parts(head)
    elif _is_path(head):
        parts = _path_parts(head)
    else:
        parts = _named_parts(head)
    return parts if spot == _NOWHERE else parts._replace(marker=spot)


def editable_parts(value: str) -> Parts:
    """Divide the value of `-e`. Raises Complaint where pip would refuse it."""
    direct = COMMON.fullmatch(value)
    parts = _parts(direct) if direct and direct["url"] else Parts(url=(0, len(value)))
    url = value[slice(*parts.url)]
    is_controlled = _VERSION_CONTROL.match(url) is not None
    if is_controlled or url.lower().startswith("file:"):
        if parts.name == _NOWHERE:
            parts = _egg_parts(value)
        if parts.name == _NOWHERE and is_controlled:
            raise Complaint(
                f"Could not detect requirement name for {value!r}, please specify one with #egg=your_package_name",
                *(0, len(value)),
            )
        return parts
    if parts.name != _NOWHERE or _NO_PROJECT.match(value):
        raise Complaint(
            f"{value} is not a valid editable requirement. It should either be a path to a local project or a VCS URL",
            *(0, len(value)),
        )
    with_extras = _PATH_WITH_EXTRAS.fullmatch(value)
    return _parts(with_extras) if with_extras else parts


def wheel_version(url: str) -> str | None:
    """The version in the file name of a wheel, from its URL or local path; None for anything else."""
    wheel = _WHEEL.fullmatch(_path_of(url))
    if wheel is None or "%" not in wheel["version"]:
        return wheel and wheel["version"]
    from urllib.parse import unquote

    return unquote(wheel["version"])


def _path_of(url: str) -> str:
    return re.split("[?#]", url, maxsplit=1)[0] if _URL.match(url) else url


def _parts(match: re.Match[str]) -> Parts:
    groups = match.re.groupindex
    return Parts(*(match.span(field) if field in groups else _NOWHERE for field in Parts._fields))


def _is_path(head: str) -> bool:
    """Whether pip looks for a file or directory of this name before it tries to read a requirement."""
    if "@" in head and not _looks_like_path(head.partition("@")[0]):
        return False
    with_extras = _PATH_WITH_EXTRAS.fullmatch(head)
    path = with_extras["url"] if with_extras else head
    if _ARCHIVE.fullmatch(path):
        return True
    return _looks_like_path(head) and not _NO_PATH.match(head)


def _looks_like_path(text: str) -> bool:
    return "/" in text or text.startswith(".")


def _url_parts(head: str) -> Parts:
    _judge_url(head, 0)
    whole = (0, len(head))
    if _path_of(head).rstrip("/").endswith(".whl"):
        return Parts(name=_wheel_name(_path_of(head)), url=whole)
    return _egg_parts(head)


def _egg_parts(url: str) -> Parts:
    """The project name in the fragment; pip 25 takes no more than a name there, older ones also extras, versions and a
    marker."""
    egg = _EGG.search(url)
    if egg is None:
        return Parts(url=(0, len(url)))
    named, _, marker = egg[1].partition(";")
    spot = _NOWHERE
    try:
        common = COMMON.fullmatch(named)
        inner = _parts(common) if common else _named_parts(named)
        if marker := marker.strip():
            at = egg[1].index(marker, len(named))
            _judge(marker, at, is_marker=True)
            spot = (at, at + len(marker))
    except Complaint:
        inner = Parts()
    if inner.name == _NOWHERE or inner.url != _NOWHERE:
        raise Complaint(f"The egg fragment {egg[1]!r} is invalid", *egg.span())
    start = egg.start(1)
    name, extras, condition = (_shifted(each, start) for each in (inner.name, inner.extras, spot))
    return Parts(name=name, extras=extras, marker=condition, url=(0, len(url)))


def _shifted(spot: Range, by: int) -> Range:
    return spot if spot == _NOWHERE else (spot[0] + by, spot[1] + by)


def _path_parts(head: str) -> Parts:
    match = _PATH_WITH_EXTRAS.fullmatch(head)
    parts = _parts(match) if match else Parts(url=(0, len(head)))
    if match:
        start, end = match.span("extras")
        _judge(f"placeholder[{head[start:end]}]", start - len("placeholder["))
    path = head[slice(*parts.url)]
    return parts._replace(name=_wheel_name(path)) if path.rstrip("/").endswith(".whl") else parts


def _wheel_name(path: str) -> Range:
    wheel = _WHEEL.fullmatch(path)
    if wheel is None:
        raise Complaint(f"Invalid wheel filename: {path.rpartition('/')[2]!r}", 0, len(path))
    return wheel.span("name")


def _named_parts(head: str) -> Parts:
    _judge(head, 0)
    match = _PEP508.fullmatch(head)
    if match is None:
        raise Complaint("Expected a requirement of PEP 508", 0, len(head))
    if match["url"]:
        _judge_url(match["url"], match.start("url"))
    parts = _parts(match)
    return parts if match["specifier"] else parts._replace(specifier=_NOWHERE)


def _judge(text: str, start: int, *, is_marker: bool = False) -> None:
    """Raise Complaint, for a place from `start` on, where packaging refuses a requirement or marker."""
    import warnings

    from packaging.markers import Marker
    from packaging.requirements import Requirement

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (Marker if is_marker else Requirement)(text)
    except (ValueError, SyntaxError, RecursionError) as error:
        message = str(error).partition("\n")[0]
        if not is_marker and "=" in text and not re.search(r"[~=!<>]=|[<>]", text):
            message = "= is not a valid operator. Did you mean == ?"
        raise Complaint(message, max(start, 0), start + len(text)) from None


def _judge_url(url: str, start: int) -> None:
    """Raise Complaint for a URL that cannot be split into its parts, which needs a bracket."""
    if "[" not in url and "]" not in url:
        return
    from urllib.parse import urlsplit

    try:
        urlsplit(url)
    except ValueError as error:
        raise Complaint(str(error), start, start + len(url)) from None
