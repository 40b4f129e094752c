"""Leader election through a Lease (the official client's), with a deadline that writes are held to."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from integration_operator.core.errors import IntegrationError
from integration_operator.engine import metrics
from integration_operator.engine.cluster import JSON_PATCH, Cluster
from integration_operator.settings import Settings

log = logging.getLogger(__name__)

NAME = "integration-operator"


class _Lock(LeaseLock):
    """A lock that never hangs or throws, and notes when the last write that succeeded began."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        super().__init__(NAME, settings.environment.namespace, settings.identity, cluster.api)
        self.written_at = float("-inf")
        self._timeout = float(settings.retry_seconds)

    async def get(self, name: str, namespace: str) -> Any:
        return await self._bounded(super().get(name, namespace)) or (False, ApiException(status=0, reason="no answer"))

    async def create(self, name: str, namespace: str, election_record: Any) -> bool:
        return await self._written(super().create(name, namespace, election_record))

    async def update(self, name: str, namespace: str, updated_record: Any) -> bool:
        return await self._written(super().update(name, namespace, updated_record))

    async def _written(self, call: Awaitable[bool]) -> bool:
        began = time.monotonic()
        done = bool(await self._bounded(call))
        if done:
            self.written_at = began
        return done

    async def _bounded(self, call: Awaitable[Any]) -> Any:
        try:
            return await asyncio.wait_for(call, self._timeout)
        except Exception as error:  # the client raises whatever its transport does
            log.debug("lease: %s", type(error).__name__)
            return None


class Leadership:
    """`lead()` runs while this replica leads and is cancelled when it no longer does; then it stands again."""

    def __init__(self, cluster: Cluster, settings: Settings, lead: Callable[[], Awaitable[None]]) -> None:
        self._cluster, self._settings, self._lead = cluster, settings, lead
        self._lock = _Lock(cluster, settings)
        self._task: asyncio.Task[None] | None = None
        self._leading: asyncio.Task[None] | None = None

    def may_write(self) -> bool:
        """Whether the lease was renewed less than the renew deadline ago."""
        return time.monotonic() < self._lock.written_at + self._settings.renew_seconds

    def start(self) -> None:
        """Stand for election."""
        self._task = asyncio.create_task(self._run(), name="leader election")

    async def _run(self) -> None:
        while True:
            election = Config(
                self._lock,
                lease_duration=self._settings.lease_seconds,
                renew_deadline=self._settings.renew_seconds,
                retry_period=self._settings.retry_seconds,
                onstarted_leading=self._started,
                onstopped_leading=self._stopped,
            )
            try:
                await LeaderElection(election).run()
            except Exception:
                log.exception("leader election failed; standing again")
                await self._stopped()
                await asyncio.sleep(self._settings.retry_seconds)

    async def _started(self) -> None:
        log.info("this replica leads")
        metrics.leading.set(1)
        self._leading = asyncio.create_task(self._forever(), name="leading")

    async def _forever(self) -> None:
        await self._lead()

    async def _stopped(self) -> None:
        log.warning("this replica no longer leads")
        metrics.leading.set(0)
        self._lock.written_at = float("-inf")
        if self._leading:
            self._leading.cancel()
            await asyncio.gather(self._leading, return_exceptions=True)
            self._leading = None

    async def stop(self) -> None:
        """Finish leading, then let go of the lease, so that another replica needs not wait for its end."""
        held = self.may_write()
        for task in (self._task, self._leading):
            if task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if held:
            await self._release()

    async def _release(self) -> None:
        namespace = self._settings.environment.namespace
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{NAME}"
        mine = {"op": "test", "path": "/spec/holderIdentity", "value": self._settings.identity}
        let_go = {"op": "remove", "path": "/spec/holderIdentity"}
        try:
            await self._cluster.request("PATCH", path, body=[mine, let_go], content_type=JSON_PATCH)
        except IntegrationError as error:
            log.warning("could not let go of the lease: %s", error)
        self._lock.written_at = float("-inf")
