"""The examples in a rule's Markdown, which document the rule and test it.

Under `## Bad` and `## Good` each `### title` begins a case; fences before the first title are a case of their own. The
info string of a fence says what it is:

- `<language> <path> [eol=crlf] [bom] [mode=755] [encoding=utf-16]` is a file of the build context;
- `text expect` (in a *Bad*) lists the findings of the rule as `path:line:column severity ID message`, in report order;
- `text engine` (in a *Bad* that has files after the fix) says how the fault shows where the files are built and run as
  they are: `row: text`, a row of `mllint verify` and what its value or the lines below it hold;
- `yaml tree` maps paths to `{size: 80MB}`, `{bytes: "\\x80\\x04"}`, `{text: …}`, each with a `mode` if need be, or to
  `{link: target}`; a path that ends in a slash is an empty folder, `{}`.

The word `fixed` behind a file or tree says that this is how the fix leaves it.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mllint.catalogue import CatalogueError
from mllint.findings import Severity
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mllint.catalogue import Rule
    from mllint.findings import Finding, Report

_HEADING = regex(r"(#{2,3}) +(.*?) *")
_FENCE = regex(r"(`{3,}|~{3,})(.*)")
_EXPECTED = regex(rf".+:\d+:\d+ (?:{'|'.join(severity.value for severity in Severity)}) (\S+) \S.*")
_SYMPTOM = regex(r"(built|healthy|reachable): (\S.*)")
_SIZE = regex(r"(\d+)(?:([KMG])(i?))?B")
_MODE = regex(r"[0-7]{3,4}")
_TREE_KEYS = ("size", "bytes", "text", "mode", "link")


class ExampleFile(NamedTuple):
    """A file of an example; with a path that ends in a slash, an empty folder."""

    path: str
    content: bytes = b""
    size: int = 0
    """Bytes in all: behind the content lies a hole up to here."""
    mode: int = 0o644
    link: str | None = None
    """What the file is a symbolic link to."""

    def write(self, folder: Path) -> None:
        target = folder / self.path
        (target if self.path.endswith("/") else target.parent).mkdir(parents=True, exist_ok=True)
        if self.link is not None:
            target.symlink_to(self.link)
        elif not target.is_dir():
            with target.open("wb") as file:
                file.write(self.content)
                file.truncate(max(self.size, len(self.content)))
            target.chmod(self.mode)


class Symptom(NamedTuple):
    """How a fault shows on an engine."""

    row: str
    """The first row of `mllint verify` that fails."""
    text: str
    """What it says, in any case of letters: the runtimes of containers differ in that."""


class Case(NamedTuple):
    """One example of a rule: a build context and what the rule says of it."""

    name: str
    """`Bad` or `Good`, with the case's title behind a colon where it has one."""
    path: Path
    """The rule's Markdown file."""
    line: int
    files: tuple[ExampleFile, ...]
    fixed: tuple[ExampleFile, ...]
    """The files that the fix changes or makes, as it leaves them."""
    expected: tuple[str, ...]
    """The rule's findings as `path:line:column severity ID message`; none in a *Good*."""
    symptom: Symptom | None = None
    """What the fault looks like on an engine, where the case is made to be built and run there."""

    @property
    def is_bad(self) -> bool:
        return self.name.startswith("Bad")

    def write(self, folder: Path) -> None:
        """Lay the files, before any fix, into a folder."""
        for file in self.files:
            file.write(folder)


def cases(markdown: str, path: Path) -> tuple[Case, ...]:
    """The examples in the whole text of a rule file; raises CatalogueError where the format is broken."""
    found = tuple(_case(draft, path) for draft in _drafts(markdown.split("\n"), path))
    for section in ("Bad", "Good"):
        if not any(case.name.startswith(section) for case in found):
            raise CatalogueError(path, 1, f"no example under a heading `## {section}`")
    return found


def validate(rule: Rule, examples: Sequence[Case]) -> None:
    """Raise CatalogueError where examples do not fit their rule: findings of another, or a fix without its outcome."""
    for case in examples:
        for line in case.expected:
            match = _EXPECTED.fullmatch(line)
            if match is None or match[1] != rule.id:
                raise CatalogueError(
                    case.path, case.line, f"not `path:line:column severity {rule.id} message` in `text expect`: {line}"
                )
    fixed = next((case for case in examples if case.fixed), None)
    if fixed is None and rule.fix != "none":
        raise CatalogueError(examples[0].path, 1, f"fix is `{rule.fix}`, yet no Bad has the files after it (`fixed`)")
    if fixed is not None and rule.fix == "none":
        raise CatalogueError(fixed.path, fixed.line, "fix is `none`, yet the case has files after a fix (`fixed`)")
    shown = next((case for case in examples if case.symptom), None)
    if shown is None and rule.proof is not None:
        raise CatalogueError(examples[0].path, 1, f"proof is `{rule.proof}`, yet no Bad has a fence `text engine`")
    if shown is not None and rule.proof is None:
        raise CatalogueError(shown.path, shown.line, "the case has a fence `text engine`, yet the rule no `proof`")


