"""ML809: whole models that torch loads as weights."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location, Related
from mllint.image.models.torch import refused
from mllint.image.stage import Stage


@check("ML809")
def torch_load_weights_only(stage: Stage) -> Iterator[Finding]:
    """A file that holds more than weights is given to `torch.load` of torch 2.6 or later."""
    for each in refused(stage):
        call = Related(Location(each.source, each.source.line_span(each.line)), "torch.load is called here")
        yield Finding(
            each.model.place,
            f"{each.model.entry.path} holds objects of {each.name}, and torch.load of {each.release.shown} takes"
            " nothing but weights unless it is told: loading it fails",
            "save the state_dict; or give weights_only=False where the file is your own",
            (call, *each.release.related),
        )
