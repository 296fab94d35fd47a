"""Shell commands as trees with exact places, read by tree-sitter-bash, which recovers from errors."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import tree_sitter
import tree_sitter_bash

from mllint.sources.shell_tree import (
    Assignment,
    Branches,
    Chain,
    Command,
    Function,
    Group,
    Loop,
    Node,
    Pipeline,
    Redirect,
    Script,
    Word,
)
from mllint.sources.text import Logical, Span

if TYPE_CHECKING:
    from collections.abc import Iterator


@cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


@lru_cache(maxsize=256)
def parse(logical: Logical) -> Script:
    """Read shell text. Never raises: what cannot be read is left out and makes the script not clean."""
    data = logical.text.encode("utf-8", "replace")
    root = _parser().parse(data).root_node
    reader = _Reader(logical, data)
    return Script(reader.nodes(root.children), not root.has_error)


_WORDS = frozenset(
    "word string raw_string concatenation simple_expansion expansion command_substitution number process_substitution"
    " ansi_c_string translated_string arithmetic_expansion brace_expression extglob_pattern test_operator regex".split()
)
_EXPANDING = ("$", "`", "<(", ">(")


class _Reader:
    def __init__(self, logical: Logical, data: bytes) -> None:
        self.logical = logical
        self.data = data
        self.characters: list[int] | None = None if len(data) == len(logical.text) else _character_offsets(data)
        self.redirects: dict[int, list[tree_sitter.Node]] = {}

    def _range(self, node: tree_sitter.Node) -> tuple[int, int]:
        if self.characters is None:
            return node.start_byte, node.end_byte
        return self.characters[node.start_byte], self.characters[node.end_byte]

    def _span(self, node: tree_sitter.Node) -> Span:
        return self.logical.span(*self._range(node))

    def nodes(self, children: list[tree_sitter.Node]) -> tuple[Node, ...]:
        out: list[Node] = []
        for child in children:
            out.extend(self._node(child))
        return tuple(out)

    def _node(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        read = _READERS.get(node.type)
        # Where something is missing the parser puts a node without text.
        return read(self, node) if read and node.start_byte < node.end_byte else ()

    def _command(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        redirects = self.redirects.pop(node.id, [])
        words: list[Word] = []
        assignments: list[Assignment] = []
        found: list[Redirect] = []
        for child in node.children:
            kind = child.type
            if kind == "command_name":
                words.append(self._word(child.children[0] if child.children else child))
            elif kind in _WORDS:
                words.append(self._word(child))
            elif kind == "variable_assignment":
                assignments.append(self._assignment(child))
            elif kind in ("file_redirect", "herestring_redirect"):
                found.append(self._redirect(child, words))
        found += [self._redirect(child, words) for child in redirects]
        words = _whole(sorted(words, key=lambda word: word.span.start))
        span = self._span(node)
        end = max([span.end, *(each.span.end for each in found), *(word.span.end for word in words[-1:])])
        return (Command(tuple(words), tuple(assignments), tuple(found), Span(span.start, end)),)

    def _declaration(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        """`export`, `unset` and their like; a name alone is an assignment with no value."""
        words, assignments = [], []
        for child in node.children:
            if child.type == "variable_assignment":
                assignments.append(self._assignment(child))
            elif child.type == "variable_name":
                start, end = self._range(child)
                assignments.append(Assignment(self.logical.text[start:end], None, self._span(child)))
            else:
                words.append(self._word(child))
        return (Command(tuple(words), tuple(assignments), (), self._span(node)),)

    def _test(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        """`[ … ]`: its words as they stand, whatever the grammar makes of the comparison."""
        start, end = self._range(node)
        words = tuple(self._leaves(node))
        return (Command(words, (), (), self.logical.span(start, end)),)

    def _leaves(self, node: tree_sitter.Node) -> Iterator[Word]:
        for child in node.children:
            if child.type in (
                "unary_expression",
                "binary_expression",
                "parenthesized_expression",
                "negation_expression",
            ):
                yield from self._leaves(child)
            elif child.start_byte < child.end_byte:
                yield self._word(child)

    def _negated(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        found = self.nodes(node.children)
        return tuple(each._replace(is_negated=True) if isinstance(each, Command) else each for each in found)

    def _lone_assignment(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        if node.type == "variable_assignment":
            return (Command((), (self._assignment(node),), (), self._span(node)),)
        found = tuple(self._assignment(child) for child in node.children if child.type == "variable_assignment")
        return (Command((), found, (), self._span(node)),)

    def _assignment(self, node: tree_sitter.Node) -> Assignment:
        start, end = self._range(node.children[0])
        value = node.children[-1] if len(node.children) > 2 else None
        return Assignment(self.logical.text[start:end], self._word(value) if value else None, self._span(node))

    def _redirect(self, node: tree_sitter.Node, words: list[Word]) -> Redirect:
        """The redirection; words that the grammar hangs on it belong to the command, as in `pip install x>=1 y`."""
        operator, target, end = "", None, node.end_byte
        for child in node.children:
            if child.type in _WORDS or child.type == "heredoc_start":
                if target is None:
                    target = self._word(child)
                    end = child.end_byte
                else:
                    words.append(self._word(child))
            elif not child.is_named and not operator:
                operator = child.type
        start = self._range(node)[0]
        stop = end if self.characters is None else self.characters[end]
        return Redirect(operator, target, self.logical.span(start, stop))

    def _redirected(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        redirects = [child for child in node.children if child.type.endswith("_redirect")]
        bodies = [child for child in node.children if not child.type.endswith("_redirect")]
        following = [child for redirect in redirects for child in redirect.children]
        redirects += [child for child in following if child.type == "file_redirect"]
        for body in bodies[-1:]:
            self.redirects[_last_command(body).id] = redirects
        return self._with_following(self.nodes(bodies), following, node)

    def _with_following(
        self, first: tuple[Node, ...], following: list[tree_sitter.Node], node: tree_sitter.Node
    ) -> tuple[Node, ...]:
        """What stands behind `<<EOF` on the same line hangs below the redirection in the grammar."""
        rest = self.nodes([child for child in following if child.type in _READERS])
        operators = tuple(child.type for child in following if child.type in ("&&", "||"))
        if not rest or not first:
            return (*first, *rest)
        if len(operators) == len(rest):
            return (Chain((*first, *rest), operators, self._span(node)),)
        return (Pipeline((*first, *rest), self._span(node)),)

    def _pipeline(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        parts = self.nodes(node.children)
        return (Pipeline(parts, self._span(node)),) if len(parts) > 1 else parts

    def _chain(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        parts: list[Node] = []
        operators: list[str] = []
        self._flatten(node, parts, operators)
        if len(operators) != len(parts) - 1:
            return tuple(parts)
        return (Chain(tuple(parts), tuple(operators), self._span(node)),)

    def _flatten(self, node: tree_sitter.Node, parts: list[Node], operators: list[str]) -> None:
        for child in node.children:
            if child.type == "list":
                self._flatten(child, parts, operators)
            elif child.type in ("&&", "||"):
                operators.append(child.type)
            else:
                parts.extend(self._node(child))

    def _group(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        return (Group(self.nodes(node.children), node.type == "subshell", self._span(node)),)

    def _inside(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        return self.nodes(node.children)

    def _if(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        tests: list[Node] = []
        bodies: list[tuple[Node, ...]] = []
        is_total = False
        for part in (node, *(child for child in node.children if child.type in ("elif_clause", "else_clause"))):
            behind_then = part.type == "else_clause"
            is_total = is_total or behind_then
            body: list[Node] = []
            for child in part.children:
                if child.type == "then":
                    behind_then = True
                elif behind_then:
                    body.extend(self._node(child))
                else:
                    tests.extend(self._node(child))
            bodies.append(tuple(body))
        return (Branches(tuple(tests), tuple(bodies), is_total, self._span(node)),)

    def _case(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        items = [child for child in node.children if child.type == "case_item"]
        is_total = any(item.children and self.data[item.start_byte : item.start_byte + 2] == b"*)" for item in items)
        return (Branches((), tuple(self.nodes(item.children) for item in items), is_total, self._span(node)),)

    def _loop(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        variable = ""
        words: list[Word] = []
        tests: list[Node] = []
        body: tuple[Node, ...] = ()
        for child in node.children:
            if child.type == "do_group":
                body = self.nodes(child.children)
            elif child.type == "variable_name":
                start, end = self._range(child)
                variable = self.logical.text[start:end]
            elif child.type in _WORDS:
                words.append(self._word(child))
            else:
                tests.extend(self._node(child))
        return (Loop(variable, tuple(words), tuple(tests), body, self._span(node)),)

    def _function(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        start, end = self._range(node.children[0])
        return (Function(self.logical.text[start:end], self.nodes(node.children), self._span(node)),)

    def _word(self, node: tree_sitter.Node) -> Word:
        start, end = self._range(node)
        text = self.logical.text[start:end]
        span = self.logical.span(start, end)
        kind = node.type
        if kind == "raw_string":
            return Word(text, text[1:-1], True, span)
        if kind in ("word", "number") and "\\" not in text and "$" not in text:
            return Word(text, text, True, span)
        is_literal = not any(mark in text for mark in _EXPANDING) or not self._expands(node)
        return Word(text, self._value(node), is_literal, span, self._substitutions(node) if not is_literal else ())

    def _expands(self, node: tree_sitter.Node) -> bool:
        if node.type.endswith(("expansion", "_substitution")):
            return True
        return any(self._expands(child) for child in node.children)

    def _value(self, node: tree_sitter.Node) -> str:
        start, end = self._range(node)
        text = self.logical.text[start:end]
        if node.type == "word":
            return _unescape(text)
        if node.type == "raw_string":
            return text[1:-1]
        if node.type == "heredoc_start":
            return re.sub(r"[\"'\\]", "", text)
        if node.type == "string":
            return _unescape(text[1:-1], in_quotes=True)
        if node.type == "concatenation":
            return "".join(self._value(child) for child in node.children)
        return text

    def _substitutions(self, node: tree_sitter.Node) -> tuple[Node, ...]:
        if node.type in ("command_substitution", "process_substitution"):
            return self.nodes(node.children)
        return tuple(found for child in node.children for found in self._substitutions(child))


_READERS = {
    "command": _Reader._command,
    "compound_statement": _Reader._group,
    "case_statement": _Reader._case,
    "c_style_for_statement": _Reader._loop,
    "declaration_command": _Reader._declaration,
    "ERROR": _Reader._inside,
    "for_statement": _Reader._loop,
    "function_definition": _Reader._function,
    "if_statement": _Reader._if,
    "list": _Reader._chain,
    "negated_command": _Reader._negated,
    "pipeline": _Reader._pipeline,
    "redirected_statement": _Reader._redirected,
    "subshell": _Reader._group,
    "test_command": _Reader._test,
    "unset_command": _Reader._declaration,
    "variable_assignment": _Reader._lone_assignment,
    "variable_assignments": _Reader._lone_assignment,
    "while_statement": _Reader._loop,
}


def _whole(words: list[Word]) -> list[Word]:
    """The words of a command; the grammar cuts `$V/x-$V.tgz` behind the second dollar."""
    found: list[Word] = []
    for word in words:
        before = found[-1] if found else None
        if before is not None and before.span.end == word.span.start and before.text.endswith("$"):
            found[-1] = Word(
                before.text + word.text,
                before.value + word.value,
                False,
                Span(before.span.start, word.span.end),
                before.substitutions + word.substitutions,
            )
        else:
            found.append(word)
    return found


def _last_command(node: tree_sitter.Node) -> tree_sitter.Node:
    """Where the redirections of a whole list or pipeline belong, which the grammar hangs them on."""
    while node.type in ("list", "pipeline", "negated_command") and node.named_children:
        node = node.named_children[-1]
    return node


def _unescape(text: str, in_quotes: bool = False) -> str:
    """Remove backslashes as the shell does; inside double quotes only those that escape something."""
    if "\\" not in text:
        return text
    out, at = [], 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text) and (not in_quotes or text[at + 1] in '\\"$`\n'):
            out.append("" if text[at + 1] == "\n" else text[at + 1])
            at += 2
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


def _character_offsets(data: bytes) -> list[int]:
    """For each byte of UTF-8 text, and for its end, the number of characters in front of it."""
    offsets, count = [], 0
    for byte in data:
        if byte & 0xC0 != 0x80:
            count += 1
        offsets.append(count - 1)
    return [*offsets, count]
