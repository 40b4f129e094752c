"""Two replicas, as processes: one leads, the other follows at once when it must, and none writes out of turn."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from tests.api.kube import AuditedApiServer, Kube, until
from tests.api.process import Replica, connection, holder

FAST = {"LEASE_SECONDS": "4", "RENEW_SECONDS": "3", "RETRY_SECONDS": "1"}


@pytest.fixture
def pair(server: AuditedApiServer, kube: Kube, request: pytest.FixtureRequest) -> Iterator[tuple[Replica, Replica]]:
    settings = getattr(request, "param", {})
    with Replica(server, kube, "a", **settings) as a, Replica(server, kube, "b", **settings) as b:
        yield a, b


async def told(kube: Kube, name: str) -> bool:
    """Whether the operator has said something of a connection, as it is now."""
    found = await kube.get("ServiceConnection", name)
    assert found
    return (found.get("status") or {}).get("observedGeneration") == found["metadata"]["generation"]


async def leader(kube: Kube, *replicas: Replica, seconds: float = 30) -> tuple[Replica, list[Replica]]:
    """Who leads, and the others."""
    name = await until(lambda: holder(kube), "somebody leads", seconds)
    (leads,) = [r for r in replicas if r.user == name]
    return leads, [r for r in replicas if r is not leads]


async def test_a_killed_leader_is_followed_within_fifteen_seconds(kube: Kube, pair: tuple[Replica, Replica]) -> None:
    first, (second,) = await leader(kube, *pair)
    await kube.create(connection("before"))
    await until(lambda: told(kube, "before"), "the leader works", 30)
    assert first.writes()
    assert not second.writes(), "who does not lead does not write"
    await until(lambda: _ready(second), "the other replica knows all objects", 30)
    first.kill()
    await kube.create(connection("after"))
    await until(lambda: told(kube, "after"), "the other replica works", 15)
    assert await holder(kube) == second.user
    assert second.writes()


async def _ready(replica: Replica) -> bool:
    return await asyncio.to_thread(replica.ready)


@pytest.mark.parametrize("pair", [FAST], indirect=True)
async def test_a_leader_that_stood_still_does_not_write_as_it_wakes(kube: Kube, pair: tuple[Replica, Replica]) -> None:
    """Both are stopped in turn, so that nobody does the work: the first must wait until the lease is its own again."""
    names = [f"c{i}" for i in range(20)]
    first, (second,) = await leader(kube, *pair)
    await kube.create(*(connection(n) for n in names))
    for name in names:
        await until(lambda name=name: told(kube, name), "the leader works", 30)
    await until(lambda: _all_told(kube, names), "the leader has told all Events, so that nothing is on its way")
    os.kill(first.pid, signal.SIGSTOP)
    await until(lambda: _holds(kube, second), "the other replica leads", 30)
    os.kill(second.pid, signal.SIGSTOP)
    before = len(first.writes())
    for name in names:
        await kube.patch("ServiceConnection", name, {"spec": {"description": "changed"}})
    os.kill(first.pid, signal.SIGCONT)
    for name in names:
        await until(lambda name=name: told(kube, name), "the first works again", 30)
    assert await holder(kube) == first.user
    lease = await kube.get("Lease", "integration-operator")
    assert lease
    woken = first.writes()[before:]
    assert len(woken) >= len(names)
    early = [w for w in woken if w["requestReceivedTimestamp"] < lease["spec"]["acquireTime"]]
    assert early == []


async def _all_told(kube: Kube, names: list[str]) -> bool:
    return {e["regarding"]["name"] for e in await kube.every("Event")} >= set(names)


async def _holds(kube: Kube, replica: Replica) -> bool:
    return await holder(kube) == replica.user


async def test_a_leader_that_is_told_to_stop_lets_go_of_the_lease(kube: Kube, pair: tuple[Replica, Replica]) -> None:
    first, (second,) = await leader(kube, *pair)
    await kube.create(*(connection(f"c{i}") for i in range(30)))
    await until(lambda: _ready(second), "the other replica knows all objects", 30)
    os.kill(first.pid, signal.SIGTERM)
    await until(lambda: _holds(kube, second), "the other replica leads, long before the lease would end", 5)
    for i in range(30):
        await until(lambda i=i: told(kube, f"c{i}"), "all work is done", 30)
    assert await asyncio.to_thread(first.code) == 0
    assert not [line for line in first.lines() if line["level"] in ("error", "critical")]
    lease = await kube.get("Lease", "integration-operator")
    assert lease
    late = [w for w in first.writes() if w["requestReceivedTimestamp"] >= lease["spec"]["acquireTime"]]
    assert late == []
