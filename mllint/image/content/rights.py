"""What keeps the process of an image from running as somebody else than root."""

from __future__ import annotations

import posixpath
import sys
from itertools import islice
from typing import TYPE_CHECKING

from mllint.image.content.written import is_inside, may_write
from mllint.image.copies import relative
from mllint.image.distributions import providers_of_import
from mllint.image.service import PYTHON, file_of_image, interpreted
from mllint.image.shell.unwrapping import POSIX_SHELLS
from mllint.image.values import Unknown
from mllint.image.view import Node
from mllint.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mllint.image.copies import Copy
    from mllint.image.service import Process
    from mllint.image.shell.commands import Executed
    from mllint.image.stage import Stage, Step

_FIRST_OPEN_PORT = 1024
_OTHERS_READ = 0o004
_MAX_FILES = 200
# Programs that change the system, at the start of a container.
_CHANGES_SYSTEM = frozenset(
    "apache2ctl apk apt apt-get chgrp chmod chown conda cron crond dnf dpkg git groupadd hostname ifconfig insmod ip"
    " iptables ldconfig mknod modprobe mount nginx npm pip pip3 poetry redis-server route service sshd sudo supervisord"
    " sysctl systemctl tee ulimit umount update-ca-certificates useradd usermod uv yum".split()
)
_MAKES_FILES = frozenset({"cp", "ln", "mkdir", "mv", "touch", "rm"})
CACHE_VARIABLE = regex(
    r"(?:HF|TRANSFORMERS|HUGGINGFACE|TORCH|SENTENCE_TRANSFORMERS|XDG|NLTK|KERAS|TFHUB|NUMBA)_\w+|HOME"
)
"""Variables that say where libraries keep what they fetch."""
ROOT_HOME = regex(r"(?:/root|~|\$HOME|\$\{HOME\})(?=[/\s\"',:;]|$)[\w./-]*")
"""Paths of the home of root, as commands and settings write them."""
_DOWNLOADS = regex(
    r"from_pretrained|snapshot_download|hf_hub_download|huggingface-cli|\bhf download|nltk|torch\.hub"
    r"|SentenceTransformer|pipeline\(|load_model|whisper|playwright|gdown|download_model|\.cache\b"
)
_PATH = regex(r"(?<![\w./])/[\w./-]+$")
_CLEANS = frozenset({"rm", "find", "cd", "du", "ls"})
_CLOSED = regex(r"0?[0-7]?[0-7]{2}0")


def needs_root(stage: Stage) -> bool:
    """Whether the process may need root, or work with files that another user could not get at; True as well where
    nobody can tell what it is."""
    process = stage.process
    if process is None or process.entrypoint is process.command is None or not _is_python(stage, process):
        return True
    if _is_restricted(stage) or _starts_as_root(stage, process):
        return True
    if any(_is_closed(stage, step) for step in stage.steps_before(None)):
        return True
    # What a job or a notebook writes is for whoever started it, in a folder that is mounted.
    return stage.server.is_notebook if stage.server is not None else may_write(stage)


def _is_python(stage: Stage, process: Process) -> bool:
    """Whether Python is what runs, and no script of the base does first what nobody can read."""
    if process.entrypoint is None and stage.root.base.server_entrypoint:
        return False
    last = process.commands[-1]
    return (stage.server is not None and not stage.server.is_native) or PYTHON.fullmatch(last.name) is not None


def _is_restricted(stage: Stage) -> bool:
    """Whether its ports, volumes and mounts ask for more."""
    ports = [setting.value for setting in stage.end.exposed]
    numbers = [port.first for port in ports if not isinstance(port, Unknown)]
    served = stage.server.port if stage.server is not None else ""
    numbers += [int(served)] if served.isdecimal() else []
    mounts = [volume for each in stage.build.services for volume in each.volumes if not volume.is_read_only]
    return min(numbers, default=_FIRST_OPEN_PORT) < _FIRST_OPEN_PORT or bool(stage.end.volumes) or bool(mounts)


def _starts_as_root(stage: Stage, process: Process) -> bool:
    """Whether what runs at the start changes the system, or makes files outside of the working directory."""
    scripts = (each for script in process.scripts for each in script.commands)
    for each in (*process.commands, *scripts):
        if each.runner or each.name in _CHANGES_SYSTEM or "sudo" in each.wrappers or _is_pip(each):
            return True
        if each.name in _MAKES_FILES and not all(_is_inside(stage, word) for word in each.arguments):
            return True
        if not all(_is_there(stage, word) for word in each.arguments):
            return True
        if any(not _is_inside(stage, target.target.value) for target in each.command.redirects if target.target):
            return True
    return False


