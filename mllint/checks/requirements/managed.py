"""ML605: an install into a Python that belongs to the packages of the operating system."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.calls import uses_of
from mllint.checks.requirements.environments import with_environment
from mllint.findings import Finding, Location
from mllint.image.installing import indexed
from mllint.image.installing.managed import refused
from mllint.image.stage import Stage


@check("ML605")
def externally_managed_python(stage: Stage) -> Iterator[Finding]:
    """An install into a Python that belongs to the packages of the operating system."""
    for use in uses_of(stage):
        if refused(stage, use.install) is not None:
            tool, base = indexed.tool(use.install), stage.root.base.text
            message = (
                f"{tool} refuses to install into the Python of {base} (externally-managed-environment): the build fails"
            )
            repair = (
                "make a virtual environment, RUN python3 -m venv /opt/venv and ENV PATH=/opt/venv/bin:$PATH, or add"
                " --break-system-packages"
            )
            where = Location(stage.build.source, use.install.span)
            yield Finding(where, message, repair, fix=with_environment(stage))
