"""Credentials in the text of files: which names hold one, which values are one, and how to show a text without them.

The names and formats are rows of `rules/facts/secrets.yaml`. Precision comes first: a name counts by its last words
(`HF_TOKEN` is a token, `TOKEN_LIMIT` a limit), and a value that is empty, refers to a variable or only stands for a
credential is none.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD = regex(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_QUALIFIERS = frozenset({"PROD", "PRODUCTION", "DEV", "STAGING", "TEST", "LOCAL", "DEFAULT", "VALUE", "BASE"})

_STANDS_FOR_ANOTHER = regex(
    r"""
    (.)\1*                                          # xxx, ***, ...
    | <[A-Za-z_][^<>]*>? | \{.*\} | \[.*\] | %.*% | %[sdr] | @.*@ | __.*__
    | (?:[~.]|\.\.)?/[^\s:/+=]{0,30}(?:/[^\s:+=]*)?  # a path, and no base64 that begins with a slash
    | [A-Za-z]:\\.* | \w+://.* | arn:.*
    | v?\d+(?:\.\d+)+(?:[-+.]\w+)*                  # a version
    | (?i:true|false|yes|no|on|off|enabled?|disabled?)
    | [A-Za-z_]\w*(?:\.\w+)*[(\[](?:.*[)\]])?       # code: os.environ["TOKEN"]
    """,
    re.VERBOSE | re.DOTALL,
)
_REFERENCE = regex(r"[A-Z][A-Z0-9]*_[A-Z0-9_]*|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_HINT = regex("token|secret|pass|pwd|key|credential|connection", re.IGNORECASE)
_USER_INFO = regex(r"""://([^\s/:@"'`<>]{0,256})(?::([^\s/"'`<>]{0,1024}))?@""")
_ASSIGNMENT = regex(
    r"""
    (?<![\w.-])-*+(\w[\w.-]{0,100}+)(?:\\?["'])?\]?
    (?: [ \t]*(?:=(?!=)|:)[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|\\"([^"\\\n]*)\\")     # NAME="value", "NAME": "value"
      | =(?!=)([^\s"'`]+)                                                          # NAME=value
    )
    """,
    re.VERBOSE,
)
_WHOLE_LINE = regex(
    r"""
    ^[ \t]*
    (?: (?:ONBUILD[ \t]+)?ENV[ \t]+(\w+)[ \t]+(?:"([^"\n]*)"|'([^'\n]*)'|([^\s"'=]\S*))     # ENV NAME value
      | (?:-[ \t]+)?([A-Za-z_][\w.-]*):[ \t]+(?!["'])(\S+)                                    # NAME: value
    )
    [ \t]*\\?[ \t]*\r?$
    """,
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)
_LOOSE = regex(
    r"""
    (?<![\w.-])
    (?: --(\w[\w-]{0,100}+)["']?,?[ \t]+["']?([^\s"'`,]+)     # --token value, "--token", "value"
      | (\w[\w.-]{0,100}+)[ \t]+=[ \t]*([^\s"'`=,]+)         # NAME = value
    )
    """,
    re.VERBOSE,
)
_LONGEST_PLACEHOLDER = 200
_AFTER_VALUE = ".,;|&}\\"


class Secret(NamedTuple):
    """A credential in a text: the offsets of its value and what it is (`Hugging Face token`, `password`)."""

    start: int
    end: int
    kind: str


@lru_cache(maxsize=4096)
def name_kind(name: str) -> str | None:
    """What a variable, key or option of this name holds (`OpenAI API key`, `password`), None where it is no credential.

    `hfToken`, `hf-token` and `HF_TOKEN_2` count as `HF_TOKEN`; PWD, TOKENIZERS_PARALLELISM or SECRET_NAME are none.
    """
    words = _WORD.findall(name)
    while words and (words[-1].isdigit() or words[-1].upper() in _QUALIFIERS):
        words.pop()
    plain = "_".join(words).upper()
    rows = _rows()
    if any(_fits(plain, row["name"]) for row in rows["harmless"]):
        return None
    return next((row["what"] for row in rows["variable"] if _fits(plain, row["name"])), None)


def looks_secret_name(name: str) -> bool:
    """Whether a variable, key or option of this name holds a credential."""
    return name_kind(name) is not None


def is_literal(value: str) -> bool:
    """Whether a value could itself be a credential: not empty, no reference (`$TOKEN`, `settings.token`), no
    placeholder (`<your-token>`, `changeme`), path, URL, version or boolean."""
    if not value or "$" in value or "`" in value or _STANDS_FOR_ANOTHER.fullmatch(value):
        return False
    plain = value.lower().replace("_", "-").replace(" ", "-")
    if any(_fits(plain, row["name"]) for row in _rows()["placeholder"]):
        return False
    return not (_REFERENCE.fullmatch(value) and looks_secret_name(value))


def credential(name: str, value: str) -> str | None:
    """What is given away where `name` is set to `value` (without its quotes): by the form of the value, else by the
    name where the value is literal and long enough; None where nothing is."""
    by_form = secret_value(value)
    if by_form is not None:
        return by_form
    kind = name_kind(name)
    if kind is None or not is_literal(value) or value.lower() == name.lower():
        return None
    is_password = kind.endswith("password")
    if len(value) < (4 if is_password else 6) or (value.isdecimal() and not is_password):
        return None
    return kind


