"""Rules about the layers that weights of models lie in."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.layers.weight_fixes import moved_above
from mllint.findings import Finding, Location, Related
from mllint.image.content.weights import Heavy, late_weights
from mllint.image.stage import Stage


@check("ML403")
def model_after_code(stage: Stage) -> Iterator[Finding]:
    """Weights come into a layer that each edit of the source makes anew."""
    for heavy in late_weights(stage) if stage.is_in_image else ():
        source = stage.build.source
        where = Location(source, heavy.span)
        if heavy.kind == "with":
            yield Finding(where, _beside(heavy), "keep them out by .dockerignore or --exclude, and copy them above")
            continue
        related = (Related(Location(source, heavy.source.step.instruction.span), "brings the source"),)
        message = f"RUN downloads {heavy.what} behind the source: each edit of the source downloads it again"
        if heavy.is_of_dvc:
            message = f"RUN pulls {heavy.what} with DVC behind the source: each edit of the source downloads it again"
        if heavy.kind == "behind":
            message = f"{_brought(heavy)} behind the source: each edit of the source uploads them again"
        yield Finding(where, message, _repair(heavy), related, moved_above(stage, heavy), is_strict=not heavy.is_model)


def _repair(heavy: Heavy) -> str:
    folder = f" {heavy.workdir}," if heavy.workdir else ""
    if not heavy.is_of_dvc:
        return f"move{folder.rstrip(',')}{' and' if folder else ''} it above {heavy.source.written}"
    what = " and ".join((heavy.what, *heavy.needs))
    return f"copy {what} apart, and move{folder} the set-up of DVC and the pull above {heavy.source.written}"


def _beside(heavy: Heavy) -> str:
    return f"{_brought(heavy)} in one layer with the source: each edit of the source uploads them again"


def _brought(heavy: Heavy) -> str:
    size = sum(each.size for each in heavy.files) / 1e6
    copied = heavy.step.copy.written if heavy.step.copy is not None else ""
    return f"{copied} brings {size:.0f} MB of weights ({heavy.files[0].path})"
