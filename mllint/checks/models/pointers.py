"""ML801: pointers of Git LFS in the place of models."""

from collections import defaultdict
from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Severity
from mllint.image.models.held import Held, models
from mllint.image.models.large_files import are_fetched
from mllint.image.models.served import served
from mllint.image.stage import Stage


@check("ML801")
def lfs_pointer_model(stage: Stage) -> Iterator[Finding]:
    """What a COPY brings as a model is the text that stands for it in the repository."""
    found: dict[Location, list[Held]] = defaultdict(list)
    for model in models(stage) if stage.is_final else ():
        if model.kind == "git-lfs":
            found[model.place].append(model)
    is_known = bool(found) and are_fetched(stage)
    service = served(stage) if found else None
    for place, pointers in found.items():
        pointers.sort(key=lambda each: service is None or not service.loads(each))
        is_loaded = service is not None and service.loads(pointers[0])
        severity = None if is_loaded and not is_known else Severity.WARNING
        repair = "run `git lfs pull` before the build; in a workflow, give actions/checkout `lfs: true`"
        yield Finding(place, _message(pointers), repair, severity=severity, is_strict=is_known)


def _message(pointers: list[Held]) -> str:
    first, *others = pointers
    more = f", as are {len(others)} more" if len(others) > 1 else ", as is one more" if others else ""
    size = int(str(first.model.details["size"])) / 1e6
    pointer = f"{first.entry.path} is a Git LFS pointer of {first.model.size} bytes"
    return (
        f"{pointer} instead of the {size:.0f} MB it stands for{more}: the image gets the pointer, and loading it fails"
    )
