"""DF2: the packages of the operating system."""

import posixpath
import re
from collections.abc import Iterator

from mllint.checks import check
from mllint.findings import Finding, Location
from mllint.image.commands import Executed
from mllint.image.stage import Stage, Step

_LISTS = "/var/lib/apt/lists"


@check("DF201")
def apt_lists_kept(stage: Stage) -> Iterator[Finding]:
    """The package lists of apt stay in a layer of the image."""
    if not stage.is_in_image:
        return
    for step in stage.steps:
        update = next((each for each in step.commands if _updates(each)), None)
        if update is None or _removes_lists(step) or _mounts_lists(step):
            continue
        message = "apt-get update leaves its package lists in this layer: tens of megabytes that are out of date tomorrow"
        repair = "end the same RUN with: && rm -rf /var/lib/apt/lists/*"
        yield Finding(Location(stage.build.source, update.span), message, repair)


def _updates(each: Executed) -> bool:
    verbs = [word for word in each.arguments if not word.startswith("-")]
    return each.name in ("apt-get", "apt", "aptitude") and verbs[:1] == ["update"]


def _removes_lists(step: Step) -> bool:
    for each in step.commands:
        if each.name in ("apt-get", "apt") and {"dist-clean", "distclean"} & set(each.arguments):
            return True
        if each.name in ("rm", "find", "rmdir") and any(_covers_lists(word) for word in each.arguments):
            return True
    return False


def _covers_lists(path: str) -> bool:
    path = re.sub(r"/?[*?].*$", "", path)
    folder = posixpath.normpath(path) if path else ""
    return folder == _LISTS or (folder != "" and folder != "/" and f"{_LISTS}/".startswith(f"{folder}/"))


def _mounts_lists(step: Step) -> bool:
    for word in step.instruction.flag_words:
        target = re.search(r"(?:target|dst|destination)=([^,]+)", word.text)
        if word.text.startswith("--mount=") and target and _covers_lists(target.group(1)):
            return True
    return False