def _is_pip(each: Executed) -> bool:
    return PYTHON.fullmatch(each.name) is not None and interpreted(each)[0] in ("pip", "venv")


def _is_there(stage: Stage, word: str) -> bool:
    """Whether the absolute path that an argument ends with, if it does, is one that the process need not make."""
    match = _PATH.search(word)
    if match is None or _is_inside(stage, match[0]):
        return True
    return not match[0].startswith(("/run/", "/var/")) and isinstance(stage.view.find(match[0]), Node)


def _is_inside(stage: Stage, word: str) -> bool:
    if not word.startswith(("/", "$", "~")):
        return True
    path = posixpath.normpath(word)
    return is_inside(stage, path) or any(relative(path, folder) is not None for folder in ("/tmp", "/dev"))


def _is_closed(stage: Stage, step: Step) -> bool:
    """Whether a step takes the right to read something from others, or brings source that nobody can read here."""
    if any(each.name == "git" and "clone" in each.arguments for each in step.commands):
        return True
    if step.copy is not None:
        return _brings_closed(stage, step.copy)
    return any(
        each.name in ("chmod", "umask") and any(_CLOSED.fullmatch(word) or "o-" in word for word in each.arguments[:2])
        for each in step.commands
    )


def _brings_closed(stage: Stage, copy: Copy) -> bool:
    """Whether a copy brings files that only their owner may read, as those are that ADD fetches."""
    if copy.mode is not None:
        return not (isinstance(copy.mode, int) and copy.mode & _OTHERS_READ)
    if any(source.is_remote for source in copy.sources):
        return True
    context = stage.build.context
    entries = (entry for source in copy.sources if copy.origin == "context" for entry in source.entries(context))
    modes = (context.mode(entry.path) for entry in islice(entries, _MAX_FILES))
    return any(mode is not None and not mode & _OTHERS_READ for mode in modes)


def fetches_models(stage: Stage) -> bool:
    """Whether a build puts models where programs look for them by default, or says where that is; the process may want
    to write there."""
    steps = stage.steps_before(None)
    return any(_names_cache(step) for step in steps) or downloads_models(stage, steps)


def _names_cache(step: Step) -> bool:
    if step.instruction.keyword != "ENV":
        return False
    return any(CACHE_VARIABLE.fullmatch(pair.key.text) for pair in step.instruction.pairs)


def downloads_models(stage: Stage, steps: Iterable[Step]) -> bool:
    """Whether RUN instructions among some steps download models, or run a script that nobody can read."""
    texts = (text for step in steps for text in texts_of_run(stage, step))
    return any(text is None or _DOWNLOADS.search(text) for text in texts)


def texts_of_run(stage: Stage, step: Step) -> Iterator[str | None]:
    """What the commands of a RUN say, those that install or clean up left out: their words, and the scripts that they
    run; None for one that nobody can read."""
    installs = {install.span for install in step.installs}
    for each in step.commands:
        if each.name in _CLEANS or each.span in installs:
            continue
        yield " ".join(word.value for word in each.words)
        path = _script(each)
        if path is not None:
            source = file_of_image(stage, path)
            yield source.text if source is not None else None


def _script(each: Executed) -> str | None:
    """The script of Python or of a shell that a command runs."""
    if PYTHON.fullmatch(each.name):
        name, _, is_module = interpreted(each)
        if is_module and _is_public(name.partition(".")[0]):
            return None
        return f"{name.replace('.', '/')}.py" if is_module else name or None
    words = [word.value for word in each.words[each.name in POSIX_SHELLS :] if not word.value.startswith("-")]
    return words[0] if words and words[0].endswith(".sh") else None


def _is_public(module: str) -> bool:
    return module in sys.stdlib_module_names or bool(providers_of_import(module))


def keeps_at_home(stage: Stage) -> bool:
    """Whether an instruction of the image speaks of root's home, other than to clean it up."""
    return any(ROOT_HOME.search(text) for step in stage.steps_before(None) for text in _texts(step))


def _texts(step: Step) -> Iterator[str]:
    if step.instruction.keyword != "RUN":
        yield step.instruction.rest.text
    yield from (word.value for each in step.commands if each.name not in _CLEANS for word in each.words)
