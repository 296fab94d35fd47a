"""Moving whole instructions to another place of a Dockerfile, with the comments that stand directly above them."""

from typing import NamedTuple

from mllint.edits import delete_lines
from mllint.findings import Edit
from mllint.sources.dockerfile import Dockerfile, Instruction
from mllint.sources.text import Span


class Block(NamedTuple):
    """The lines of an instruction and of its comments, counted from 1, the last one included."""

    dockerfile: Dockerfile
    first: int
    last: int

    @property
    def lines(self) -> list[str]:
        """Their texts."""
        source = self.dockerfile.source
        return [source.slice(source.line_span(number)) for number in range(self.first, self.last + 1)]

    @property
    def is_set_off(self) -> bool:
        """Whether a blank line, or the end of the file, stands below."""
        return self._is_blank(self.last + 1)

    @property
    def is_below_blank(self) -> bool:
        """Whether a blank line stands above."""
        return self._is_blank(self.first - 1)

    def _is_blank(self, line: int) -> bool:
        source = self.dockerfile.source
        is_line = 1 <= line <= len(source.line_starts)
        return not is_line or not source.slice(source.line_span(line)).strip()

    def removed(self) -> Edit:
        """The edit that takes them out, with the blank lines below where blank ones stand above as well."""
        last = self.last
        if self._is_blank(self.first - 1):
            while last < len(self.dockerfile.source.line_starts) - 1 and self._is_blank(last + 1):
                last += 1
        return delete_lines(self.dockerfile.source, self.first, last)

    @property
    def span(self) -> Span:
        """Their span without the last line end."""
        source = self.dockerfile.source
        return Span(source.line_starts[self.first - 1], source.line_span(self.last).end)


def block(dockerfile: Dockerfile, instruction: Instruction) -> Block:
    """An instruction with its comments."""
    comments = {each.line for each in dockerfile.comments}
    first = instruction.start_line
    while first - 1 in comments:
        first -= 1
    return Block(dockerfile, first, instruction.end_line)