def run(case: Case, rule: Rule, folder: Path) -> list[str]:
    """Write a case into an empty folder, lint it, and say what is not as the case has it, a line each. All rules and
    their strictest cases are on, unless the case has a `.mllint.yaml` that names a preset.

    A case that has files after a fix is repaired by the fixes of its own rule alone, which bring no other finding."""
    from mllint import fix, lint

    case.write(folder)
    names_preset = any(file.path == ".mllint.yaml" and b"preset:" in file.content for file in case.files)
    preset = None if names_preset else "all"
    failed = failures(case, rule, lint([folder], preset=preset, cwd=folder))
    if failed or not case.fixed:
        return failed
    fixed = fix([folder], unsafe=True, write=False, select=[rule.id], preset=preset, cwd=folder)
    after = {change.path: change.after for change in fixed.changes}
    before, then = (lint([folder], cwd=folder, given=given) for given in (None, after))
    return [
        *_unlike(case, {change.name: change.after for change in fixed.changes}),
        *_refusals(fixed.report),
        *_brought(before, then),
    ]


def _unlike(case: Case, after: Mapping[str, bytes]) -> Iterator[str]:
    """How the files that repairs change differ from those of the case."""
    wanted = {file.path: file.content for file in case.fixed}
    for path in sorted(wanted.keys() | after.keys()):
        lines = (content.get(path, b"").decode("utf-8", "replace").split("\n") for content in (wanted, after))
        difference = _difference(*lines) if wanted.get(path) != after.get(path) else []
        yield from (f"{path} after the fix: {line}" for line in difference)


def _brought(before: Report, after: Report) -> Iterator[str]:
    """The findings of rules that had none before the fix."""
    known = {finding.rule for finding in before.findings}
    for finding in after.findings:
        if finding.rule not in known:
            yield f"the fix brings {_line(finding)}"


def _refusals(report: Report) -> Iterator[str]:
    for finding, reason in report.refused:
        yield f"the fix of {_line(finding)} was undone: {reason}"


def failures(case: Case, rule: Rule, report: Report) -> list[str]:
    """What a report on a case does not have as the case says: lost (`-`) and unexpected (`+`) lines among the rule's.

    In a *Good*, errors of any other rule and inputs that could not be read are failures too.
    """
    own = [_line(finding) for finding in report.findings if finding.rule == rule]
    failed = [] if own == list(case.expected) else _difference(case.expected, own)
    if not case.is_bad:
        others = (finding for finding in report.findings if finding.rule != rule)
        failed += [f"+ {_line(finding)}" for finding in others if finding.severity is Severity.ERROR]
    if failed or not case.is_bad:
        failed += [f"input error: {error.path}:{error.line or 1} {error.message}" for error in report.errors]
    if failed:
        failed += [f"undecided: {open_.path}:{open_.line} {open_.message}" for open_ in report.undecided]
    return failed


def _line(finding: Finding) -> str:
    assert finding.rule is not None, "the engine gives every finding its rule"
    line, column = finding.location.start
    severity = finding.severity or finding.rule.severity
    return f"{finding.location.path}:{line}:{column} {severity.value} {finding.rule.id} {finding.message}"


def _difference(expected: Iterable[str], found: Iterable[str]) -> list[str]:
    import difflib

    return [line for line in difflib.ndiff(list(expected), list(found)) if not line.startswith("?")]


