"""Which indexes a call of pip or uv asks beside the public one, and which builds of torch PyTorch's own have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from mllint.image.installing.indexed import configures_pip, is_configured_for_uv, is_public, tool
from mllint.image.values import Unknown
from mllint.patterns import regex
from mllint.sources.requirements import Options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mllint.image.packages import Install
    from mllint.image.stage import Stage
    from mllint.sources.text import Source, Span

Kind = Literal["only", "extra", "links"]
_KINDS: dict[str, Kind] = {
    "-i": "only",
    "--index-url": "only",
    "--pypi-url": "only",
    "--default-index": "only",
    "--extra-index-url": "extra",
    "--index": "extra",
    "-f": "links",
    "--find-links": "links",
}
_VARIABLES: dict[str, dict[str, Kind]] = {
    "pip": {"PIP_INDEX_URL": "only", "PIP_EXTRA_INDEX_URL": "extra", "PIP_FIND_LINKS": "links"},
    "uv": {
        "UV_INDEX_URL": "only",
        "UV_DEFAULT_INDEX": "only",
        "UV_EXTRA_INDEX_URL": "extra",
        "UV_INDEX": "extra",
        "UV_FIND_LINKS": "links",
    },
}
# What chooses among indexes in ways of its own.
_OTHERWISE = ("--no-index", "--config-file", "--torch-backend", "--index-strategy", "--exclude-newer")
_OTHERWISE_VARIABLES = (
    *("PIP_NO_INDEX", "PIP_CONFIG_FILE", "UV_NO_INDEX", "UV_CONFIG_FILE", "UV_TORCH_BACKEND", "UV_INDEX_STRATEGY"),
    "UV_EXCLUDE_NEWER",
)
_OF_PYTORCH = regex(r"https?://download\.pytorch\.org/whl(?:/(?P<build>cpu|cu\d+))?(?:/torch_stable\.html)?/?")


class Index(NamedTuple):
    """An index, or a page of links, that a call names."""

    url: str
    kind: Kind
    """`only` stands in the place of the public index."""
    place: tuple[Source, Span] | None = None
    """The option's value; None where a variable of the environment has it."""
    variable: str = ""
    """That variable."""

    @property
    def is_of_pytorch(self) -> bool:
        """Whether it is one of stable builds of PyTorch."""
        return _OF_PYTORCH.fullmatch(self.url) is not None

    @property
    def build(self) -> str | None:
        """The build that all of an index of PyTorch is made for: `cpu` or `cu118`; None where it has several."""
        match = _OF_PYTORCH.fullmatch(self.url)
        return match["build"] if match else None


def indexes(stage: Stage, install: Install) -> tuple[Index, ...] | None:
    """All that a call names; none where it asks the public index alone, None where that is not known."""
    if is_public(stage, install):
        return ()
    base, read = stage.root.base, stage.closure(install)
    if (not base.row and base.described is None) or install.has(*_OTHERWISE) or not read.is_complete:
        return None
    if set(_OTHERWISE) & read.options or any(install.variable(name) for name in _OTHERWISE_VARIABLES):
        return None
    if is_configured_for_uv(stage, install):
        return None
    if any(configures_pip(stage, step) for step in (*stage.steps_before(install.step), install.step)):
        return None
    found = list(named(stage, install))
    # Without one, something else than an option led away from the public index.
    return tuple(each for each in found if each is not None) if found and None not in found else None


def is_of_index_or_pytorch(stage: Stage, install: Install) -> bool:
    """Whether a call asks the public index and those of PyTorch, and no other."""
    found = indexes(stage, install)
    return found is not None and all(each.is_of_pytorch for each in found)


def named(stage: Stage, install: Install) -> Iterator[Index | None]:
    """All that a call names itself, in the files it reads and in variables; None in the place of one that a variable of
    the build decides."""
    yield from _of_options(stage, install)
    yield from _of_files(stage, install)
    yield from _of_variables(install)


def _of_options(stage: Stage, install: Install) -> Iterator[Index | None]:
    for name, word in install.options:
        if name in _KINDS:
            is_known = word.is_literal and "$" not in word.value
            yield Index(word.value, _KINDS[name], (stage.build.source, word.span)) if is_known else None


def _of_files(stage: Stage, install: Install) -> Iterator[Index | None]:
    for file in stage.closure(install).files.values():
        for line in file.lines:
            for option in line.options if isinstance(line, Options) else ():
                if option.name in _KINDS and option.value is not None and option.value_span is not None:
                    is_known = not line.variables
                    place = (file.source, option.value_span)
                    yield Index(option.value, _KINDS[option.name], place) if is_known else None


def _of_variables(install: Install) -> Iterator[Index | None]:
    for name, kind in _VARIABLES[tool(install)].items():
        value = install.variable(name)
        if isinstance(value, Unknown):
            yield None
        else:
            yield from (Index(url, kind, None, name) for url in (value or "").split())
