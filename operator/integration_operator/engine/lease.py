"""Leader election through a Lease (the official client's), with a deadline that writes are held to."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.baselock import BaseLock

from integration_operator.core.errors import IntegrationError
from integration_operator.engine import metrics
from integration_operator.engine.cluster import JSON_PATCH, Cluster, NotFound
from integration_operator.settings import Settings

log = logging.getLogger(__name__)

NAME = "integration-operator"


class _Lock(BaseLock):
    """The Lease as the official election reads and writes it; never hangs or throws.

    The client's own LeaseLock can't be used: in version 37 its calls fail its own argument checks.
    """

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        super().__init__(NAME, settings.environment.namespace, settings.identity)
        self.written_at = float("-inf")
        """Monotonic seconds when the last write that succeeded began."""
        self._cluster = cluster
        self._timeout = float(settings.retry_seconds)
        self._root = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"
        self._seen: dict[str, Any] = {}

    async def get(self, name: str, namespace: str) -> Any:
        try:
            self._seen = await self._request("GET", f"{self._root}/{name}")
        except NotFound as error:
            return False, ApiException(status=404, reason=str(error), body='{"code": 404}')
        except (IntegrationError, TimeoutError) as error:
            return False, ApiException(status=0, reason=str(error))
        spec = self._seen.get("spec") or {}
        fields = ("holderIdentity", "leaseDurationSeconds", "acquireTime", "renewTime")
        return True, LeaderElectionRecord(*(str(spec[f]) if spec.get(f) else None for f in fields))

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        lease = {"metadata": {"name": name}, "spec": self._spec({}, election_record)}
        return await self._write("POST", self._root, lease)

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        lease = {**self._seen, "spec": self._spec(self._seen.get("spec") or {}, updated_record)}
        return await self._write("PUT", f"{self._root}/{name}", lease)

    def _spec(self, before: dict[str, Any], record: LeaderElectionRecord) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(record.lease_duration or 0),
            "renewTime": now,
        }
        if before.get("holderIdentity") == self.identity:
            return {**before, **spec}
        return {**spec, "acquireTime": now, "leaseTransitions": int(before.get("leaseTransitions") or 0) + 1}

    async def _write(self, method: str, path: str, lease: dict[str, Any]) -> bool:
        began = time.monotonic()
        try:
            await self._request(method, path, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **lease})
        except (IntegrationError, TimeoutError) as error:
            log.info("the lease was not written: %s", error)
            return False
        self.written_at = began
        return True

    async def _request(self, method: str, path: str, body: Any = None) -> Any:
        return await asyncio.wait_for(self._cluster.request(method, path, body=body), self._timeout)


class _Election(LeaderElection):
    async def acquire(self) -> bool:
        """Looks at the lease more often than it is renewed, so that its end is seen early."""
        while True:
            if await self.try_acquire_or_renew():
                return True
            await asyncio.sleep(self.election_config.retry_period / 2)


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

    @property
    def leads(self) -> bool:
        """Whether this replica leads, as far as it knows."""
        return self._leading is not None

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
                await _Election(election).run()
            except Exception:
                log.exception("leader election failed; standing again")
                await self._stopped()
                await asyncio.sleep(self._settings.retry_seconds)

    async def _started(self) -> None:
        log.info("this replica leads")
        metrics.leading.set(1)
        self._leading = asyncio.create_task(self._forever(), name="leading")

    async def _forever(self) -> None:
        while True:
            try:
                await self._lead()
            except Exception:
                log.exception("a bug: leading ended; beginning anew")
            await asyncio.sleep(self._settings.retry_seconds)

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
