"""What a build fetches from an address: with curl, wget and ADD."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from mllint import facts
from mllint.image.shell.commands import shell_text
from mllint.image.shell.unwrapping import POSIX_SHELLS, unwrap
from mllint.patterns import regex
from mllint.sources import shell
from mllint.sources.shell_tree import Branches, Chain, Command, Group, Loop, Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step
    from mllint.sources.shell_tree import Node, Word
    from mllint.sources.text import Span

FETCHERS = frozenset({"curl", "wget"})
"""Programs that fetch an address; as packages of an operating system they have the same names."""
_URL = regex(r"(?:https?|ftp)://")
# The options of curl and wget that take a word of their own.
_SHORT = {"curl": "oHXduAebTmwCDEFKPQUrtxyYz", "wget": "OPoUteaiTwQABRDIXl"}
_LONG = frozenset(
    "--output --output-dir --output-document --directory-prefix --header --user-agent --user --request --data --retry"
    " --retry-delay --retry-max-time --connect-timeout --max-time --proto --tlsv --cacert --cert --key --referer"
    " --cookie --proxy --limit-rate --range --write-out --timeout --tries --waitretry --read-timeout --url --resolve"
    " --http-user --http-password --password --load-cookies --save-cookies --post-data --progress --tls-max --form"
    " --data-urlencode --data-raw --data-binary --speed-limit --speed-time --ciphers --base --quota".split()
)
_INTERPRETERS = regex(r"python[0-9.]*|perl|node|ruby|php")
_NOWHERE = ("/dev/null", "/dev/stdout", "-")
# What the shell puts in the place of `${VERSION//v}` and `$(uname -m)` is one piece, whatever stands in it.
_EXPANSION = regex(r"\$\{[^}]*\}|\$\([^()]*\)|`[^`]*`")


class Fetch(NamedTuple):
    """One address that a RUN or ADD fetches."""

    step: Step
    address: str
    """As written, with the variables replaced that are known."""
    span: Span
    """The word of the address."""
    executed: Executed | None = None
    """The call of curl or wget; None for an ADD."""
    file: str | None = None
    """The file that the answer is written to, as the command is given it; None where it is not written to one."""
    reader: Command | None = None
    """The command that reads the answer: the next of the pipe, or the one it is a word of."""
    is_word: bool = False
    """Whether the answer is a word of that command, as in `sh -c "$(curl …)"` and `bash <(curl …)`."""

    @property
    def command(self) -> Span:
        """The whole command."""
        return self.executed.span if self.executed is not None else self.step.instruction.span

    @property
    def name(self) -> str:
        """The last part of the address, without its query."""
        return _last_part(self.address.rstrip("/"))

    @property
    def is_plain(self) -> bool:
        """Whether nothing protects it on its way."""
        return self.address.startswith(("http://", "ftp://"))


def fetches(step: Step) -> tuple[Fetch, ...]:
    """Every address that an instruction fetches, in order."""
    if step.instruction.keyword == "ADD":
        copy = step.copy
        sources = copy.sources if copy is not None else ()
        return tuple(
            Fetch(step, each.path, each.word.span)
            for each in sources
            if each.kind == "url" and isinstance(each.path, str)
        )
    calls = [each for each in step.commands if each.name in FETCHERS]
    if not calls:
        return ()
    text = shell_text(step.instruction)
    readers = dict(_readers(shell.parse(text).body)) if text is not None else {}
    return tuple(found for each in calls for found in _of_call(step, each, readers))


def _of_call(step: Step, each: Executed, readers: dict[Span, tuple[Command, bool]]) -> Iterator[Fetch]:
    operands, options = _split(each)
    reader, is_word = readers.get(each.span, (None, False))
    for word in operands:
        if _URL.match(word.value):
            file = _file(each, options, word) if not is_word else None
            yield Fetch(step, word.value, word.span, each, file, reader, is_word)


def _split(each: Executed) -> tuple[list[Word], dict[str, str]]:
    """The operands and the options with their values; the names of long options as written."""
    operands: list[Word] = []
    options: dict[str, str] = {}
    words = iter(each.words[1:])
    for word in words:
        value = word.value
        if value.startswith("--"):
            name, equals, given = value.partition("=")
            if name == "--url":
                operands += [following for following in (next(words, None),) if following is not None]
            elif name in _LONG and not equals:
                following = next(words, None)
                options[name] = following.value if following is not None else ""
            else:
                options[name] = given
        elif value.startswith("-") and value != "-":
            _bundle(value, words, _SHORT[each.name], options)
        else:
            operands.append(word)
    return operands, options


def _bundle(value: str, words: Iterator[Word], with_value: str, options: dict[str, str]) -> None:
    # wget has a few of two letters: -nv, -nc, -np.
    if value[1:2] == "n":
        options[value] = ""
        return
    for at, letter in enumerate(value[1:], start=1):
        if letter in with_value:
            following = None if value[at + 1 :] else next(words, None)
            options[f"-{letter}"] = value[at + 1 :] or (following.value if following is not None else "")
            return
        options[f"-{letter}"] = ""


def options(each: Executed) -> dict[str, str]:
    """The options of a call of curl or wget with their values; short ones in a bundle count one by one."""
    return _split(each)[1]


def _file(each: Executed, given: dict[str, str], word: Word) -> str | None:
    """The file that an answer is written to; None where it goes to a pipe or nowhere."""
    is_curl = each.name == "curl"
    named = next(
        (given[key] for key in ("-o" if is_curl else "-O", "--output", "--output-document") if key in given), ""
    )
    for redirect in each.command.redirects:
        if redirect.operator in (">", ">>", ">|") and redirect.target is not None:
            named = redirect.target.value
    if named:
        return None if named in _NOWHERE else named
    if is_curl and not {"-O", "--remote-name", "-J", "--remote-name-all", "--remote-header-name"} & given.keys():
        return None
    folder = next((given[key] for key in ("--output-dir", "-P", "--directory-prefix") if key in given), "")
    return posixpath.join(folder, _last_part(word.value))


def base_name(path: str) -> str:
    """The last part of a path of the shell, in which an expansion is one piece."""
    return path[_masked(path).rfind("/") + 1 :]


def _last_part(address: str) -> str:
    """The last part of an address, without its query; empty where it ends with a slash or names a host alone."""
    parts = urlsplit(_masked(address))
    start = len(f"{parts.scheme}://{parts.netloc}")
    return base_name(address[start : start + len(parts.path)])


def _masked(text: str) -> str:
    """A text of the same length, without what stands in its expansions."""
    return _EXPANSION.sub(lambda match: "$" * len(match[0]), text)


def _readers(nodes: Sequence[Node]) -> Iterator[tuple[Span, tuple[Command, bool]]]:
    """The commands whose output others read, by their span, and who reads it."""
    for node in nodes:
        match node:
            case Command():
                values = [each.value for each in node.assignments if each.value is not None]
                for word in (*node.words, *values):
                    yield from ((each.span, (node, True)) for each in _commands(word.substitutions))
                    yield from _readers(word.substitutions)
            case Pipeline():
                parts = [_last(part) for part in node.parts]
                for part, following in zip(parts, node.parts[1:], strict=False):
                    first = _first(following)
                    if part is not None and first is not None:
                        yield part.span, (first, False)
                yield from _readers(node.parts)
            case Chain():
                yield from _readers(node.parts)
            case Group() | Loop():
                yield from _readers(node.body)
            case Branches():
                yield from _readers(node.tests)
                for body in node.bodies:
                    yield from _readers(body)


def _commands(nodes: Sequence[Node]) -> Iterator[Command]:
    """The commands whose output is that of some nodes."""
    for node in nodes:
        if isinstance(node, Pipeline):
            yield from _commands(node.parts[-1:])
        elif isinstance(node, Command):
            yield node


def _last(node: Node) -> Command | None:
    """The command that writes into a pipe behind a node; the grammar now and then takes a whole list for that."""
    while isinstance(node, Chain | Group):
        node = node.parts[-1] if isinstance(node, Chain) else node.body[-1]
    return node if isinstance(node, Command) else None


def _first(node: Node) -> Command | None:
    while isinstance(node, Chain | Group):
        node = node.parts[0] if isinstance(node, Chain) else node.body[0]
    return node if isinstance(node, Command) else None


def runs(fetch: Fetch) -> Command | None:
    """The shell or interpreter that carries out what is fetched, as the command that it is without `sudo` and its like;
    None where nothing reads it as a script."""
    if fetch.reader is None:
        return None
    words, _ = unwrap(fetch.reader)
    if not words:
        return None
    name = words[0].value.rpartition("/")[2]
    is_shell, is_other = name in POSIX_SHELLS, _INTERPRETERS.fullmatch(name) is not None
    found = fetch.reader._replace(words=words)
    if fetch.is_word:
        return found if is_shell or name in ("eval", "source", ".") else None
    if not is_shell and not is_other:
        return None
    behind = [word.value for word in words[1:]]
    # A script or a text that it is given by words is what it runs, and what is piped only what that reads.
    if any(value in ("-c", "-m", "-e") for value in behind):
        return None
    operands = [value for value in behind if value != "-" and not value.startswith("-")]
    is_stdin = not operands or "-s" in behind or behind[:1] == ["-"] or behind[0].startswith("-s")
    return found if is_stdin else None


_COMPARES = regex(
    r"\b(?:sha\d*sum|md5sum|shasum|b2sum|cksum|rhash|openssl\s+dgst|gpgv|cosign|minisign|hashlib)\b"
    r"|--verify\b|--checksum|--require-hashes"
)


def is_checked(stage: Stage, fetch: Fetch) -> bool:
    """Whether its content is compared with something: in the same RUN, or further down in the stage."""
    if fetch.executed is None:
        return fetch.step.copy is not None and fetch.step.copy.checksum is not None
    at = stage.steps.index(fetch.step)
    texts = (step.instruction.rest.text for step in stage.steps[at:] if step.instruction.keyword == "RUN")
    return any(_COMPARES.search(text) for text in texts)


_MACHINE = regex(r"x86[-_]64|amd64|x64|linux64|aarch64|arm64")
_VERSION = regex(r"\d+\.\d|(?:^|[^A-Za-z])[vr]\d|\d_\d+_\d|\d{5,}|[0-9a-f]{40}|\$|`|_\d+\.x")
# rustup is told `none` where a file names the toolchain.
VERSION_WORD = regex(r"(?:[\w.-]+==)?v?\d+\.\d+[\w.+-]*|[0-9a-f]{7,40}|none")
"""A word that tells an installer which version is wanted."""
_HASH = regex(r"[-_](?=[0-9a-f]*\d)[0-9a-f]{6,}\.\w+$")
_MOVES = regex(r"(?:^|[/_.-])(?:latest|master|main|head|nightly|trunk|develop)(?:$|[/_.-])", re.IGNORECASE)
# As a tag of a release or in the name of the file, whatever version stands beside it.
_LATEST = regex(r"(?:^|/)releases/download/latest/|(?:^|[/_.-])latest(?:[_.-][^/]*)?$", re.IGNORECASE)
_BRANCH = regex(
    r"raw\.githubusercontent\.com/[^/]+/[^/]+/(?:refs/heads/)?(?P<raw>[^/]+)/"
    r"|(?:github|gitlab)\.com/[^/]+/[^/]+/(?:-/)?(?:raw|blob|archive|tarball|zipball)/(?:refs/heads/)?(?P<name>[^/]+)"
    r"|huggingface\.co/(?:datasets/)?[^/]+/[^/]+/(?:resolve|raw)/(?P<hub>[^/]+)/"
)


def host(fetch: Fetch) -> str:
    """The machine that it is fetched from."""
    return urlsplit(fetch.address).netloc


def has_version(fetch: Fetch) -> bool:
    """Whether the path of an address names a version or commit, or holds a variable that may."""
    return _names_version(fetch.address.partition("://")[2].partition("/")[2])


def moves(fetch: Fetch) -> bool:
    """Whether an address by its words is that of whatever is newest."""
    rest, name = fetch.address.partition("://")[2], branch(fetch)
    if name is not None:
        return _MOVES.search(name) is not None
    path = rest.partition("?")[0]
    return _LATEST.search(path) is not None or (_MOVES.search(rest) is not None and not has_version(fetch))


def branch(fetch: Fetch) -> str | None:
    """The branch, tag or commit at which an address of GitHub, GitLab or the Hugging Face hub takes a file."""
    match = _BRANCH.match(fetch.address.partition("://")[2])
    name: str | None = (match["raw"] or match["name"] or match["hub"]) if match is not None else None
    return name.removesuffix(".zip").removesuffix(".tar.gz") if name is not None else None


def _names_version(path: str) -> bool:
    return _VERSION.search(_MACHINE.sub("", path)) is not None


def has_hash(fetch: Fetch) -> bool:
    """Whether the name of a file ends with the beginning of its hash, as those of PyTorch's hub do."""
    return _HASH.search(fetch.name) is not None


def installer(fetch: Fetch) -> str | None:
    """What to write instead of a well-known script that installs a tool, by the table `installers`."""
    rest = fetch.address.partition("://")[2]
    return next((row["instead"] for row in facts.rows("installers") if rest.startswith(row["address"])), None)
