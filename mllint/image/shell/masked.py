"""Commands of a RUN whose failure does not end it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from mllint.image.shell.commands import shell_text
from mllint.patterns import regex
from mllint.sources import shell
from mllint.sources.shell_tree import Branches, Chain, Command, Group, Loop, Node, Pipeline, Word
from mllint.sources.text import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mllint.image.stage import Step

_STOPS_AT_FAILURE = regex(r"(?:^|[\s;&(])set\s+(?:-\w+\s+(?:pipefail\s+)?)*(?:-\w*e|-o\s+errexit)")
_STOPPING_OPTION = regex(r"-[a-z]*e[a-z]*")
_SAYS_SO = frozenset({"echo", "printf"})
DOES_NOTHING = frozenset({"true", ":", "/bin/true"})
"""Commands that succeed and do nothing."""


class Masked(NamedTuple):
    """A command, and what makes its failure go unseen."""

    command: Command
    way: Literal["caught", "followed", "piped", "repeated"]
    by: Span | None = None
    """What ends with `|| true`, from the command in front of it on."""
    is_announced: bool = False
    """Whether a message tells of the failure, so that somebody wanted the build to go on."""
    chain: tuple[Node, ...] = ()
    """What is to be joined for the failure to be seen: what the command stands in, and all that follows."""
    is_listed: bool = False
    """Whether `set -e` would change nothing, as it stands in front of `&&` or `||`."""


def masked(step: Step) -> Iterator[Masked]:
    """Every command of a RUN in shell form whose failure its shell does not report, in order."""
    text = shell_text(step.instruction) if step.has_posix_shell else None
    if text is None:
        return
    options = step.before.shell[1:]
    stops = any(map(_STOPPING_OPTION.fullmatch, options)) or _STOPS_AT_FAILURE.search(text.text) is not None
    heredoc = step.instruction.heredocs[0].content if step.instruction.heredocs else ""
    stops = stops or (heredoc.startswith("#!") and " -e" in heredoc.partition("\n")[0])
    sees_pipes = "pipefail" in options or "pipefail" in text.text
    yield from _Walk(stops, sees_pipes).sequence(shell.parse(text).body, None)


class _Walk:
    """One way through a piece of shell; what is handed down is why the failure of a node already goes unseen."""

    def __init__(self, stops: bool, sees_pipes: bool, is_listed: bool = False) -> None:
        self.stops = stops
        self.sees_pipes = sees_pipes
        self.is_listed = is_listed

    def sequence(self, nodes: Sequence[Node], outer: Masked | None) -> Iterator[Masked]:
        """Nodes that run one behind the other, whatever becomes of each."""
        for index, node in enumerate(nodes):
            is_followed = not self.stops and index + 1 < len(nodes) and not _ends_at_failure(nodes[index + 1])
            followed = _way("followed")._replace(chain=tuple(nodes[index:]), is_listed=self.is_listed)
            yield from self.node(node, followed if is_followed else outer)

    def node(self, node: Node, outer: Masked | None) -> Iterator[Masked]:
        match node:
            case Command():
                if outer is not None and not node.is_negated:
                    yield outer._replace(command=node)
            case Pipeline():
                hidden = None if self.sees_pipes else _way("piped")
                for part in node.parts[:-1]:
                    # The grammar now and then takes all in front of a pipe for its first part.
                    before = part.parts[:-1] if isinstance(part, Chain) else ()
                    for each in before:
                        yield from self.node(each, outer)
                    yield from self.node(part.parts[-1] if isinstance(part, Chain) else part, hidden)
                yield from self.node(node.parts[-1], outer)
            case Chain():
                yield from self._chain(node, outer)
            case Group():
                yield from self.sequence(node.body, outer)
            case Branches():
                for body in node.bodies:
                    yield from self.sequence(body, outer)
            case Loop():
                repeated = _way("repeated")._replace(is_listed=self.is_listed)
                yield from self.sequence(node.body, outer if self.stops else repeated)

    def _chain(self, chain: Chain, outer: Masked | None) -> Iterator[Masked]:
        for index, part in enumerate(chain.parts):
            behind = [at for at in range(index, len(chain.operators)) if chain.operators[at] == "||"]
            # The shell heeds `set -e` in the last part of a list alone.
            is_last = index == len(chain.operators)
            walk = self if is_last else _Walk(False, self.sees_pipes, True)
            yield from walk.node(part, _caught(chain, behind[0]) if behind else outer)


_NOTHING = Command((), (), (), Span(0, 0))


def _way(way: Literal["caught", "followed", "piped", "repeated"]) -> Masked:
    return Masked(_NOTHING, way)


def _caught(chain: Chain, at: int) -> Masked | None:
    """What hides the failure of all in front of a `||`: something that always succeeds. Another attempt hides none."""
    last = chain.parts[at + 1]
    if not isinstance(last, Command) or len(chain.parts) > at + 2:
        return None
    arguments = [word.value for word in last.words[1:]]
    is_announced = last.name in _SAYS_SO
    if is_announced or last.name in DOES_NOTHING or (last.name == "exit" and arguments == ["0"]):
        front = chain.parts[at]
        while isinstance(front, Chain):
            front = front.parts[-1]
        span = Span(front.span.start, last.span.end)
        return Masked(_NOTHING, "caught", span, is_announced)
    return None


def _ends_at_failure(node: Node) -> bool:
    """Whether the next command asks for the outcome of the one in front of it."""
    return isinstance(node, Branches | Command) and any("$?" in word.text for word in _words(node))


def _words(node: Branches | Command) -> Iterator[Word]:
    if isinstance(node, Command):
        yield from node.words
        return
    for test in node.tests:
        if isinstance(test, Command):
            yield from test.words
