"""Reports as the engine hands them to the renderers, for the tests of each format."""

from __future__ import annotations

from mllint.catalogue import Rule
from mllint.findings import Edit, Finding, Fix, InputError, Location, Related, Report, Severity, Undecided
from mllint.sources.text import Source, Span


def at(source: Source, text: str) -> Location:
    """The first place of a text in a source."""
    start = source.text.index(text)
    return Location(source, Span(start, start + len(text)))


def rule(identifier: str, name: str, severity: Severity, family: str, *aliases: str) -> Rule:
    return Rule(identifier, name, f"About {name}", severity, family, ("default", "strict"), "sometimes", (), aliases)


def findings(number: int, severity: Severity) -> list[Finding]:
    """As many findings of one severity as asked for, each on a line of its own."""
    lines = Source("Dockerfile", "RUN true\n" * number)
    broken = rule("ML999", "some-fault", severity, "runtime")
    places = [Location(lines, lines.line_span(line)) for line in range(1, number + 1)]
    return [Finding(place, "a fault", severity=severity, rule=broken) for place in places]


DOCKERFILE = Source(
    "Dockerfile",
    "FROM python:3.11-slim\n"
    "COPY requirements.txt .\n"
    "RUN pip install \\\n"
    "    -r requirements.txt\n"
    'HEALTHCHECK CMD python -c "import requests"\n',
)
REQUIREMENTS = Source("requirements.txt", "fastapi==0.109.0\nuvicorn\n")

_PIP = at(DOCKERFILE, "RUN pip install \\\n    -r requirements.txt")
_INSTALL = DOCKERFILE.text.index(" \\")
_IMPORT = Span(DOCKERFILE.text.index('requests"'), DOCKERFILE.text.index('"\n'))

MISSING_MODULE = Finding(
    Location(DOCKERFILE, _IMPORT),
    "HEALTHCHECK imports requests, which nothing installs: the container will never be healthy",
    repair="probe with urllib.request, or install requests",
    related=(
        Related(at(REQUIREMENTS, "fastapi==0.109.0"), "this file is all that is installed"),
        Related(Location(DOCKERFILE, Span(_IMPORT.start - 8, _IMPORT.start)), "the probe starts here"),
    ),
    fix=Fix("unsafe", "Install requests", (Edit(Location(REQUIREMENTS, Span(25, 25)), "requests\n"),)),
    rule=rule("ML302", "healthcheck-module-missing", Severity.ERROR, "runtime"),
)
CACHE_KEPT = Finding(
    _PIP,
    "pip leaves its cache in the layer",
    fix=Fix("safe", "Add --no-cache-dir", (Edit(Location(DOCKERFILE, Span(_INSTALL, _INSTALL)), " --no-cache-dir"),)),
    rule=rule("ML401", "pip-cache-kept", Severity.WARNING, "layers", "hadolint:DL3042"),
)
REPORT = Report(
    findings=(CACHE_KEPT, MISSING_MODULE),
    errors=(
        InputError("old/requirements.txt", 3, "byte 0xff is no UTF-8"),
        InputError("gone.txt", None, "no such file"),
    ),
    undecided=(
        Undecided("Dockerfile", 1, "which Python the base has"),
        Undecided("Dockerfile.gpu", 1, "which Python the base has"),
        Undecided("Dockerfile.gpu", 9, "what build.sh installs"),
    ),
    files=("Dockerfile", "requirements.txt"),
    suppressed=1,
)
