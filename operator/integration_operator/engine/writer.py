"""Every write to the API server goes through here: only while this replica leads, counted, and never blind."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from integration_operator.core.errors import Conflict, NotLeading
from integration_operator.core.model import API_VERSION, GROUP, MANAGER
from integration_operator.core.plan import Manifest
from integration_operator.core.ports import Key
from integration_operator.engine import metrics
from integration_operator.engine.cluster import APPLY, JSON_PATCH, MERGE, Cluster, NotFound

EVENTS = "events.k8s.io/v1"


class Writer:
    """`may_write()` is asked before each write: a Lease does not fence, so none may begin after its deadline."""

    def __init__(self, cluster: Cluster, may_write: Callable[[], bool], instance: str) -> None:
        self._cluster, self._may_write, self._instance = cluster, may_write, instance

    def permit(self) -> None:
        """NotLeading where no write may begin now."""
        if not self._may_write():
            raise NotLeading("another replica leads")

    async def _request(
        self,
        verb: str,
        kind: str,
        method: str,
        path: str,
        body: Any,
        content_type: str = "application/json",
        **params: str,
    ) -> Any:
        """The one way out: permission is asked last, when nothing is left to wait for."""
        self.permit()
        metrics.api_writes.labels(verb, kind).inc()
        return await self._cluster.request(method, path, params=params, body=body, content_type=content_type)

    async def apply(self, manifest: Manifest) -> Any:
        """Server-side apply of a child."""
        meta, kind = manifest["metadata"], manifest["kind"]
        path = await self._cluster.path(manifest["apiVersion"], kind, meta.get("namespace"), meta["name"])
        return await self._request("apply", kind, "PATCH", path, manifest, APPLY, fieldManager=MANAGER, force="true")

    async def delete(self, live: Manifest) -> None:
        """Delete just this object: not a later one of the same name."""
        meta = live["metadata"]
        path = await self._cluster.path(live["apiVersion"], live["kind"], meta.get("namespace"), meta["name"])
        body = {"preconditions": {"uid": meta["uid"]}, "propagationPolicy": "Background"}
        try:
            await self._request("delete", live["kind"], "DELETE", path, body)
        except (NotFound, Conflict):
            return  # gone, or another object by now

    async def status(self, key: Key, uid: str, patch: Mapping[str, Any]) -> Any:
        """Merge-patch the status of just this object."""
        path = await self._cluster.path(API_VERSION, key.kind, key.namespace, key.name) + "/status"
        body = {"metadata": {"uid": uid}, "status": patch}
        return await self._request("status", key.kind, "PATCH", path, body, MERGE)

    async def finalizers(self, key: Key, raw: Manifest, finalizers: list[str]) -> Any:
        """Set the finalizers of the very version that was read; Conflict when it has changed."""
        path = await self._cluster.path(API_VERSION, key.kind, key.namespace, key.name)
        meta = raw["metadata"]
        body = {"metadata": {"resourceVersion": meta["resourceVersion"], "uid": meta["uid"], "finalizers": finalizers}}
        return await self._request("finalizer", key.kind, "PATCH", path, body, MERGE)

    async def event(self, key: Key, raw: Manifest, reason: str, message: str, warning: bool, now: datetime) -> None:
        """An Event on an object. The same one again counts up (events.k8s.io series) instead of making another."""
        meta = raw["metadata"]
        digest = hashlib.sha256(f"{meta['uid']}\0{reason}\0{message}".encode()).hexdigest()[:16]
        name = f"{key.name[:200]}.{digest}"
        time = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        path = await self._cluster.path(EVENTS, "Event", key.namespace)
        body = {
            "apiVersion": EVENTS,
            "kind": "Event",
            "metadata": {"name": name, "namespace": key.namespace},
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": key.kind,
                "name": key.name,
                "namespace": key.namespace,
                "uid": meta["uid"],
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason[:128],
            "action": "Reconcile",
            "note": message[:1024],
            "reportingController": GROUP,
            "reportingInstance": self._instance[:128],
            "eventTime": time,
        }
        try:
            await self._request("event", "Event", "POST", path, body)
        except Conflict:
            await self._again(f"{path}/{name}", time)

    async def _again(self, path: str, time: str) -> None:
        found = await self._cluster.request("GET", path)
        count = int((found.get("series") or {"count": 1})["count"]) + 1
        patch = [{"op": "add", "path": "/series", "value": {"count": count, "lastObservedTime": time}}]
        await self._request("event", "Event", "PATCH", path, patch, JSON_PATCH)
