"""Rules about what installs read of the context."""

import posixpath
from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.context.copy_fixes import copied_too
from mllint.checks.context.ignore_fixes import let_in
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.content.ignored import excluded_origin
from mllint.image.content.missing import fits_context, is_expected
from mllint.image.installing.reading import Lacking, lacking
from mllint.image.packages import Install
from mllint.image.stage import Stage


@check("ML506")
def requirements_include_not_copied(stage: Stage) -> Iterator[Finding]:
    """An install reads a file that is not there at that step."""
    if stage not in stage.build.needed:
        return
    for step in stage.steps:
        for install in step.installs:
            if install.executed.is_sure:
                for each in lacking(stage, install):
                    finding = _absent(stage, install, each)
                    if finding is not None:
                        yield finding
                        break


def _absent(stage: Stage, install: Install, each: Lacking) -> Finding | None:
    build, context = stage.build, stage.build.context
    if not (context.is_certain or fits_context(build)) or _lacks_source(stage, install):
        return None
    ignored = excluded_origin(stage, install.step, each.path)
    source = build.source
    fix: Fix | None = None
    related = [Related(Location(*each.place), "names it")] if each.place is not None else []
    if ignored is not None:
        why, repair = f"which {ignored.said} keeps out", f"add the line !{ignored.path} to {ignored.file}"
        fix = let_in(build, ignored)
    elif (origin := _origin(stage, each.path)) is not None:
        why = f"which nothing has put into {posixpath.dirname(each.path)} at this step"
        repair = f"copy {origin} there in front of this RUN"
        fix = copied_too(stage, install, each.path, origin)
    else:
        if is_expected(build, posixpath.basename(each.path)):
            return None
        why, repair = "which is not in the build context and which nothing makes", "correct the path, or add the file"
    severity = Severity.WARNING if each.is_mild else None
    message = f"{each.said}, {why}: the build fails"
    return Finding(Location(source, each.span), message, repair, tuple(related), fix, severity)


def _lacks_source(stage: Stage, install: Install) -> bool:
    """Whether a COPY in front names what is not there, which is then the fault."""
    context = stage.build.context
    copies = [step.copy for step in stage.steps_before(install.step) if step.copy]
    sources = [source for copy in copies if copy.origin == "context" for source in copy.sources]
    return any(not source.is_remote and not source.matches(context) for source in sources)


def _origin(stage: Stage, path: str) -> str | None:
    """The file of the context that was meant: the longest end of the path that is one."""
    context = stage.build.context
    parts = path.strip("/").split("/")
    ends = ("/".join(parts[at:]) for at in range(len(parts)))
    return next((end for end in ends if context.find(end) is not None and not context.excludes(end)), None)