class _Fence(NamedTuple):
    path: Path
    line: int
    info: tuple[str, ...]
    lines: tuple[str, ...]

    def error(self, message: str) -> CatalogueError:
        return CatalogueError(self.path, self.line, message)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A case before its fences are read."""

    name: str
    line: int
    fences: list[_Fence] = field(default_factory=list)


def _drafts(lines: Sequence[str], path: Path) -> Iterator[_Draft]:
    """The cases by their headings, each with its fences; a `##` heading is one only where fences follow it directly."""
    section = ""
    draft = _Draft("", 0)
    for item in _items(lines, path):
        if isinstance(item, _Fence):
            draft.fences.append(item)
            continue
        number, level, title = item
        if section and draft.fences:
            yield draft
        elif section and draft.name != section:
            raise CatalogueError(path, draft.line, "the case has no files")
        if level == 2:
            section = title if title in ("Bad", "Good") else ""
        draft = _Draft(section if level == 2 else f"{section}: {title}", number)


def _items(lines: Sequence[str], path: Path) -> Iterator[_Fence | tuple[int, int, str]]:
    """The fences and headings (line, level, title) in order, and last a heading that closes the last section."""
    at = 0
    while at < len(lines):
        number = at + 1
        if opening := _FENCE.fullmatch(lines[at]):
            end = next((i for i in range(number, len(lines)) if _closes(lines[i], opening[1])), None)
            if end is None:
                raise CatalogueError(path, number, "the fence is never closed")
            yield _Fence(path, number, tuple(opening[2].split()), tuple(lines[number:end]))
            at = end
        elif heading := _HEADING.fullmatch(lines[at]):
            yield number, len(heading[1]), heading[2]
        at += 1
    yield len(lines), 2, ""


def _closes(line: str, opening: str) -> bool:
    mark = line.rstrip()
    return mark.startswith(opening) and not mark.strip(opening[0])


def _case(draft: _Draft, path: Path) -> Case:
    before: list[ExampleFile] = []
    fixed: list[ExampleFile] = []
    expected: list[str] = []
    symptom: Symptom | None = None
    for fence in draft.fences:
        if fence.info == ("text", "expect"):
            expected += fence.lines
        elif fence.info == ("text", "engine"):
            symptom = _symptom(fence)
        else:
            (fixed if "fixed" in fence.info[2:] else before).extend(_files(fence))
    names = [file.path for file in before]
    is_good = draft.name.startswith("Good")
    for is_wrong, message in (
        (not names, "the case has no files"),
        (len(set(names)) < len(names), "the case has a file twice"),
        (not is_good and not expected, "a Bad lists its findings in a fence `text expect`"),
        (is_good and expected, "a Good has no findings, so no fence `text expect`"),
        (is_good and fixed, "a Good has nothing to fix, so no `fixed`"),
        (symptom and not fixed, "what shows on an engine (`text engine`) wants the files after the fix (`fixed`)"),
    ):
        if is_wrong:
            raise CatalogueError(path, draft.line, message)
    return Case(draft.name, path, draft.line, tuple(before), tuple(fixed), tuple(expected), symptom)


def _symptom(fence: _Fence) -> Symptom:
    match = _SYMPTOM.fullmatch("\n".join(fence.lines))
    if match is None:
        raise fence.error("`text engine` is one line, `built: text`, `healthy: text` or `reachable: text`")
    return Symptom(match[1], match[2])


def _files(fence: _Fence) -> list[ExampleFile]:
    if len(fence.info) < 2:
        raise fence.error("the fence names no file: write a path behind the language")
    files = _tree(fence) if fence.info[:2] == ("yaml", "tree") else [_file(fence)]
    for file in files:
        if file.path.startswith("/") or ".." in file.path.split("/"):
            raise fence.error(f"{file.path} lies outside the build context")
    return files


def _file(fence: _Fence) -> ExampleFile:
    end, encoding, start, mode = "\n", "utf-8", b"", "644"
    for word in fence.info[2:]:
        match word.partition("="):
            case ("eol", _, "crlf"):
                end = "\r\n"
            case ("bom", "", _):
                start = codecs.BOM_UTF8
            case ("encoding", _, name):
                encoding = name
            case ("mode", _, digits):
                mode = digits
            case ("fixed", "", _):
                pass
            case _:
                raise fence.error(f"`{word}` is none of eol=crlf, bom, mode=…, encoding=… and fixed")
    try:
        content = "".join(f"{line}{end}" for line in fence.lines).encode(encoding)
    except (LookupError, UnicodeError) as error:
        raise fence.error(str(error)) from None
    return ExampleFile(fence.info[1], start + content, mode=_mode(mode, fence))


def _tree(fence: _Fence) -> list[ExampleFile]:
    import yaml

    if fence.info[2:] not in ((), ("fixed",)):
        raise fence.error("only `fixed` may stand behind `yaml tree`")
    try:
        tree = yaml.load("\n".join(fence.lines), yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise fence.error(str(error)) from None
    if not isinstance(tree, dict):
        raise fence.error("a `yaml tree` maps each path to what is there")
    return [_tree_file(name, entry, fence) for name, entry in tree.items()]


def _tree_file(name: str, entry: object, fence: _Fence) -> ExampleFile:
    if not isinstance(entry, dict) or not all(key in _TREE_KEYS and isinstance(entry[key], str) for key in entry):
        raise fence.error(f"{name} wants a mapping of some of {', '.join(_TREE_KEYS)} to plain values")
    if name.endswith("/") and entry:
        raise fence.error(f"{name} is a folder, which wants an empty mapping")
    size = _SIZE.fullmatch(entry.get("size", "0B"))
    if size is None:
        raise fence.error(f"{name}: a size is a whole number and B, KB, MB, GB, KiB, MiB or GiB: {entry['size']}")
    try:
        content = entry.get("bytes", "").encode("latin-1") + entry.get("text", "").encode()
    except UnicodeEncodeError:
        raise fence.error(f'{name}: bytes are characters up to "\\xff", one a byte') from None
    return ExampleFile(
        name,
        content,
        size=int(size[1]) * (1024 if size[3] else 1000) ** " KMG".index(size[2] or " "),
        mode=_mode(entry.get("mode", "644"), fence),
        link=entry.get("link"),
    )


def _mode(digits: str, fence: _Fence) -> int:
    if not _MODE.fullmatch(digits):
        raise fence.error(f"a mode is three or four octal digits, not {digits}")
    return int(digits, 8)
