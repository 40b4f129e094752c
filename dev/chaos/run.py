"""One script, twice: undisturbed, and with kills; then both ends are compared."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from dev.apiserver import ApiServer
from dev.bench import world
from dev.bench.process import OperatorProcess, compile_modules, total
from dev.build import ensure
from dev.chaos import state
from dev.chaos.killing import Killer
from dev.chaos.script import NAMESPACE, Step, steps
from dev.controlplane import free_ports
from dev.processes import Failed
from dev.versions import KUBE_BIN
from integration_operator.engine.cluster import APPLY, Cluster, NotFound
from tests.api.engine.widgets import CRD

REST_SECONDS = 8.0
"""Without a change for so long, the end has come."""
SETTINGS = {
    "LEASE_SECONDS": "3",
    "RENEW_SECONDS": "2",
    "RETRY_SECONDS": "1",
    "OUTBOUND_ALLOW": "127.0.0.0/8",
}


@dataclass(frozen=True)
class Report:
    """What was done, and what differs at the end."""

    kills: Counter[str]
    steps: Counter[str]
    compared: Counter[str]
    """Objects, children and outside things in the end state."""
    seconds: float
    different: list[str]


class Run:
    """An API server with garbage collection, and an operator."""

    def __init__(self, api: ApiServer, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.operator = OperatorProcess(
            api.kubeconfig,
            api.home / "operator.log",
            "dev.chaos.operator",
            {**SETTINGS, "IDENTITY": "operator-0"},
            {"CHAOS_FOLDER": str(folder)},
        )

    async def perform(self, step: Step) -> None:
        """Carry out one step, as a user would."""
        path = await self.cluster.path(step.api_version, step.kind, NAMESPACE, step.name)
        if step.manifest is None:
            with suppress(NotFound):
                await self.cluster.request("DELETE", path)
            return
        await self._gone_if_going(path)
        params = {"fieldManager": "script", "force": "true"}
        await self.cluster.request("PATCH", path, params=params, body=step.manifest, content_type=APPLY)

    async def _gone_if_going(self, path: str) -> None:
        """An object that is being deleted can't be made again before it is gone."""
        deadline = time.monotonic() + 60
        while True:
            try:
                found = await self.cluster.request("GET", path)
            except NotFound:
                return
            if not found["metadata"].get("deletionTimestamp"):
                return
            if time.monotonic() > deadline:
                raise Failed(f"{path} is not gone after a minute: {found['metadata'].get('finalizers')}")
            await asyncio.sleep(0.05)

    async def rest(self, wanted: state.State | None = None, seconds: float = 120) -> tuple[state.State, list[str]]:
        """The state once it rests with nothing wrong in it (and is the wanted one), or at the deadline."""
        deadline = time.monotonic() + seconds
        known: object = None
        since = time.monotonic()
        while True:
            found, wrong = await state.take(self.cluster, NAMESPACE, self.folder)
            writes = total(await asyncio.to_thread(self.operator.metrics), "integration_api_writes_total")
            now = time.monotonic()
            if (found, writes) != known or wrong or (wanted is not None and found != wanted):
                known, since = (found, writes), now
            if now - since >= REST_SECONDS:
                return found, wrong
            if now > deadline:
                return found, [*wrong, "it does not come to rest"]
            await asyncio.sleep(0.5)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Run]:
    """An empty API server with our CRDs, garbage collection and namespace, and an operator that is not started yet."""
    ensure("kube-controller-manager")
    folder.mkdir()  # noqa: ASYNC240 - nothing else runs yet
    with ApiServer() as api:
        async with world.connect(api.kubeconfig) as cluster:
            await world.install(cluster, [CRD])
            await world.namespace(cluster, NAMESPACE)
            # After the CRDs: the collector looks for new kinds only every half minute.
            api.processes.start(
                "kube-controller-manager",
                [
                    KUBE_BIN / "kube-controller-manager",
                    f"--kubeconfig={api.kubeconfig}",
                    "--controllers=garbage-collector-controller",
                    "--leader-elect=false",
                    "--secure-port=0",
                ],
            )
            run = Run(api, cluster, folder)
            try:
                yield run
            finally:
                await asyncio.to_thread(run.operator.stop)


async def undisturbed(script: list[Step], folder: Path) -> state.State:
    """The end of the script with an operator that is left alone."""
    async with running(folder) as run:
        run.operator.start()
        for step in script:
            await run.perform(step)
        found, wrong = await run.rest()
        if wrong:
            raise Failed(f"even undisturbed it does not come to rest: {'; '.join(wrong[:5])}")
        return found


async def disturbed(
    script: list[Step], folder: Path, kills: int, seed: int, wanted: state.State
) -> tuple[Counter[str], list[str]]:
    """Kills by what the operator was doing, and what differs from the wanted end."""
    async with running(folder) as run:
        killer = Killer(run.cluster, NAMESPACE, run.operator, seed)
        chance = random.Random(seed)

        async def play() -> None:
            for number, step in enumerate(script):
                async with killer.progress:
                    await killer.progress.wait_for(
                        lambda: killer.killed.total() * len(script) >= (number - len(script) // kills) * kills  # noqa: B023
                    )
                await run.perform(step)
                await asyncio.sleep(chance.uniform(0, 0.5))  # spread over the life of the operator

        async with asyncio.TaskGroup() as group:
            group.create_task(play())
            group.create_task(killer.run(kills))
        run.operator.start()
        found, wrong = await run.rest(wanted)
        return killer.killed, [*state.differences(wanted, found), *wrong]


async def chaos(kills: int, count: int, seed: int, home: Path, say: Callable[[str], object]) -> Report:
    """Both runs and their comparison; `home` is an empty directory."""
    began = time.monotonic()
    compile_modules("dev.chaos.operator")
    async with _answering() as port:
        (silent,) = free_ports(1)
        script = steps(seed, count, port, silent)
        say(f"{len(script)} steps on {count} objects, undisturbed …")
        wanted = await undisturbed(script, home / "undisturbed")
        say(f"the same under {kills} kills …")
        killed, different = await disturbed(script, home / "killed", kills, seed, wanted)
    done = Counter(f"{'delete' if s.manifest is None else 'apply'} {s.kind}" for s in script)
    compared = Counter(name.split(" ")[0].split("/")[0] for name in wanted)
    return Report(killed, done, compared, time.monotonic() - began, different)


@asynccontextmanager
async def _answering() -> AsyncIterator[int]:
    """An HTTP server that answers everything."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield port
    finally:
        await runner.cleanup()
