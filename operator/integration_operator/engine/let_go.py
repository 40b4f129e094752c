"""After an uninstall nobody honours the operator's finalizer: it is taken off every object, so that none blocks."""

from collections.abc import Iterable
from typing import Any

import structlog

from integration_operator.core.errors import Conflict
from integration_operator.core.kind import Kind
from integration_operator.core.model import API_VERSION
from integration_operator.engine.cluster import MERGE, Cluster, NotFound
from integration_operator.engine.reconcile import FINALIZER

log = structlog.get_logger("let-go")


async def let_go(cluster: Cluster, kinds: Iterable[Kind[Any, Any]], namespaces: tuple[str, ...]) -> None:
    """Of all namespaces, or of those that were served. What objects have in outside systems stays there."""
    for kind in kinds:
        for namespace in namespaces or (None,):
            try:
                path = await cluster.path(API_VERSION, kind.name, namespace)
                async for items, _ in cluster.list_pages(path, {}, metadata_only=True):
                    for item in items:
                        await _release(cluster, kind.name, item["metadata"])
            except NotFound:
                continue


async def _release(cluster: Cluster, kind: str, meta: dict[str, Any]) -> None:
    """One object, in whatever version it is by now."""
    while FINALIZER in (meta.get("finalizers") or ()):
        kept = [f for f in meta["finalizers"] if f != FINALIZER]
        path = await cluster.path(API_VERSION, kind, meta["namespace"], meta["name"])
        body = {"metadata": {"resourceVersion": meta["resourceVersion"], "finalizers": kept}}
        try:
            await cluster.request("PATCH", path, body=body, content_type=MERGE)
        except Conflict:
            meta = (await cluster.request("GET", path))["metadata"]
        except NotFound:
            return
        else:
            log.info("let go", kind=kind, namespace=meta["namespace"], name=meta["name"])
            return
