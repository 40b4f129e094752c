"""The phases of a bench: fill, idle, change, restart; then the bare client at the same work on the same API server."""

import asyncio
import json
import os
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from dev.apiserver import ApiServer
from dev.bench import process, world
from dev.bench.process import OperatorProcess
from dev.processes import Failed, run
from dev.versions import KUBECTL, ROOT
from integration_operator.core.model import API_VERSION
from integration_operator.engine.cluster import MERGE, Cluster

QUIET_SECONDS = 2.0
"""Without a write for so long, the operator is done."""
OURS, BARE = "bench", "bare"
"""Namespaces of the operator's objects and of the bare client's."""


@dataclass(frozen=True)
class Effort:
    """What some work took: seconds from the start of the process to its last write, of CPU, and peak MiB."""

    seconds: float
    cpu: float
    memory: float
    others: float = 0.0
    """Cores that the rest of the machine used meanwhile: unless next to none, figures are worth little."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds from a change of an ApiRoute to its child, seen by a watch."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Figures:
    """All that is measured with one number of ApiRoutes. Writes are those that the API server counted."""

    count: int
    fill: Effort
    bare: Effort
    fill_writes: dict[str, int]
    bare_writes: dict[str, int]
    own_count: dict[str, int]
    """Writes of the fill as the operator's own metric has them."""
    idle_cpu: float
    """Share of a core."""
    idle_writes: dict[str, int]
    change: Latency
    relay: Latency
    seen_seconds: float
    """From the start of a restarted operator until it has seen everything."""
    settled_seconds: float
    """… and until it has reconciled everything."""
    restart_writes: dict[str, int]
    restart_changed: int
    """Objects that a restart changed in any way."""
    restart_memory: float


