"""The mirrors of an engine: each starts when somebody first asks for its kind."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from integration_operator.core.errors import Unavailable
from integration_operator.engine.cluster import Cluster
from integration_operator.engine.mirror import METADATA_ONLY, Gvk, Mirror, Name

CLUSTER_SCOPED = frozenset({"Namespace", "GatewayClass"})
"""Kinds that can't be read by namespace: mirrored only where the operator may see the whole cluster."""
SYNC_SECONDS = 20.0


class Mirrors:
    """One mirror a kind. Children are mirrored only as far as they are ours (by label)."""

    def __init__(
        self,
        cluster: Cluster,
        changed: Callable[[Gvk, Name, dict[str, Any] | None, dict[str, Any] | None], None],
        noted: Callable[[Gvk, Name], None],
        *,
        children: Iterable[tuple[str, str]],
        namespaces: tuple[str, ...] = (),
        unwatched: Iterable[Gvk] = (),
    ) -> None:
        self._cluster, self._changed, self._noted, self._namespaces = cluster, changed, noted, namespaces
        self._children = frozenset(Gvk(*c) for c in children)
        self._unwatched = frozenset(unwatched)
        self._mirrors: dict[Gvk, Mirror] = {}

    def watches(self, gvk: Gvk, namespace: str | None = None) -> bool:
        """Whether objects of a kind (of this namespace) are mirrored, rather than read each time."""
        if gvk in self._unwatched or (self._namespaces and gvk.kind in CLUSTER_SCOPED):
            return False
        return namespace is None or self.inside(namespace)

    def inside(self, namespace: str) -> bool:
        """Whether the operator serves this namespace."""
        return not self._namespaces or namespace in self._namespaces

    async def get(self, gvk: Gvk, namespace: str | None = None) -> Mirror | None:
        """The mirror of a kind once it has listed; None for what is not watched."""
        if not self.watches(gvk, namespace):
            return None
        mirror = self._mirrors.get(gvk)
        if mirror is None:
            mirror = self._mirrors[gvk] = Mirror(
                self._cluster,
                gvk,
                self._changed,
                self._noted,
                namespaces=self._namespaces,
                labelled=gvk in self._children and gvk not in METADATA_ONLY,
            )
            mirror.start()
        if not mirror.synced.is_set():  # asked for in every pass: waiting for what is there would cost a task each time
            try:
                await asyncio.wait_for(mirror.synced.wait(), SYNC_SECONDS)
            except TimeoutError:
                raise Unavailable(f"{gvk.kind} objects can't be listed yet") from None
        return mirror

    async def stop(self) -> None:
        """End all of them."""
        await asyncio.gather(*(mirror.stop() for mirror in self._mirrors.values()))
        self._mirrors.clear()
