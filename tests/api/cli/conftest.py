"""API servers for the tests of the command."""

from collections.abc import Iterator

import pytest

from tests.api.cli.cluster import Server


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
