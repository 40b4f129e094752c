"""The bench on a small scale: it asserts what was written, never how long it took."""

import asyncio
from collections.abc import Iterator

import pytest

from dev.apiserver import ApiServer
from dev.bench.measure import Figures, measure

COUNT = 50


@pytest.fixture(scope="module")
def figures() -> Iterator[Figures]:
    with ApiServer() as api:
        yield asyncio.run(measure(api, COUNT, idle_seconds=5, changes=10))


class TestWrites:
    def test_a_route_costs_one_apply_and_one_status(self, figures: Figures) -> None:
        assert figures.fill_writes == {"apply httproutes": COUNT, "patch apiroutes/status": COUNT}

    def test_the_operator_counts_its_writes_as_the_api_server_does(self, figures: Figures) -> None:
        assert figures.own_count == {"apply HTTPRoute": COUNT, "status ApiRoute": COUNT}

    def test_the_bare_client_writes_the_same(self, figures: Figures) -> None:
        assert figures.bare_writes == figures.fill_writes

    def test_nothing_is_written_while_nothing_happens(self, figures: Figures) -> None:
        assert figures.idle_writes == {}

    def test_a_restart_writes_nothing_and_changes_nothing(self, figures: Figures) -> None:
        assert (figures.restart_writes, figures.restart_changed) == ({}, 0)
