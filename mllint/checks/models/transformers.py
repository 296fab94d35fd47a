"""Rules about what transformers 5 no longer knows."""

from collections.abc import Iterator

from mllint.checks import check
from mllint.checks.requirements.pins import pinned_to
from mllint.edits import replace
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.installing import offered
from mllint.image.installing.indexed import interpreter_of
from mllint.image.models.transformers import Dropped, Installed, dropped_imports, ignored_variables, installed
from mllint.image.stage import Stage
from mllint.sources.dockerfile import Pair

_DROP_IN = "HF_HUB_CACHE"


@check("ML814")
def transformers_cache_env_ignored(stage: Stage) -> Iterator[Finding]:
    """A folder for models that transformers 5 does not use."""
    pairs = list(ignored_variables(stage)) if stage.is_final else []
    found = installed(stage) if pairs else None
    if found is not None:
        pair = pairs[-1]
        message = (
            f"nothing reads {pair.key.text}: {found.shown} keeps models below HF_HOME and looks for none in"
            f" {pair.value.text}"
        )
        repair = f"write {_DROP_IN}={pair.value.text}, which means the same folder"
        where = Location(stage.build.source, pair.key.span)
        yield Finding(where, message, repair, found.related, _renamed(stage, pair), is_strict=not found.is_pinned)


def _renamed(stage: Stage, pair: Pair) -> Fix:
    # Another user than root may not be able to write there.
    is_safe = stage.view.uid(stage.end.user) == "0"
    edit = replace(stage.build.source, pair.key.span, _DROP_IN)
    return Fix("safe" if is_safe else "unsafe", f"write {_DROP_IN} in place of {pair.key.text}", (edit,))


@check("ML815")
def tf_classes_with_transformers5(stage: Stage) -> Iterator[Finding]:
    """The service imports classes that transformers 5 dropped."""
    dropped = next(dropped_imports(stage), None) if stage.is_final and stage.process is not None else None
    found = installed(stage) if dropped is not None else None
    if dropped is not None and found is not None and stage.process is not None:
        where = Location(stage.build.source, stage.process.instruction.span)
        related = (Related(dropped.place, f"imports {dropped.name}"), *found.related)
        is_sure = found.is_pinned and not dropped.is_deferred
        severity = None if is_sure else Severity.WARNING
        repair = f"ask for transformers<5, or port to the classes for PyTorch, such as {_ported(dropped)}"
        yield Finding(where, _message(dropped, found), repair, related, _held_back(found), severity)


def _message(dropped: Dropped, found: Installed) -> str:
    ends = "this fails when it is called" if dropped.is_deferred else "the container does not start"
    return (
        f"{dropped.place.path}:{dropped.place.start[0]} imports {dropped.name}, and {found.shown} has no classes for"
        f" {dropped.framework}: {ends}"
    )


def _ported(dropped: Dropped) -> str:
    return dropped.name.removeprefix("TF").removeprefix("Flax")


def _held_back(found: Installed) -> Fix | None:
    """The newest release 4 in place of the one that is asked for."""
    python = interpreter_of(found.stage, found.call)
    minor = python.minor if python is not None else None
    version = offered.newest("transformers", minor, "<5") if isinstance(minor, str) else None
    if version is None or found.asked is None:
        return None
    return pinned_to(found.stage, found.call, found.asked, version)
