"""The data of spaCy and NLTK that a service reads, and whether anything brings it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mllint import facts
from mllint.findings import Location
from mllint.image.content.rights import texts_of_run
from mllint.image.paths import joined
from mllint.image.releases import version_of
from mllint.image.serving import sources as running
from mllint.image.serving.cuda import call_of, packages
from mllint.image.serving.cuda_users import release_of
from mllint.image.view import Node
from mllint.patterns import regex
from mllint.sources.requirements import normalised

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mllint.image.events import Distribution
    from mllint.image.serving.sources import Loaded
    from mllint.image.stage import Stage
    from mllint.sources.python import Call, Module

_PIPELINE = regex(r"[a-z]{2,3}_(?:core|dep|ent|sent)_[a-z]+_(?:sm|md|lg|trf)")
_RENAMED = (3, 8, 2)
"""The release of NLTK from which on the names of its data are those of today."""
_EVERYTHING = regex(r"\b(?:all|popular|book|all-nltk|all-corpora)\b")
# What else in the source may bring the data, or do without.
_OTHERWISE = {
    "spacy": regex(r"spacy\.blank|cli\.download|[\"']download[\"']|spacy download|pip install"),
    "nltk": regex(r"nltk\.data\.|NLTK_DATA|nltk_data|\bnltk\.download\(\s*[^\"'\s]|find\(|LookupError"),
}
# Distributions that bring data of NLTK, or download it themselves.
_BRING_DATA = regex(r"unstructured.*|llama-index.*|g2p-en|textblob.*|rake-nltk|nemo.*|nltk[-_].*")


class Missing(NamedTuple):
    """Data that the service reads, and that nothing brings."""

    package: str
    name: str
    place: Location
    is_deferred: bool
    event: Distribution
    """The package itself."""
    release: str | None


def missing(stage: Stage) -> Iterator[Missing]:
    """What is surely not there, each once, what is read at the start first."""
    sources = running.loaded(stage)
    wanted = {package for each in sources for package in each.module.packages} & {"spacy", "nltk"}
    found = packages(stage) if wanted and stage.root.base.is_plain else None
    if found is None or "NLTK_DATA" in stage.end.env or any(each.volumes for each in stage.build.services):
        return
    told = _told(stage)
    for package in sorted(wanted & found.keys()) if told is not None else ():
        event = found[package]
        is_open = any(_OTHERWISE[package].search(each.source.text) for each in sources)
        if not is_open and told is not None and not _is_brought(package, found):
            release = release_of(event, call_of(stage, event))
            every = [each for file in sources for each in _reads(package, file, release)]
            seen = set[str]()
            for name, place, is_deferred in sorted(every, key=lambda each: each[2]):
                if name not in seen and not _is_there(stage, package, name, told, found):
                    yield Missing(package, name, place, is_deferred, event, release)
                seen.add(name)


def _told(stage: Stage) -> str | None:
    """All that the build says, the scripts that it runs and what it installs from included; None where some of that
    cannot be read."""
    texts = [stage.build.source.text]
    for each in stage.build.needed:
        for step in each.steps:
            said = list(texts_of_run(each, step))
            if None in said:
                return None
            texts += [text for text in said if text is not None]
            texts += [file.source.text for install in step.installs for file in each.closure(install).files.values()]
    return "\n".join(texts)


def _is_brought(package: str, found: Mapping[str, Distribution]) -> bool:
    return package == "nltk" and any(_BRING_DATA.fullmatch(name) for name in found)


def _reads(package: str, file: Loaded, release: str | None) -> Iterator[tuple[str, Location, bool]]:
    """The data that a module reads."""
    at_start = file.lines
    for call in file.module.calls:
        if package == "spacy":
            if call.name == "spacy.load" and call.argument and _PIPELINE.fullmatch(call.argument):
                yield call.argument, _line(file, call), call.line not in at_start
            continue
        for row in facts.by("nltk_data", "call").get(call.name, ()):
            reading = _reading(call, row, file.module)
            name = row["data"] if release is None or version_of(release) >= _RENAMED else row.get("before", row["data"])
            if reading is not None and (release is not None or "before" not in row):
                yield name, _line(file, reading), reading.line not in at_start


def _line(file: Loaded, call: Call) -> Location:
    return Location(file.source, file.source.line_span(call.line))


def _reading(call: Call, row: Mapping[str, str], module: Module) -> Call | None:
    """The call that reads: the method of what another call makes, or that one itself."""
    if "method" not in row:
        return call
    return next((each for each in module.calls if each.name.rpartition(".")[2] == row["method"]), None)


def _is_there(stage: Stage, package: str, name: str, told: str, found: Mapping[str, Distribution]) -> bool:
    """Whether the build or the source speaks of some data, or a folder or a distribution has its name."""
    place = joined(stage.end.directory, name)
    if normalised(name) in found or (isinstance(place, str) and isinstance(stage.view.find(place), Node)):
        return True
    written = "\n".join((told, *_downloads(stage)))
    if package == "nltk" and ("nltk_data" in _copied(stage) or (_EVERYTHING.search(written) and "nltk" in told)):
        return True
    if package == "spacy":
        return name in written or name.replace("_", "-") in written
    return re.search(rf"(?<![\w-]){name}(?![\w-])", written) is not None


def _downloads(stage: Stage) -> Iterator[str]:
    """What the source itself downloads of NLTK."""
    for each in running.loaded(stage):
        yield from (call.argument for call in each.module.calls if call.name == "nltk.download" and call.argument)


def _copied(stage: Stage) -> str:
    steps = (step for each in stage.build.needed for step in each.steps if step.instruction.keyword in ("COPY", "ADD"))
    return "\n".join(step.instruction.rest.text for step in steps)
