"""Reads the options of a configuration from its tree, the first thing that is wrong being an error with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from mllint.config import ACCELERATORS, LIBCS, PLATFORMS, PRESETS, Base, ConfigError, Overrides, did_you_mean
from mllint.findings import Severity
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from mllint.sources.nodes import Node
    from mllint.sources.text import Source
    from mllint.verification.configuration import Verify

    Read = Callable[["Reader", Node, Node], Any]


_DRIVER = regex(r"\d{3}(?:\.\d+)*")


class Reader:
    """Reads options; most methods take the key and the value of one, and all raise ConfigError where it is wrong."""

    def __init__(self, path: Path, source: Source, known: Callable[[str], bool] | None, names: Iterable[str]) -> None:
        self.path = path
        self.source = source
        self.known = known
        self.names = names

    def fail(self, node: Node, message: str) -> NoReturn:
        raise ConfigError(self.path, message, *self.source.position(node.span.start))

    def expect(self, kinds: tuple[str, ...], key: Node, node: Node, wanted: str) -> None:
        if node.kind not in kinds:
            given = {"null": "nothing", "tagged": "a value with a tag"}.get(node.kind, f"a {node.kind}")
            self.fail(node, f'"{key.text}" must be {wanted}, not {given}')

    def options(self, key: Node, node: Node, readers: Mapping[str, Read]) -> dict[str, Any]:
        """A table of known options, as keyword arguments."""
        self.expect(("table",), key, node, "a table")
        values = {}
        for name, (option, value) in node.entries.items():
            if name not in readers:
                self.fail(option, f'unknown option "{name}"{did_you_mean(name, readers)}')
            values[name.replace("-", "_")] = readers[name](self, option, value)
        return values

    def table(self, key: Node, node: Node, read: Callable[[Node, Node], Any]) -> dict[str, Any]:
        """A table whose keys are the user's own."""
        self.expect(("table",), key, node, "a table")
        return {name: read(*entry) for name, entry in node.entries.items()}

    def string(self, key: Node, node: Node) -> str:
        self.expect(("string",), key, node, "a string")
        return node.text

    def scalar(self, key: Node, node: Node) -> str:
        """A string, or whatever else as it is written."""
        self.expect(("string", "number", "boolean", "date"), key, node, "a string")
        return node.text

    def boolean(self, key: Node, node: Node) -> bool:
        self.expect(("boolean",), key, node, "true or false")
        return node.text.lower() in ("true", "yes", "on", "y")

    def scalars(self, key: Node, node: Node) -> dict[str, str]:
        return self.table(key, node, self.scalar)

    def strings(self, key: Node, node: Node) -> tuple[str, ...]:
        for item in (node, *node.items):
            self.expect(("list",) if item is node else ("string",), key, item, "a list of strings")
        return tuple(item.text for item in node.items)

    def choice(self, key: Node, node: Node, choices: Collection[str]) -> str:
        text = self.string(key, node)
        if text not in choices:
            meant = did_you_mean(text, choices)
            self.fail(node, f'"{key.text}" must be one of {", ".join(choices)}, not "{text}"{meant}')
        return text

    def driver(self, key: Node, node: Node) -> str:
        text = self.scalar(key, node)
        if not _DRIVER.fullmatch(text):
            self.fail(node, f'"{key.text}" must be a version of NVIDIA\'s driver, as 535 or 535.183.01, not "{text}"')
        return text

    def gpus(self, key: Node, node: Node) -> tuple[str, ...]:
        # Of no concern to most.
        from mllint import facts

        names = facts.by("gpus", "name")
        for item in node.items:
            if item.text.upper() not in names:
                meant = did_you_mean(item.text, names)
                self.fail(item, f'"{key.text}" must be some of {", ".join(names)}, not "{item.text}"{meant}')
        return self.strings(key, node)

    def check_selectors(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if self.known and not self.known(node.text):
                self.fail(node, f'unknown rule "{node.text}"{did_you_mean(node.text, self.names)}')

    def selectors(self, key: Node, node: Node) -> tuple[str, ...]:
        texts = self.strings(key, node)
        self.check_selectors(node.items)
        return texts

    def reasons(self, key: Node, node: Node) -> dict[str, str]:
        """Rules in a list, or in a table with the reason for each."""
        self.expect(("list", "table"), key, node, "a list of rules, or a table of rules and reasons")
        if node.kind == "list":
            return dict.fromkeys(self.selectors(key, node), "")
        self.check_selectors(rule for rule, _ in node.entries.values())
        return self.table(key, node, self.string)

    def ignores(self, key: Node, node: Node) -> dict[str, dict[str, str]]:
        return self.table(key, node, self.reasons)

    def severities(self, key: Node, node: Node) -> dict[str, Severity]:
        choices = [severity.value for severity in Severity]
        severities = self.table(key, node, lambda rule, value: Severity(self.choice(rule, value, choices)))
        self.check_selectors(rule for rule, _ in node.entries.values())
        return severities

    def distributions(self, key: Node, node: Node) -> dict[str, str]:
        return dict.fromkeys(self.strings(key, node), "") if node.kind == "list" else self.scalars(key, node)

    def bases(self, key: Node, node: Node) -> dict[str, Base]:
        return self.table(key, node, lambda image, base: Base(**self.options(image, base, _BASE)))

    def dockerfiles(self, key: Node, node: Node) -> dict[str, Overrides]:
        return self.table(key, node, lambda glob, table: Overrides(**self.options(glob, table, _OVERRIDES)))


def _verify(reader: Reader, key: Node, node: Node) -> Verify:
    # Of no concern to those who only check.
    from mllint.verification.configuration import read

    return read(reader, key, node)


def _one_of(choices: Collection[str]) -> Read:
    return lambda reader, key, node: reader.choice(key, node, choices)


_OVERRIDES: dict[str, Read] = {
    "context": Reader.string,
    "target": Reader.scalar,
    "build-args": Reader.scalars,
    "platform": _one_of(PLATFORMS),
    "accelerator": _one_of(ACCELERATORS),
    "driver": Reader.driver,
    "gpus": Reader.gpus,
}
OPTIONS: dict[str, Read] = {
    "select": Reader.selectors,
    "extend-select": Reader.selectors,
    "ignore": Reader.reasons,
    "preset": _one_of(PRESETS),
    "severity": Reader.severities,
    "exclude": Reader.strings,
    "per-path-ignores": Reader.ignores,
    **_OVERRIDES,
    "bases": Reader.bases,
    "dockerfiles": Reader.dockerfiles,
    "verify": _verify,
}
_BASE: dict[str, Read] = {
    "like": Reader.string,
    "distro": Reader.string,
    "suite": Reader.scalar,
    "architectures": Reader.strings,
    "libc": _one_of(LIBCS),
    "user": Reader.scalar,
    "uid": Reader.scalar,
    "home": Reader.string,
    "root-home-mode": Reader.scalar,
    "workdir": Reader.string,
    "python": Reader.scalar,
    "python-prefix": Reader.string,
    "externally-managed": Reader.boolean,
    "env": Reader.scalars,
    "entrypoint": Reader.strings,
    "command": Reader.strings,
    "healthcheck": Reader.strings,
    "ports": Reader.strings,
    "onbuild": Reader.strings,
    "programs": Reader.strings,
    "libraries": Reader.strings,
    "distributions": Reader.distributions,
    "complete": Reader.boolean,
}