class Bench:
    """One number of ApiRoutes on one API server."""

    def __init__(self, api: ApiServer, cluster: Cluster, count: int) -> None:
        self.api, self.cluster, self.count = api, cluster, count
        self.operator = OperatorProcess(api.kubeconfig, api.home / "operator.log")

    def writes(self) -> Counter[str]:
        """Writes that the API server has taken so far, by verb and resource; without those for leader election."""
        text = run([KUBECTL, f"--kubeconfig={self.api.kubeconfig}", "get", "--raw", "/metrics"])
        lines = (line for line in text.splitlines() if line.startswith("apiserver_request_total{"))
        counted: Counter[str] = Counter()
        for (_, labels), value in process.parse("\n".join(lines)).items():
            found = dict(labels)
            resource = "/".join(part for part in (found["resource"], found["subresource"]) if part)
            if found["verb"] in ("POST", "PUT", "PATCH", "APPLY", "DELETE") and resource in _COUNTED:
                counted[f"{found['verb'].lower()} {resource}"] += int(value)
        return counted

    async def fill(self) -> tuple[Effort, dict[str, int], dict[str, int]]:
        """Start the operator on objects that have nothing yet, until all have children and status."""
        before, began, rest = self.writes(), time.monotonic(), self._rest()
        self.operator.start()
        ended, cpu = await self._last_write()
        others = (self._rest() - rest - self.operator.cpu()) / (time.monotonic() - began)
        samples = self.operator.metrics()
        names = ("verb", "kind")
        own = {
            " ".join(dict(labels)[n] for n in names): int(value)
            for (name, labels), value in samples.items()
            if name == "integration_api_writes_total"
        }
        effort = Effort(ended - began, cpu, self.operator.peak_memory(), others)
        written = dict(self.writes() - before)
        await self._check()
        return effort, written, own

    def _rest(self) -> float:
        """Seconds of CPU that all of the machine has used, without the API server, etcd and this process."""
        own = [*(self.api.processes.pid(name) for name in ("kube-apiserver", "etcd")), os.getpid()]
        return process.machine_cpu() - sum(process.cpu(pid) for pid in own)

    async def _last_write(self) -> tuple[float, float]:
        """When it wrote for the last time, and the CPU that it had used by then."""
        ended, cpu, known = time.monotonic(), 0.0, 0.0
        deadline = ended + 900
        while True:
            samples = await asyncio.to_thread(self.operator.metrics)
            now, written = time.monotonic(), process.total(samples, "integration_api_writes_total")
            if written != known:
                ended, cpu, known = now, self.operator.cpu(), written
            statuses = process.total(samples, "integration_api_writes_total", verb="status")
            if statuses >= self.count and now - ended > QUIET_SECONDS:
                return ended, cpu
            if now > deadline:
                raise Failed(f"after 15 min only {written:.0f} writes")
            # Rarely until the end is near: each question costs the operator milliseconds of CPU.
            await asyncio.sleep(0.2 if statuses > 0.9 * self.count else 2.0)

    async def _check(self) -> None:
        routes = await world.items(self.cluster, API_VERSION, "ApiRoute", OURS)
        children = {c["metadata"]["name"] for c in await world.items(self.cluster, world.ROUTE_API, "HTTPRoute", OURS)}
        for found in routes:
            meta, status = found["metadata"], found["status"]
            if meta["name"] not in children or status.get("observedGeneration") != meta["generation"]:
                raise Failed(f"ApiRoute {meta['name']} has no child, or no status of its generation")

    async def idle(self, seconds: float) -> tuple[float, dict[str, int]]:
        """CPU (share of a core) and writes while nothing happens."""
        before, cpu = self.writes(), self.operator.cpu()
        await asyncio.sleep(seconds)
        return (self.operator.cpu() - cpu) / seconds, dict(self.writes() - before)

    async def change(self, where: str, changes: int, unit: str = "s") -> Latency:
        """Change one ApiRoute after the other; for each, wait until the watch brings its child with the change."""
        seen: dict[tuple[str, str], asyncio.Event] = {}
        latencies = []
        chosen = random.Random(changes)
        path = await self.cluster.path(API_VERSION, "ApiRoute", where)
        async with self._watching(where, seen):
            for number in range(changes):
                name, timeout = f"api-{chosen.randrange(self.count):05}", f"{number + 10}{unit}"
                arrived = seen[(name, timeout)] = asyncio.Event()
                body = {"spec": {"traffic": {"timeout": timeout}}}
                began = time.monotonic()
                await self.cluster.request("PATCH", f"{path}/{name}", body=body, content_type=MERGE)
                await asyncio.wait_for(arrived.wait(), 30)
                latencies.append((time.monotonic() - began) * 1000)
        parts = statistics.quantiles(latencies, n=100, method="inclusive")
        return Latency(statistics.median(latencies), parts[98])

    @asynccontextmanager
    async def _watching(self, where: str, seen: dict[tuple[str, str], asyncio.Event]) -> AsyncIterator[None]:
        path = await self.cluster.path(world.ROUTE_API, "HTTPRoute", where)
        version = (await self.cluster.request("GET", path, params={"limit": "1"}))["metadata"]["resourceVersion"]

        async def follow() -> None:
            async with aclosing(self.cluster.watch(path, {}, version, metadata_only=False)) as events:
                async for _, child in events:
                    timeout = (child["spec"]["rules"][0].get("timeouts") or {}).get("request", "")
                    if arrived := seen.get((child["metadata"]["name"], timeout)):
                        arrived.set()

        task = asyncio.create_task(follow())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def restart(self) -> tuple[float, float, dict[str, int], int, float]:
        """Stop and start the operator: until all is seen and reconciled; writes and objects that changed; peak MiB."""
        self.operator.stop()
        versions, before, began = await self._versions(), self.writes(), time.monotonic()
        self.operator.start()
        await asyncio.to_thread(self.operator.wait_ready)
        seen = time.monotonic() - began
        await self._until(lambda m: process.total(m, "integration_reconciles_total", kind="ApiRoute") >= self.count)
        settled = time.monotonic() - began
        await asyncio.sleep(QUIET_SECONDS)
        changed = sum(1 for name, version in (await self._versions()).items() if versions.get(name) != version)
        return seen, settled, dict(self.writes() - before), changed, self.operator.peak_memory()

    async def _until(self, holds: Callable[[dict[process.Sample, float]], bool], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not holds(await asyncio.to_thread(self.operator.metrics)):
            if time.monotonic() > deadline:
                raise Failed("the operator did not come to rest")
            await asyncio.sleep(0.1)

    async def _versions(self) -> dict[str, str]:
        kinds = ((API_VERSION, "ApiRoute"), (world.ROUTE_API, "HTTPRoute"))
        found = [o for kind in kinds for o in await world.items(self.cluster, *kind, OURS)]
        return {f"{o['kind']}/{o['metadata']['name']}": o["metadata"]["resourceVersion"] for o in found}

    async def bare(self) -> tuple[Effort, dict[str, int]]:
        """The bare client writes what the operator wrote, for ApiRoutes of another namespace."""
        objects = await self._same()
        self.objects = self.api.home / "objects.jsonl"
        self.objects.write_text("\n".join(map(json.dumps, objects)))
        before, began, rest = self.writes(), time.monotonic(), self._rest()
        client = await self._client("write")
        output, _ = await client.communicate()
        if client.returncode != 0:
            raise Failed("the bare client failed")
        took, seconds = json.loads(output), time.monotonic() - began
        others = (self._rest() - rest - took["cpu"]) / seconds
        return Effort(seconds, took["cpu"], took["memory"], others), dict(self.writes() - before)

    async def relay(self, changes: int) -> Latency:
        """The same changes with a bare client that watches ApiRoutes and applies their children."""
        client = await self._client("relay")
        try:
            assert client.stdout is not None
            await client.stdout.readline()
            # The children are copies of the operator's after its changes: the same ones again would change nothing.
            return await self.change(BARE, changes, unit="ms")
        finally:
            client.kill()
            await client.wait()

    async def _client(self, mode: str) -> asyncio.subprocess.Process:
        command = (sys.executable, "-m", "dev.bench.bare", mode, str(self.api.kubeconfig), str(self.objects), BARE)
        environment = {**os.environ, **process.SOURCES}
        return await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE)

    async def _same(self) -> list[dict[str, Any]]:
        """The operator's children and statuses, for ApiRoutes of the bare client's namespace."""
        await world.load(self.cluster, self.count, BARE)
        uids = {
            r["metadata"]["name"]: r["metadata"]["uid"]
            for r in await world.items(self.cluster, API_VERSION, "ApiRoute", BARE)
        }
        statuses = {
            r["metadata"]["name"]: r["status"] for r in await world.items(self.cluster, API_VERSION, "ApiRoute", OURS)
        }
        objects = []
        for child in await world.items(self.cluster, world.ROUTE_API, "HTTPRoute", OURS):
            meta = child["metadata"]
            name = meta["name"]
            kept: dict[str, Any] = {k: meta[k] for k in ("name", "labels", "annotations", "ownerReferences")}
            kept["namespace"] = BARE
            kept["ownerReferences"][0]["uid"] = uids[name]
            applied = {**child, "metadata": kept}
            objects.append({"name": name, "child": applied, "status": statuses[name]})
        return objects


