"""Lists of objects of a cluster, as the verbs need them."""

from typing import Any

from integration_operator.engine.cluster import Cluster, NotFound


async def listed(
    cluster: Cluster,
    api_version: str,
    kind: str,
    namespace: str | None = None,
    selector: str = "",
    metadata_only: bool = False,
) -> list[dict[str, Any]]:
    """All objects of a kind, with apiVersion and kind as a single one has them; none where it is not served."""
    try:
        path = await cluster.path(api_version, kind, namespace)
    except NotFound:
        return []
    params = {"labelSelector": selector} if selector else {}
    found: list[dict[str, Any]] = []
    async for items, _ in cluster.list_pages(path, params, metadata_only):
        found += ({**item, "apiVersion": api_version, "kind": kind} for item in items)
    return found
