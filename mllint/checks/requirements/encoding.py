"""ML620: requirements files with characters that nobody sees in an editor, and pip does."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.edits import replace
from mllint.engine import Requirements
from mllint.findings import Edit, Finding, Fix, Location
from mllint.sources.hidden import Hidden, hidden
from mllint.sources.pip_encoding import without_nuls
from mllint.sources.text import Source, Span


@check("ML620")
def requirements_file_encoding(requirements: Requirements) -> Iterator[Finding]:
    """A file that is UTF-16 without saying so, or a line with a character that nobody sees."""
    source = requirements.file.source
    plain = without_nuls(source.text)
    if plain is not None:
        yield _wide(source, plain)
        return
    for line in requirements.file.lines:
        found = hidden(source, line)
        if found is not None:
            shown = source.position(found.spans[0].start)[1]
            message = f"{found.name} in column {shown}, which nobody sees: pip refuses the line and the install fails"
            yield Finding(Location(source, found.spans[0]), message, "write the line anew", fix=_shown(source, found))


def _wide(source: Source, plain: str) -> Finding:
    where = source.line_span(source.position(source.text.index("\0"))[0])
    message = (
        "the file is UTF-16 from here on, and nothing tells of it:"
        " pip reads a NUL beside each character, refuses the line and the install fails"
    )
    # Written as it is: there are line ends of both kinds in the file.
    edit = Edit(Location(source, Span(0, len(source.text))), plain)
    fix = Fix("safe", "write the file in UTF-8", (edit,))
    return Finding(Location(source, where), message, "save the file in UTF-8", fix=fix)


def _shown(source: Source, found: Hidden) -> Fix:
    edits = [
        replace(source, span, " " if is_blank else "") for span, is_blank in zip(found.spans, found.blanks, strict=True)
    ]
    return Fix("safe", f"take {found.name} out", tuple(edits))