_COUNTED = {
    f"{resource}{part}"
    for resource in (
        *("apiroutes", "serviceconnections", "httproutes", "httproutefilters", "backends", "backendtlspolicies"),
        *("backendtrafficpolicies", "securitypolicies", "configmaps", "secrets", "networkpolicies", "events"),
    )
    for part in ("", "/status")
}


async def measure(api: ApiServer, count: int, idle_seconds: float, changes: int) -> Figures:
    """All phases, one after the other, on an API server that has nothing else."""
    process.compile_modules("integration_operator.main", "dev.bench.bare")
    async with world.connect(api.kubeconfig) as cluster:
        await world.install(cluster)
        await world.load(cluster, count, OURS)
        bench = Bench(api, cluster, count)
        try:
            fill, fill_writes, own = await bench.fill()
            idle_cpu, idle_writes = await bench.idle(idle_seconds)
            change = await bench.change(OURS, changes)
            await asyncio.sleep(QUIET_SECONDS)
            seen, settled, restart_writes, changed, memory = await bench.restart()
        finally:
            bench.operator.stop()
        bare, bare_writes = await bench.bare()
        relay = await bench.relay(changes)
    return Figures(
        count=count,
        fill=fill,
        bare=bare,
        fill_writes=fill_writes,
        bare_writes=bare_writes,
        own_count=own,
        idle_cpu=idle_cpu,
        idle_writes=idle_writes,
        change=change,
        relay=relay,
        seen_seconds=seen,
        settled_seconds=settled,
        restart_writes=restart_writes,
        restart_changed=changed,
        restart_memory=memory,
    )
