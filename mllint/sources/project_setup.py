"""`setup.cfg` and `setup.py`: what they say literally about a project. Nothing is executed.

After "Configuring setuptools using setup.cfg files" and "Keywords" in the manual of setuptools.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from mllint.patterns import regex
from mllint.sources.pip_options import Text
from mllint.sources.pyproject import Requirements, Script, folder_of_package
from mllint.sources.requirements import normalised, parse_requirement
from mllint.sources.text import Logical, Problem, Span

if TYPE_CHECKING:
    import configparser
    from collections.abc import Mapping

    from mllint.sources.text import Source


class Setup(NamedTuple):
    """What one of the two files says; with broken syntax everything is absent."""

    source: Source
    name: str | None
    version: str | None
    requires_python: str | None
    dependencies: Requirements
    optional_dependencies: Mapping[str, Requirements]
    """By normalised extra."""
    scripts: tuple[Script, ...]
    """Of `console_scripts`."""
    packages: tuple[Text, ...]
    """Folders of the packages that are listed, as paths below the project."""
    modules: tuple[Text, ...]
    """Single modules that are listed, as dotted names."""
    dynamic: frozenset[str]
    """Keywords of setuptools that are given, but only known when the build runs."""
    opened: tuple[Text, ...]
    """Files that the build reads, by literal path: of `file:` in setup.cfg, of `open` and `read_text` in setup.py."""
    problems: tuple[Problem, ...]


def parse(source: Source) -> Setup:
    """Read a `setup.py`, or by any other name a `setup.cfg`. Never raises."""
    return _of_python(source) if source.path.endswith(".py") else _of_ini(source)


def _assembled(source: Source, given: _Given, problems: list[Problem]) -> Setup:
    extras = {normalised(name): _requirements(texts) for name, texts in given.extras.items()}
    return Setup(
        source,
        given.single.get("name"),
        given.single.get("version"),
        given.single.get("python_requires"),
        _requirements(given.lists.get("install_requires", [])),
        extras,
        tuple(_scripts(source, given.scripts)),
        tuple(_folder(each, given.folders) for each in given.lists.get("packages", [])),
        tuple(Text(each.text, each.span(0, len(each.text))) for each in given.lists.get("py_modules", [])),
        frozenset(given.dynamic),
        tuple(given.opened),
        tuple(problems),
    )


class _Given:
    """What is collected from a file of either kind, by the keywords of setuptools."""

    def __init__(self) -> None:
        self.single: dict[str, str] = {}
        self.lists: dict[str, list[Logical]] = {}
        self.extras: dict[str, list[Logical]] = {}
        self.scripts: list[Logical] = []
        self.folders: dict[str, str] = {}
        self.dynamic: set[str] = set()
        self.opened: list[Text] = []


_SEPARATORS = {"install_requires": ";", "packages": ",", "py_modules": ",", "package_dir": ","}
_LISTS = ("install_requires", "packages", "py_modules")
_SINGLE = ("name", "version", "python_requires")


def _requirements(texts: list[Logical]) -> Requirements:
    return tuple(parse_requirement(text) for text in texts if text.text.strip() and not text.text.startswith("#"))


def _folder(name: Logical, folders: Mapping[str, str]) -> Text:
    return Text(folder_of_package(name.text, folders), name.span(0, len(name.text)))


def _scripts(source: Source, entries: list[Logical]) -> list[Script]:
    scripts = []
    for entry in entries:
        name, equals, target = entry.text.partition("=")
        if equals:
            line = source.position(entry.span(0, len(entry.text)).start)[0]
            scripts.append(Script(name.strip(), target.partition("[")[0].strip(), line))
    return scripts


# --- setup.cfg ----------------------------------------------------------------------------------------------------


def _of_ini(source: Source) -> Setup:
    import configparser

    parser = configparser.RawConfigParser()
    given = _Given()
    try:
        parser.read_string(source.text)
    except configparser.Error as error:
        return _assembled(source, given, [_ini_problem(source, error)])
    ini = _Ini(source, parser)
    for section, key, target in (
        ("metadata", "name", "name"),
        ("metadata", "version", "version"),
        ("options", "python_requires", "python_requires"),
    ):
        for text in ini.values(section, key):
            given.single[target] = text.text
    for key in _LISTS:
        given.lists[key] = ini.values("options", key)
    for extra in ini.keys("options.extras_require"):
        given.extras[extra] = ini.values("options.extras_require", extra)
    given.scripts = ini.values("options.entry_points", "console_scripts")
    for pair in ini.values("options", "package_dir"):
        name, _, folder = pair.text.partition("=")
        given.folders[name.strip()] = folder.strip()
    _set_aside_directives(given)
    return _assembled(source, given, [])


_DIRECTIVE = regex(r"(?P<kind>file|attr|find|find_namespace):\s*(?P<value>.*)")


def _set_aside_directives(given: _Given) -> None:
    """Move values like `file: requirements.txt` or `find:` from what is known to what the build finds out."""
    for key, value in [*given.single.items()]:
        if _DIRECTIVE.match(value):
            del given.single[key]
            given.dynamic.add(key)
    for key, texts in [
        *given.lists.items(),
        *((f"extras_require {name}", texts) for name, texts in given.extras.items()),
    ]:
        directive = _DIRECTIVE.match(texts[0].text) if texts else None
        if not directive:
            continue
        given.dynamic.add(key.partition(" ")[0])
        if directive["kind"] == "file":
            given.opened += _listed(texts[0].part(directive.start("value"), len(texts[0].text)))
            given.opened += [Text(each.text, each.span(0, len(each.text))) for each in texts[1:]]
        texts.clear()


def _listed(paths: Logical) -> list[Text]:
    return [Text(each[0], paths.span(*each.span())) for each in re.finditer(r"[^\s,](?:[^,]*[^\s,])?", paths.text)]


def _ini_problem(source: Source, error: configparser.Error) -> Problem:
    lines = [line for line, *_ in getattr(error, "errors", [])] or [getattr(error, "lineno", None) or 1]
    message = re.sub(r"^While reading .*?\]: |: '<string>'$", "", error.message.splitlines()[0])
    return Problem(source.line_span(min(lines[0], len(source.line_starts))), message)


class _Ini:
    """The values of a file that configparser has read, and where they stand."""

    def __init__(self, source: Source, parser: configparser.RawConfigParser) -> None:
        self.source = source
        self.parser = parser

    def keys(self, section: str) -> list[str]:
        return self.parser.options(section) if self.parser.has_section(section) else []

    def values(self, section: str, key: str) -> list[Logical]:
        """The lines of a value, empty ones left out; one line alone is divided as setuptools does."""
        value = self.parser.get(section, key, fallback="") or ""
        at = self.start(section, key)
        texts = []
        separator = _SEPARATORS.get(key, ";" if section == "options.extras_require" else "\n")
        for line in value.split("\n" if "\n" in value else separator):
            text = line.strip()
            if text and not text.startswith("#"):
                at = self.source.text.index(text, at)
                texts.append(Logical.of(self.source, Span(at, at + len(text))))
                at += len(text)
        return texts

    def start(self, section: str, key: str) -> int:
        """Where the value of a key begins."""
        header = re.compile(rf"^\[{re.escape(section)}\]", re.MULTILINE).search(self.source.text)
        found = re.compile(rf"^\s*{re.escape(key)}\s*[=:]", re.MULTILINE | re.IGNORECASE).search(
            self.source.text, header.end() if header else 0
        )
        return found.end() if found else 0


# --- setup.py -----------------------------------------------------------------------------------------------------


def _of_python(source: Source) -> Setup:
    given = _Given()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _Script(source, given).read(ast.parse(source.text))
    except SyntaxError as error:
        line = min(error.lineno or 1, len(source.line_starts))
        return _assembled(source, given, [Problem(source.line_span(line), error.msg)])
    except (ValueError, RecursionError, MemoryError):
        return _assembled(source, _Given(), [Problem(source.line_span(1), "no Python source")])
    return _assembled(source, given, [])


_OPENERS = frozenset({"open", "Path", "join", "joinpath"})


class _Script:
    """Collects the arguments of `setup(…)` from the tree of a setup.py."""

    def __init__(self, source: Source, given: _Given) -> None:
        self.source = source
        self.given = given
        self.assigned: dict[str, ast.expr] = {}
        """What names stand for that are assigned once, at the top level."""

    def read(self, tree: ast.Module) -> None:
        """Read the whole file."""
        nodes = list(ast.walk(tree))
        stored = Counter(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
        for statement in tree.body:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else None
            if isinstance(statement, ast.Assign) and isinstance(target, ast.Name) and stored[target.id] == 1:
                self.assigned[target.id] = statement.value
        for node in nodes:
            if isinstance(node, ast.Call):
                name = _last_name(node.func)
                if name == "setup":
                    self.arguments([(each.arg, each.value) for each in node.keywords])
                elif name in _OPENERS and node.args:
                    # `open(path, mode)`, but `join(folder, path)`.
                    self.open(node.args[0 if name == "open" else -1])

    def open(self, argument: ast.expr) -> None:
        """Note a path that the script opens."""
        if path := _string(argument):
            self.given.opened.append(Text(path, self.logical(argument, path).span(0, len(path))))

    def arguments(self, pairs: list[tuple[str | None, ast.expr]]) -> None:
        """Take keyword arguments; those of `**` are known where it is a literal dict."""
        for name, expression in pairs:
            value = self.resolved(expression)
            if name is None:
                self.arguments(self.pairs(value, "**"))
            elif name in _SINGLE:
                self.single(name, value)
            elif name in _LISTS:
                self.given.lists[name] = self.strings(value, name)
            elif name == "extras_require":
                for extra, listed in self.pairs(value, name):
                    self.given.extras[str(extra)] = self.strings(listed, name)
            elif name == "entry_points":
                for group, listed in self.pairs(value, name):
                    if group == "console_scripts":
                        self.given.scripts = self.strings(listed, name)
            elif name == "package_dir":
                for package, folder in self.pairs(value, name):
                    self.given.folders[str(package)] = _string(self.resolved(folder)) or ""

    def resolved(self, expression: ast.expr) -> ast.expr:
        """What a name stands for, where an earlier line settles that."""
        value = self.assigned.get(expression.id) if isinstance(expression, ast.Name) else None
        return value if value is not None and value.lineno < expression.lineno else expression

    def single(self, name: str, value: ast.expr) -> None:
        if (text := _string(value)) is not None:
            self.given.single[name] = text
        else:
            self.given.dynamic.add(name)

    def pairs(self, value: ast.expr, name: str) -> list[tuple[str | None, ast.expr]]:
        """The entries of a literal dict; what is not literal makes the keyword dynamic."""
        pairs: list[tuple[str | None, ast.expr]] = []
        if not isinstance(value, ast.Dict):
            self.given.dynamic.add(name)
            return pairs
        for key, each in zip(value.keys, value.values, strict=True):
            if key is not None and (text := _string(key)) is not None:
                pairs.append((text, each))
            else:
                self.given.dynamic.add(name)
        return pairs

    def strings(self, expression: ast.expr, name: str) -> list[Logical]:
        """The strings of a literal list or a sum of such; what is not literal makes the keyword dynamic."""
        value = self.resolved(expression)
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
            return [*self.strings(value.left, name), *self.strings(value.right, name)]
        texts = []
        for item in value.elts if isinstance(value, ast.List | ast.Tuple | ast.Set) else [value]:
            each = self.resolved(item)
            if (text := _string(each)) is not None:
                texts.append(self.logical(each, text))
            else:
                self.given.dynamic.add(name)
        return texts

    def logical(self, node: ast.expr, text: str) -> Logical:
        """A string literal with its places; all at its start where it is not written as one plain literal."""
        starts = self.source.line_starts
        line = starts[min(node.lineno, len(starts)) - 1]
        # Python counts columns in bytes of UTF-8.
        before = self.source.text[line : line + node.col_offset].encode()[: node.col_offset].decode(errors="ignore")
        start = line + len(before)
        if plain := re.compile(rf"[rRuU]?(?:\"\"\"|'''|[\"']){re.escape(text)}[\"']").match(self.source.text, start):
            inner = plain.end() - 1 - len(text)
            return Logical(text, (0,), (inner,))
        size = max(len(text), 1)
        return Logical(text, tuple(range(size)), (start,) * size)


def _string(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None
