"""An engine for the tests of this folder, and the base images that they build on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest
from engine import CUDA, DEBIAN, PYTHON, Engine, EngineError
from standing import Row, lines

_TABLE = pytest.StashKey[list[Row]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TABLE] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash[_TABLE]
    if rows:
        terminalreporter.section("the build on paper beside real images")
        terminalreporter.write("".join(f"{line}\n" for line in lines(rows)))


@pytest.fixture
def table(request: pytest.FixtureRequest) -> list[Row]:
    """What the summary at the end of the run lists."""
    return request.config.stash[_TABLE]


def give_up(error: EngineError) -> NoReturn:
    """Skip what needs the engine, or fail where one is required: a skip would go unseen there."""
    if os.environ.get("MLLINT_REQUIRE_ENGINE") == "1":
        pytest.fail(str(error), pytrace=False)
    pytest.skip(str(error))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    try:
        engine = Engine()
    except EngineError as error:
        give_up(error)
    yield engine
    engine.remove_all()


@pytest.fixture(scope="session")
def base(engine: Engine, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Gives back the name of a base image once the engine has it, and says on the terminal what it pulls."""
    terminal = request.config.pluginmanager.getplugin("terminalreporter")

    def base(reference: str) -> str:
        try:
            return engine.base(reference, terminal.write_line)
        except EngineError as error:
            give_up(error)

    return base


@pytest.fixture(scope="session")
def python_base(base: Callable[[str], str]) -> str:
    return base(PYTHON)


@pytest.fixture(scope="session")
def cuda_base(base: Callable[[str], str]) -> str:
    return base(CUDA)


@pytest.fixture(scope="session")
def debian_base(base: Callable[[str], str]) -> str:
    return base(DEBIAN)
