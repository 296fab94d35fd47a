"""ML632: an import that nothing provides."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.runtime import installed_fixes
from mllint.findings import Finding, Location, Related, Severity
from mllint.image.serving import undeclared
from mllint.image.stage import Stage


@check("ML632")
def undeclared_import(stage: Stage) -> Iterator[Finding]:
    """What is imported when the container starts and is in none of the packages of the image."""
    for each in undeclared.imports(stage) if stage.is_final else ():
        assert stage.process is not None
        place = Location(each.file.source, each.file.source.line_span(each.line))
        yield Finding(
            Location(stage.build.source, stage.process.instruction.span),
            f"{each.file.name} imports {each.module}, and nothing installs {each.distribution}:"
            " the container ends as soon as it starts",
            f"install {each.distribution}",
            (Related(place, "it is imported here"),),
            installed_fixes.required(stage, each.distribution),
            None if each.is_verified else Severity.WARNING,
        )
