"""Kills the operator (SIGKILL) at random moments: by the clock, or just after it was seen to write."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta

from dev.bench.process import OperatorProcess
from integration_operator.core.errors import IntegrationError
from integration_operator.engine.children import MANAGED_BY
from integration_operator.engine.cluster import Cluster

WATCHED = (
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
)
LONGEST_SECONDS = 8.0
"""The longest that an operator is let live: start, election, work."""
WRITING = timedelta(seconds=0.1)


class Killer:
    """`killed` counts kills by what the operator was doing."""

    def __init__(self, cluster: Cluster, namespace: str, operator: OperatorProcess, seed: int) -> None:
        self.killed: Counter[str] = Counter()
        self.progress = asyncio.Condition()
        """Notified after each kill."""
        self._cluster, self._namespace, self._operator = cluster, namespace, operator
        self._chance = random.Random(seed)
        self._writes = 0
        self._wrote = asyncio.Condition()

    async def run(self, kills: int) -> None:
        """Start and kill it so many times; it does not run afterwards."""
        async with self._watching():
            for _ in range(kills):
                await self._once()
                async with self.progress:
                    self.progress.notify_all()

    async def _once(self) -> None:
        before = self._operator.log.stat().st_size if self._operator.log.exists() else 0
        if self._chance.random() < 0.15:
            # Another pod: it has to wait until the lease of the dead one has ended.
            self._operator.settings["IDENTITY"] = f"operator-{self._chance.getrandbits(32):x}"
        self._operator.start()
        try:
            if self._chance.random() < 0.5:
                await asyncio.sleep(self._chance.uniform(0, LONGEST_SECONDS))
            else:
                await self._until_written(self._chance.randint(1, 20))
                await asyncio.sleep(self._chance.uniform(0, 0.05))
            self._operator.pid  # noqa: B018 - raises where it ended by itself
        finally:
            await asyncio.to_thread(self._operator.kill)
        self.killed[self._doing(before, datetime.now(UTC))] += 1

    async def _until_written(self, writes: int) -> None:
        wanted = self._writes + writes
        try:
            async with asyncio.timeout(LONGEST_SECONDS), self._wrote:
                await self._wrote.wait_for(lambda: self._writes >= wanted)
        except TimeoutError:
            return  # it had nothing to write

    def _doing(self, offset: int, killed_at: datetime) -> str:
        """By its log: the last thing that it says it did."""
        with self._operator.log.open("rb") as log:
            log.seek(offset)
            lines = [line for line in log.read().splitlines() if line.startswith(b"{") and line.endswith(b"}")]
        entries = [json.loads(line) for line in lines]
        if not any(entry.get("message") == "this replica leads" for entry in entries):
            return "starting, or waiting for the lease"
        acts = [datetime.fromisoformat(e["timestamp"]) for e in entries if e.get("message") == "audit"]
        if acts and killed_at - acts[-1] < WRITING:
            return "while writing"
        return "leading, between writes"

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._follow(*kind)) for kind in WATCHED]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, api_version: str, kind: str) -> None:
        path = await self._cluster.path(api_version, kind, self._namespace)
        params = {"labelSelector": MANAGED_BY}
        while True:
            listed = await self._cluster.request("GET", path, params={**params, "limit": "1"})
            version = listed["metadata"]["resourceVersion"]
            try:
                async with aclosing(self._cluster.watch(path, params, version, metadata_only=True)) as events:
                    async for type_, _ in events:
                        if type_ != "BOOKMARK":
                            async with self._wrote:
                                self._writes += 1
                                self._wrote.notify_all()
            except IntegrationError:
                continue
