"""ML609: names under which people import something, and which are no distribution of it."""

from collections.abc import Iterator, Mapping

from mllint import facts
from mllint.checks import check
from mllint.checks.requirements.asking import Wish, wishes
from mllint.edits import delete_lines, replace
from mllint.engine import Requirements
from mllint.findings import Edit, Finding, Fix, Severity
from mllint.image.installing.indexed import Asked
from mllint.image.releases import version_of
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.requirements import normalised
from mllint.sources.text import Span

_NAME = regex(r"[\w.-]*\w")
_FAILS_SINCE = "3.11"
# Who sets it wants the stub.
_ALLOWS_STUB = "SKLEARN_ALLOW_DEPRECATED_SKLEARN_PACKAGE_INSTALL"


@check("ML609")
def import_name_as_package(subject: Stage | Requirements) -> Iterator[Finding]:
    """A name that something is imported by, asked for as if it were the distribution."""
    asked = list(wishes(subject))
    names = {each.asked.name for each in asked}
    seen = set()
    for wish in asked:
        row = next(iter(facts.by("import_names", "name").get(wish.asked.name, ())), None)
        if row is None or wish.asked in seen or _works(row, wish, names):
            continue
        seen.add(wish.asked)
        where, other = wish.place
        message, repair = _said(row, wish)
        is_hint = row["effect"] in ("backport", "forwards")
        may_pass = _may_pass(row, wish)
        doubt = Severity.WARNING if row["status"] != "verified" or may_pass else None
        yield Finding(
            where,
            message,
            repair,
            (other,) if other else (),
            fix=_fix(row, wish, names),
            severity=Severity.INFO if is_hint else doubt,
            is_strict=row["effect"] == "forwards" or may_pass,
        )


def _may_pass(row: Mapping[str, str], wish: Wish) -> bool:
    """Whether the pip of the image may be one that steps back to an empty release instead of failing, as some of 2020
    and 2021 do (tried with pip 20.3.4, 21.2.4 and 21.3.1); none that runs on Python 3.11 is."""
    is_old = wish.minor is None or version_of(wish.minor) < version_of(_FAILS_SINCE)
    return "steps_back" in row and wish.asked.version is None and is_old


def _works(row: Mapping[str, str], wish: Wish, asked: set[str]) -> bool:
    """Whether the name gives what is meant, or nobody knows."""
    each = wish.asked
    if row["effect"] == "backport":
        return wish.minor is None or version_of(wish.minor) < version_of(row["since"])
    if row["effect"] == "forwards":
        return row["meant"] in asked
    if row["effect"] != "refuses":
        return False
    if wish.use is not None and wish.use.install.variable(_ALLOWS_STUB):
        return True
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        if each.version is not None:
            return "except" in row and SpecifierSet(row["except"]).contains(each.version)
        return not SpecifierSet(each.specifier).contains(row["newest"])
    except InvalidSpecifier:
        return True


def _said(row: Mapping[str, str], wish: Wish) -> tuple[str, str]:
    """Message and repair."""
    name = _written(wish.asked)
    match row["effect"]:
        case "backport":
            return (
                f"{name} is a part of Python itself since {row['since']}: the package of that name is for older ones"
                " and does nothing",
                "leave it out",
            )
        case "forwards":
            return f"{name} is an empty package that brings {row['meant']} in any release", f"write {row['meant']}"
        case "absent":
            effect = f"is not on the package index: {wish.tool} finds no matching distribution and the build fails"
        case _ if _may_pass(row, wish):
            effect = "on the package index is a stub: pip ends with an error, or installs an empty release of it"
        case _:
            effect = "on the package index is a stub whose installation ends with an error: the build fails"
    return f"{name} {effect}", f"write {row['meant']}"


def _fix(row: Mapping[str, str], wish: Wish, asked: set[str]) -> Fix | None:
    """The distribution that is meant, where no version of the other one hangs on the name; what Python has itself, and
    what is asked for already, is left out."""
    each = wish.asked
    meant = row.get("meant")
    is_of_file = wish.use is None or each.source is not wish.use.stage.build.source
    if meant is None or meant in asked:
        edit = _without(each) if is_of_file else None
        return Fix("safe", f"leave {_written(each)} out", (edit,)) if edit is not None else None
    span = _span(each)
    if each.specifier or span is None:
        return None
    is_sure = "choice" not in row and row["status"] == "verified"
    return Fix("safe" if is_sure else "unsafe", f"write {meant}", (replace(each.source, span, meant),))


def _without(each: Asked) -> Edit | None:
    """Without the line of a requirement."""
    first, last = (each.source.position(at)[0] for at in each.span)
    is_of_project = each.source.path.endswith(".toml")
    return delete_lines(each.source, first, last) if first == last and not is_of_project else None


def _span(each: Asked) -> Span | None:
    """The name in a requirement."""
    match = _NAME.match(each.source.text, each.span.start, each.span.end)
    return Span(*match.span()) if match and normalised(match[0]) == each.name else None


def _written(each: Asked) -> str:
    span = _span(each)
    return each.source.slice(span) if span is not None else each.name
