"""ML717: what a build asks of a GPU."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location
from mllint.image.gpu_at_build import at_build
from mllint.image.stage import Stage


@check("ML717")
def gpu_code_at_build(stage: Stage) -> Iterator[Finding]:
    """A command of the build that fails where there is no GPU."""
    is_needed = any(each is stage for each in stage.build.needed)
    if not is_needed or stage.root.base.kind == "unknown" or stage.is_windows:
        return
    for found in at_build(stage):
        message = f"{found.what} in a RUN, and a build has no GPU: {found.why}, and the build fails"
        repair = "leave it to the start of the container, or to a test that runs the image with --gpus all"
        yield Finding(Location(stage.build.source, found.span), message, repair)
