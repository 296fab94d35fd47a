"""Repairs inside of a RUN: what is put in front of a command or behind its words, in the layout that stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mllint.edits import insert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mllint.findings import Edit
    from mllint.image.packages import Install
    from mllint.image.stage import Stage
    from mllint.sources.text import Source


def in_front(stage: Stage, install: Install, command: str) -> Edit | None:
    """Put a command in front of a call that stands behind `&&`, on a line of its own where the call has one; None where
    it stands in another place."""
    source, start = stage.build.source, install.span.start
    line = source.line_starts[source.position(start)[0] - 1]
    front = source.text[line:start]
    if not front.rstrip().endswith("&&"):
        return None
    is_alone = front.strip() == "&&"
    between = f" {stage.build.dockerfile.escape}\n{front}" if is_alone else " && "
    return insert(source, start, f"{command}{between}")


def with_packages(stage: Stage, install: Install, packages: Sequence[str]) -> Edit | None:
    """Name more packages behind those that a call of a package manager installs, each on a line of its own where these
    are; None where the last of them is not plain text."""
    source, last = stage.build.source, install.operands[-1] if install.operands else None
    if last is None or not last.is_literal or source.slice(last.span) != last.text:
        return None
    indent = indent_of(source, last.span.start)
    text = " ".join(packages)
    if indent is not None:
        text = f" {stage.build.dockerfile.escape}\n{indent}".join(packages)
        return insert(source, last.span.end, f" {stage.build.dockerfile.escape}\n{indent}{text}")
    return insert(source, last.span.end, f" {text}")


def indent_of(source: Source, offset: int) -> str | None:
    """The blanks in front of what stands first on its line; None for what does not."""
    front = source.text[source.line_starts[source.position(offset)[0] - 1] : offset]
    return front if front and not front.strip() else None
