"""ML609: names under which people import something, and which are no distribution of it."""

from collections.abc import Iterator, Mapping

from mllint import facts
from mllint.checks import check
from mllint.checks.requirements.asking import Wish, wishes
from mllint.edits import delete_lines, replace
from mllint.engine import Requirements
from mllint.findings import Edit, Finding, Fix, Severity
from mllint.image.installing import indexed, offered
from mllint.image.installing.clashing import required
from mllint.image.installing.fitting import place
from mllint.image.installing.indexed import Asked
from mllint.image.installing.pins import preinstalled
from mllint.image.names import common_name
from mllint.image.releases import version_of
from mllint.image.stage import Stage
from mllint.patterns import regex
from mllint.sources.requirements import normalised
from mllint.sources.text import Span

_NAME = regex(r"[\w.-]*\w")
_FAILS_SINCE = "3.11"
# The last images of these lines have pip 23, which does not step back.
_LAST_OF_LINE = regex(r"3\.(?:7|8|9|10)(?:-(?!alpine).*)?")
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
        beside = _beside(row, wish, names)
        repair = f"leave it out, as {beside}" if beside is not None else repair
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
    reference = wish.use.stage.root.base.reference if wish.use is not None else None
    if reference is not None and common_name(reference) == "python" and _LAST_OF_LINE.fullmatch(reference.tag or ""):
        return False
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
            effect = (
                "on the package index is a stub: pip ends with an error, or goes back to 0.0, which only brings"
                f" {row['meant']}"
            )
        case _:
            effect = "on the package index is a stub whose installation ends with an error: the build fails"
    return f"{name} {effect}", f"write {row['meant']}"


def _beside(row: Mapping[str, str], wish: Wish, asked: set[str]) -> str | None:
    """Who brings what is meant."""
    meant = row.get("meant", "")
    if meant in asked:
        return f"{meant} is asked for beside it"
    is_there = wish.use is not None and meant in preinstalled(wish.use.stage)
    return f"{wish.use.stage.root.base.text} has {meant}" if wish.use is not None and is_there else None


def _fix(row: Mapping[str, str], wish: Wish, asked: set[str]) -> Fix | None:
    """The distribution that is meant, where no version of the other one hangs on the name; what Python has itself, and
    what is asked for already, is left out."""
    each = wish.asked
    meant = row.get("meant")
    is_of_file = wish.use is None or each.source is not wish.use.stage.build.source
    if meant is None or _beside(row, wish, asked) is not None:
        edit = _without(each) if is_of_file else None
        return Fix("safe", f"leave {_written(each)} out", (edit,)) if edit is not None else None
    span = _span(each)
    if each.specifier or span is None:
        return None
    is_sure = "choice" not in row and row["status"] == "verified"
    version = _release(meant, wish)
    if version is None and wish.use is None and facts.by("ml_frameworks", "name").get(meant):
        # Which of its releases the Python of the image can take, nobody knows.
        return None
    text = f"{meant}=={version}" if version is not None and _is_bare(each, span) else meant
    return Fix("safe" if is_sure else "unsafe", f"write {text}", (replace(each.source, span, text),))


def _is_bare(each: Asked, span: Span) -> bool:
    """Whether the shell takes nothing behind a name for a redirection, and no extras stand there."""
    return each.source.text[span.end : span.end + 1] not in tuple("[<>")


def _release(name: str, wish: Wish) -> str | None:
    """The newest release that the pins beside it and the interpreter admit, as far as the tables tell."""
    where = place(wish.use.stage, wish.use.install) if wish.use is not None else None
    if wish.use is None or where is None or name in preinstalled(wish.use.stage):
        return None
    pins = {each.name: each.version for each in indexed.asked(wish.use.stage, wish.use.install) if each.version}
    limits = (str(one.specifier) for pin in pins.items() for one in required(*pin) if normalised(one.name) == name)
    version = offered.newest(name, where.minor, ",".join(filter(None, limits)))
    offer = offered.offer(name, version) if version is not None else None
    if version is None or offer is None or not offer.has_wheel(where.minor, where.platform):
        return None
    needs = ((normalised(one.name), one.specifier) for one in required(name, version))
    fits = all(limit.contains(pins[other], prereleases=True) for other, limit in needs if other in pins)
    return version if fits else None


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
