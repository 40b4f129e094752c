"""The engine: takes events in, keeps every object reconciled while this replica leads."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import structlog

from integration_operator.core.addresses import LiveRules, Outbound
from integration_operator.core.errors import IntegrationError, NotLeading
from integration_operator.core.kind import Kind
from integration_operator.core.model import API_VERSION
from integration_operator.core.ports import Key
from integration_operator.drivers.base import Driver, ExternalDriver, Probe
from integration_operator.engine import metrics
from integration_operator.engine.apply import Applier
from integration_operator.engine.checks import Checks
from integration_operator.engine.children import owner_of
from integration_operator.engine.cluster import Cluster, NotFound, pause
from integration_operator.engine.external import Externals
from integration_operator.engine.lease import Leadership
from integration_operator.engine.mirror import Gvk, Name
from integration_operator.engine.mirrors import Mirrors
from integration_operator.engine.objects import (
    Dependencies,
    Dependency,
    Objects,
    key_of,
    list_dependency,
    object_dependency,
)
from integration_operator.engine.queue import KeyedQueue
from integration_operator.engine.ranges import OwnNetworks
from integration_operator.engine.reader import EngineReader, Resolver
from integration_operator.engine.reconcile import Reconciler
from integration_operator.engine.writer import Writer
from integration_operator.settings import Settings

log = structlog.get_logger("engine")

CENSUS_SECONDS = 300.0
"""How often the objects that are known are compared with those that are there: a watch may miss a deletion."""
PATIENCE_SECONDS = 30.0
"""How long numbers may differ at the start before they are compared all the same."""
COUNT_SECONDS = 10.0
"""How often they are counted: where the numbers differ, they are compared at once."""


class Engine:
    """Wires queue, mirrors, reconciler and leadership; knows kinds and drivers only by their protocols."""

    def __init__(
        self,
        cluster: Cluster,
        settings: Settings,
        kinds: Iterable[Kind[Any, Any]],
        drivers: Iterable[Callable[[Outbound], Driver]],
    ) -> None:
        """`drivers` make a driver that holds its connections to the rules that they are given."""
        self._cluster, self._settings = cluster, settings
        self._kinds = {kind.name: kind for kind in kinds}
        self._children = {kind.name: tuple(Gvk(*child) for child in kind.children) for kind in self._kinds.values()}
        rules = LiveRules(settings.addresses)
        self._own = OwnNetworks(cluster, rules, wanted=settings.deny_cluster)
        self._drivers = by_name = {driver.name: driver for driver in (make(rules) for make in drivers)}
        self._queue: KeyedQueue[Key] = KeyedQueue()
        metrics.queue_depth.set_function(lambda: self._queue.depth)
        self._dependencies = Dependencies()
        self.objects = Objects(self._kinds, settings.environment, self._changed)
        self.leadership = Leadership(cluster, settings, self._lead)
        self._resolver = Resolver(rules)
        self._checks = Checks({n: d for n, d in by_name.items() if isinstance(d, Probe)}, self._queue.add)
        self._mirrors = Mirrors(
            cluster,
            self._mirrored,
            self._noted,
            children=[c for kind in self._kinds.values() for c in kind.children],
            namespaces=settings.watch_namespaces,
            unwatched=() if settings.watch_secrets else (Gvk("v1", "Secret"),),
        )
        writer = Writer(cluster, self.leadership.may_write, settings.identity)
        external = {n: d for n, d in by_name.items() if isinstance(d, ExternalDriver)}
        self._reconciler = Reconciler(
            self._kinds,
            self.objects,
            self._dependencies,
            self._checks,
            Applier(cluster, writer, self._mirrors),
            Externals(writer, external),
            writer,
            self._reader,
            self._queue.add,
        )
        self._passes: set[asyncio.Task[None]] = set()
        self.known = asyncio.Event()
        """Set once all objects that were there at the start have been seen."""
        self._relisted = asyncio.Event()
        """A watch had to list again: it may have missed deletions."""
        self._census: asyncio.Task[None] | None = None
        self._ranges: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Stand for election; objects come in through `seen`."""
        self._census = asyncio.create_task(self._take_census(), name="census")
        self._ranges = asyncio.create_task(self._own.run(), name="own networks")
        self.leadership.start()

    async def stop(self) -> None:
        """Finish what is under way, let go of the lease, end all watches."""
        await _end(*filter(None, (self._census, self._ranges)))
        await self.leadership.stop()
        await self._mirrors.stop()

    @property
    def healthy(self) -> bool:
        """Whether the process is worth keeping alive."""
        return self._census is not None and not self._census.done()

    @property
    def quiet(self) -> bool:
        """Nothing waits to be reconciled, and nothing is being reconciled."""
        return self._queue.idle

    def seen(self, type_: str | None, raw: Mapping[str, Any]) -> None:
        """One event of a watch on our own kinds: ADDED, MODIFIED, DELETED, or None from a listing."""
        key = key_of(raw)
        if type_ == "DELETED":
            if self.objects.remove(key, raw["metadata"].get("uid")):
                self._queue.forget(key)
                self._queue.add(key)
            return
        if type_ is None and self.known.is_set():
            self._relisted.set()
        if self.objects.put(raw):
            self._queue.add(key)

    def _changed(self, dependency: Dependency) -> None:
        for key in self._dependencies.readers(dependency):
            self._queue.add(key)

    def _noted(self, gvk: Gvk, name: Name) -> None:
        namespace, short = name
        self._changed(object_dependency(gvk.api_version, gvk.kind, namespace, short))
        self._changed(list_dependency(gvk.api_version, gvk.kind, namespace))

    def _mirrored(self, gvk: Gvk, name: Name, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
        self._noted(gvk, name)
        for owner in {owner_of(meta) for meta in (before, after) if meta}:
            if owner is not None and owner.kind in self._kinds:
                self._queue.add(owner)

    def _reader(self, key: Key) -> EngineReader:
        return EngineReader(
            key,
            environment=self._settings.environment,
            cluster=self._cluster,
            mirrors=self._mirrors,
            objects=self.objects,
            dependencies=self._dependencies,
            checks=self._checks,
            resolver=self._resolver,
            drivers=self._drivers,
            children=self._children[key.kind],
        )

    async def _lead(self) -> None:
        """Reconcile everything, until cancelled; then let the passes under way end, since each is safe to finish."""
        await self._own.known.wait()
        await self.known.wait()
        self._checks.start()
        for key in list(self.objects):
            self._queue.add(key)
        workers = [asyncio.create_task(self._work(), name=f"worker {i}") for i in range(self._settings.workers)]
        try:
            await asyncio.gather(*workers)
        finally:
            if self._passes:
                await asyncio.wait(self._passes, timeout=5)
            await _end(*workers, *self._passes)
            await self._checks.stop()
            self._queue.clear()
            metrics.forget_all()

    async def _work(self) -> None:
        while True:
            key, waited = await self._queue.get()
            metrics.queue_seconds.labels(key.kind).observe(waited)
            one = asyncio.create_task(self._one(key), name=str(key))
            self._passes.add(one)
            one.add_done_callback(self._passes.discard)
            # Shielded: when leadership or the process ends, a pass under way is let finish.
            await asyncio.shield(one)

    async def _one(self, key: Key) -> None:
        began = time.monotonic()
        # Bound in the task of this one pass, and gone with it.
        structlog.contextvars.bind_contextvars(object=str(key), reconcile=f"{time.time_ns():x}")
        try:
            result = await self._reconciler.reconcile(key)
        except Exception:
            log.exception("a bug: this object failed, others are untouched")
            metrics.reconciles.labels(key.kind, "bug").inc()
            with suppress(Exception):  # what can't be told must not end the worker
                await self._reconciler.report_bug(key)
            self._queue.retry(key, after=5.0)
            return
        finally:
            self._queue.done(key)
        metrics.reconcile_seconds.labels(key.kind).observe(time.monotonic() - began)
        if result.error is None:
            metrics.reconciles.labels(key.kind, "done").inc()
            self._queue.succeeded(key)
            self._queue.schedule(key, result.again_in)
        elif isinstance(result.error, NotLeading):
            # The lease may yet be renewed; where it is lost, the queue is cleared.
            self._queue.retry(key)
        else:
            metrics.reconciles.labels(key.kind, result.error.reason).inc()
            delay = self._queue.retry(key, result.error.retry_after)
            log.info("trying again", object=str(key), reason=result.error.reason, detail=str(result.error), in_=delay)

    async def _take_census(self) -> None:
        """Compare what is known with what is there: until all has come in, then when it may differ, and at times."""
        delay, due, patience = 0.1, 0.0, time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                differs = await self._differs()
                # While the first lists come in, to compare would only list everything once more.
                coming = not self.known.is_set() and time.monotonic() < patience
                if not differs if coming else differs or time.monotonic() >= due:
                    missing = [await self._compare(kind) for kind in self._kinds]
                    if not any(missing):
                        self._all_known()
                        due = time.monotonic() + CENSUS_SECONDS
                delay = COUNT_SECONDS if self.known.is_set() else min(delay * 2, 2.0)
            except IntegrationError as error:
                log.info("census", detail=str(error))
                delay = min(delay * 2, 10.0)
            await pause(delay, self._relisted)
            if self._relisted.is_set():
                await asyncio.sleep(1.0)  # a listing comes as a burst: compare once, when it is through
                self._relisted.clear()
                due = 0.0

    def _all_known(self) -> None:
        if not self.known.is_set():
            log.info("all objects are known", objects=len(self.objects))
            self.known.set()

    async def _paths(self, kind: str) -> list[str]:
        """Where objects of a kind are listed; nowhere once its CRD is gone, but at the start it is waited for."""
        namespaces = self._settings.watch_namespaces or (None,)
        try:
            return [await self._cluster.path(API_VERSION, kind, namespace) for namespace in namespaces]
        except NotFound:
            if self.known.is_set():
                return []
            raise

    async def _differs(self) -> bool:
        """Whether another number of objects is there than is known."""
        for kind in self._kinds:
            counts = [await self._cluster.count(path) for path in await self._paths(kind)]
            if None not in counts and sum(filter(None, counts)) != len(self.objects.keys(kind)):
                return True
        return False

    async def _compare(self, kind: str) -> int:
        """How many objects of a kind are there and not known; those known and not there are removed."""
        there: dict[Key, str] = {}
        before = {key: self.objects.uid(key) for key in self.objects.keys(kind)}
        for path in await self._paths(kind):
            async for items, _ in self._cluster.list_pages(path, {}, metadata_only=True):
                for item in items:
                    meta = item["metadata"]
                    there[Key(kind, meta["namespace"], meta["name"])] = meta["uid"]
        for key, uid in before.items():
            if there.get(key) != uid:
                self.seen("DELETED", {"kind": key.kind, "metadata": {**key._asdict(), "uid": uid}})
        missing = [key for key in there if self.objects.uid(key) is None]
        if self.known.is_set():
            for key in missing:
                if (raw := await self._cluster.get(API_VERSION, kind, key.namespace, key.name)) is not None:
                    self.seen(None, raw)
        return len(missing)


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
