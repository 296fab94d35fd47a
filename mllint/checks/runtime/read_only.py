"""ML364: what a process writes where nothing can be written to."""

from collections.abc import Iterator

from mllint.checks import check, placing
from mllint.findings import Finding, Fix, Location, Related, Severity
from mllint.image.models import caches, hub
from mllint.image.models.hub import Wanted
from mllint.image.serving import listening, read_only
from mllint.image.serving.read_only import Frozen
from mllint.image.stage import Stage
from mllint.image.values import Unknown

# Where Python looks for a folder for temporary files, and the working directory in the end.
_TEMPORARY = ("/tmp", "/var/tmp", "/usr/tmp")
_CACHE = "/tmp/huggingface"


@check("ML364")
def readonly_root_writes(stage: Stage) -> Iterator[Finding]:
    """A process that writes to a root file system which is read-only."""
    for frozen in read_only.frozen(stage) if stage.is_final and stage.process is not None else ():
        yield from _of_gunicorn(stage, frozen)
        yield from _of_models(stage, frozen)


def _of_gunicorn(stage: Stage, frozen: Frozen) -> Iterator[Finding]:
    """gunicorn, which keeps a file for each of its workers."""
    server = stage.server
    if server is None or server.name != "gunicorn" or frozen.is_replaced:
        return
    launch = server.launch
    is_told = launch.options("--worker-tmp-dir") or listening.configured(launch, "worker_tmp_dir") is not None
    if is_told or caches.variable(stage, "TMPDIR") is not None:
        return
    if not any(frozen.may_write(path) for path in (*_TEMPORARY, stage.end.directory)):
        message = (
            f"{frozen.who} has a root file system that is read-only, and no /tmp: gunicorn keeps a file there for each"
            " worker, and the container does not start"
        )
        repair = "mount one with tmpfs: [/tmp], or start gunicorn with --worker-tmp-dir /dev/shm"
        yield Finding(_where(stage, frozen), message, repair)


def _of_models(stage: Stage, frozen: Frozen) -> Iterator[Finding]:
    """The first model that is downloaded to a cache which cannot be made."""
    if caches.is_offline(stage):
        return
    for each in sorted(hub.of_service(stage), key=lambda wanted: wanted.is_deferred):
        cache = _cache(stage, each)
        if cache is None or (cache and frozen.may_write(cache)) or caches.is_filled(stage, each.model, cache or "/"):
            continue
        to = cache or "the home folder"
        ends = "it fails when it is called" if each.is_deferred else "it ends as it starts"
        folders = " and ".join(frozen.open)
        message = f"{frozen.who} can only write to {folders}, and {each.where} downloads {each.model} to {to}: {ends}"
        related = (Related(each.place, f"loads {each.model}"),)
        severity = Severity.WARNING if each.is_deferred else None
        repair = f"download the model in the build, or set HF_HOME={_CACHE}"
        yield Finding(_where(stage, frozen), message, repair, related, _moved(stage, frozen, each), severity)
        return


def _cache(stage: Stage, each: Wanted) -> str | None:
    """Where a model goes; empty where that is the home folder, None where nobody knows."""
    found = caches.hub_cache(stage, each.folder)
    if isinstance(found, str):
        return found
    names = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "TRANSFORMERS_CACHE")
    values = (caches.variable(stage, name) for name in (*names, "SENTENCE_TRANSFORMERS_HOME", "HOME"))
    return "" if each.folder is None and all(value is None for value in values) else None


def _where(stage: Stage, frozen: Frozen) -> Location:
    """The service of compose, or what the image starts."""
    if frozen.place is not None and frozen.who.startswith("the compose"):
        return frozen.place
    process = stage.process
    return Location(stage.build.source, process.instruction.span if process is not None else stage.instruction.span)


def _moved(stage: Stage, frozen: Frozen, each: Wanted) -> Fix | None:
    """The cache in the folder for temporary files, above what the image starts."""
    command = stage.step_of(stage.end.command)
    if each.folder is not None or not frozen.may_write(_CACHE) or command is None or command.trigger is not None:
        return None
    if isinstance(stage.end.env.get("HF_HOME"), str | Unknown):
        return None
    edit = placing.above(stage.build.dockerfile, command.instruction, f"ENV HF_HOME={_CACHE}")
    return Fix("safe", f"keep models in {_CACHE}", (edit,))