def secret_value(text: str) -> str | None:
    """What credential stands in a text, known by its form alone (`hf_…`, a private key, `user:password@` in a URL);
    None where there is none. `credential` also looks at the name it is given to."""
    found = min(_by_form(text), key=lambda secret: secret.start, default=None)
    return found.kind if found else None


def secrets(text: str) -> tuple[Secret, ...]:
    """The credentials in a text, in order and without overlaps: those known by their form, and literal values set to a
    name of a credential (`NAME=value`, `ENV NAME value`, `"NAME": "value"`, `--name value`)."""
    found: list[Secret] = []
    for secret in sorted((*_by_form(text), *_by_name(text)), key=lambda secret: (secret.start, -secret.end)):
        if not found or secret.start >= found[-1].end:
            found.append(secret)
        elif secret.end > found[-1].end:
            found[-1] = Secret(found[-1].start, secret.end, found[-1].kind)
    return tuple(found)


def mask(text: str, keep_width: bool = False) -> str:
    """The text with its credentials made unreadable: each as `***`, or with `keep_width` as many `*` as it has code
    points (line ends stay), so that lines and columns remain what they were."""
    pieces: list[str] = []
    done = 0
    for secret in secrets(text):
        stars = re.sub(r"[^\r\n]", "*", text[secret.start : secret.end]) if keep_width else "***"
        pieces += (text[done : secret.start], stars)
        done = secret.end
    masked = "".join((*pieces, text[done:]))
    # What stood beside a credential, as a part of its name, may be the name of another one.
    return masked if masked == text else mask(masked, keep_width)


@cache
def _rows() -> dict[str, list[dict[str, str]]]:
    rows: dict[str, list[dict[str, str]]] = {"variable": [], "harmless": [], "format": [], "placeholder": []}
    for row in facts.rows("secrets"):
        rows[row["kind"]].append(row)
    return rows


def _fits(text: str, pattern: str) -> bool:
    core = pattern.strip("*")
    if pattern.startswith("*"):
        return core in text if pattern.endswith("*") else text.endswith(core)
    return text.startswith(core) if pattern.endswith("*") else text == core


def _by_form(text: str) -> Iterator[Secret]:
    for row in _rows()["format"]:
        if any(mark in text for mark in row["marks"]):
            for match in re.finditer(row["pattern"], text):
                start, end = match.span(match.re.groups)
                if start == end or end - start > _LONGEST_PLACEHOLDER or is_literal(text[start:end]):
                    yield Secret(start, end, row["what"])
    if "://" in text:
        for match in _USER_INFO.finditer(text):
            yield from _of_user_info(match)


def _of_user_info(match: re.Match[str]) -> Iterator[Secret]:
    """A literal password, or a user name that must be a token: long, with digits, and no real password beside it."""
    user, password = match[1], match[2] or ""
    if password and password != "x-oauth-basic":
        words_of_documentation = user in ("user", "username") and password in ("pass", "password", "pw")
        if len(password) >= 3 and is_literal(password) and not words_of_documentation:
            yield Secret(*match.span(2), "password in a URL")
    elif len(user) >= 16 and any(map(str.isdigit, user)) and is_literal(user):
        yield Secret(*match.span(1), "token in a URL")


def _by_name(text: str) -> Iterator[Secret]:
    done = 0
    for hint in _HINT.finditer(text):
        if hint.start() >= done:
            start = text.rfind("\n", 0, hint.start()) + 1
            done = text.find("\n", hint.end()) + 1 or len(text)
            for pattern in (_ASSIGNMENT, _WHOLE_LINE, _LOOSE):
                for match in _settings(pattern, text, start, done):
                    yield from _of_setting(match, must_look_random=pattern is _LOOSE)


def _settings(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[re.Match[str]]:
    """What fits a pattern, also within an unquoted value: `ARGS=TOKEN=value`."""
    while match := pattern.search(text, start, end):
        yield match
        value = match.lastindex or 0
        is_nested = text[match.start(value) - 1] == "=" and "=" in match[value]
        start = match.start(value) if is_nested else match.end()


def _of_setting(match: re.Match[str], must_look_random: bool) -> Iterator[Secret]:
    groups = [number for number in range(1, match.re.groups + 1) if match[number] is not None]
    name, value = match[groups[0]], match[groups[-1]]
    if not looks_secret_name(name):
        return
    start = match.start(groups[-1])
    looks_random = any(map(str.isdigit, value))
    if match.string[start - 1] not in "\"'":
        is_call = "(" in value or "[" in value
        value = value.rstrip(_AFTER_VALUE if is_call else _AFTER_VALUE + ")]")
        if value.isidentifier() and not looks_random and match[groups[-1]][len(value) :].startswith((")", ",")):
            return  # an argument in a call: login(token=hub_token)
    kind = credential(name, value)
    if kind and (looks_random or not must_look_random):
        yield Secret(start, start + len(value), kind)
