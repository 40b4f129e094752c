"""One API server for the tests of the command; they are of one group, and so of one worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.cli.cluster import Server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("cli"))


@pytest.fixture
def bare() -> Iterator[Server]:
    """One with nothing in it."""
    with Server() as server:
        yield server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server() as server:
        server.install()
        yield server
