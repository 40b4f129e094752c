"""Makes the cluster as planned: apply where the live object differs, then prune."""

from collections.abc import Collection, Iterable
from typing import Any

from integration_operator.core.errors import Conflict, UserError
from integration_operator.core.kind import Kind
from integration_operator.core.model import API_VERSION, MANAGER
from integration_operator.core.plan import Identity, Manifest
from integration_operator.core.ports import Key
from integration_operator.engine import audit
from integration_operator.engine.children import DIGEST, covers, finished, labelled, owner_of
from integration_operator.engine.cluster import Cluster, NotFound
from integration_operator.engine.mirror import METADATA_ONLY, Gvk
from integration_operator.engine.mirrors import Mirrors
from integration_operator.engine.objects import object_dependency
from integration_operator.engine.writer import Writer

NEW = {"resourceVersion": "1"}
"""No object has this version: to apply with it creates, and changes nothing that is there."""


class NameTaken(UserError):
    """An object that is not ours has the name of a child."""

    reason = "NameTaken"

    def __init__(self, gvk: Gvk, namespace: str, name: str) -> None:
        super().__init__(f"{gvk.kind} {name} exists and is not managed by this object: rename or delete one of the two")
        self.taken = object_dependency(gvk.api_version, gvk.kind, namespace, name)


def _ours(live: Manifest, key: Key, owner: Manifest) -> bool:
    """By labels and owner reference, or by the reference alone where somebody took the labels away."""
    meta, uid = live["metadata"], owner["metadata"].get("uid")
    return owner_of(meta) == key or any(ref.get("uid") == uid for ref in meta.get("ownerReferences") or ())


class Applier:
    """Remembers what it verified, so that a steady state costs neither writes nor reads."""

    def __init__(self, cluster: Cluster, writer: Writer, mirrors: Mirrors) -> None:
        self._cluster, self._writer, self._mirrors = cluster, writer, mirrors
        self._verified: dict[Key, dict[tuple[Gvk, str], tuple[str, str]]] = {}
        """By owner, (resource version, digest) of children as planned, or as near as the API server lets them be."""

    async def children(
        self,
        key: Key,
        owner: Manifest,
        kind: Kind[Any, Any],
        planned: Iterable[Manifest],
        kept: Iterable[Identity] = (),
    ) -> None:
        """Apply what differs, in the order of the plan, then prune what is neither planned nor kept.

        A refusal ends it: what comes later may be unsafe without what was refused, as a route without its TLS policy.
        """
        names = {(Gvk(api_version, child_kind), name) for api_version, child_kind, name in kept}
        for child in planned:
            desired = finished(child, owner)
            names.add((Gvk(desired["apiVersion"], desired["kind"]), desired["metadata"]["name"]))
            await self._child(key, owner, desired)
        await self._prune(key, owner, kind, names)

    async def _child(self, key: Key, owner: Manifest, desired: Manifest) -> None:
        gvk, meta = Gvk(desired["apiVersion"], desired["kind"]), desired["metadata"]
        digest = meta["annotations"][DIGEST]
        identity, verified = (gvk, meta["name"]), self._verified.setdefault(key, {})
        mirror = await self._mirrors.get(gvk)
        seen = mirror.get((meta["namespace"], meta["name"])) if mirror else None
        if seen is not None and verified.get(identity) == (seen["metadata"]["resourceVersion"], digest):
            return
        if mirror and seen is None and identity not in verified:
            seen = await self._create(key, owner, desired)
            verified[identity] = (seen["metadata"]["resourceVersion"], digest) if seen else ("", "")
            if seen is not None:
                return
        if seen is None or gvk in METADATA_ONLY:
            # Perhaps not ours, or known by metadata only: look at the thing itself before writing over it.
            seen = await self._cluster.get(gvk.api_version, gvk.kind, meta["namespace"], meta["name"])
        if seen is None and identity in verified:
            await self._still_there(key, owner)
        if seen is not None and not _ours(seen, key, owner) and not await self._applied(key, seen):
            raise NameTaken(gvk, meta["namespace"], meta["name"])
        if seen is None or not covers(seen, desired):
            seen = await self._apply(key, owner, desired)
        verified[identity] = (seen["metadata"]["resourceVersion"], digest)

    async def _applied(self, key: Key, seen: Manifest) -> bool:
        """Whether what has our labels was applied by us, although somebody took the owner reference away."""
        meta = seen["metadata"]
        if labelled(meta) != key:
            return False
        whole = await self._cluster.get(seen["apiVersion"], seen["kind"], meta["namespace"], meta["name"])
        entries = whole["metadata"].get("managedFields") or () if whole else ()
        return any((e.get("manager"), e.get("operation")) == (MANAGER, "Apply") for e in entries)

    async def _create(self, key: Key, owner: Manifest, desired: Manifest) -> dict[str, Any] | None:
        """Apply where nothing has the name yet, in one request; None where something has."""
        try:
            return await self._apply(key, owner, {**desired, "metadata": {**desired["metadata"], **NEW}})
        except Conflict:
            return None

    async def _apply(self, key: Key, owner: Manifest, desired: Manifest) -> dict[str, Any]:
        gvk, meta = Gvk(desired["apiVersion"], desired["kind"]), desired["metadata"]
        mirror = await self._mirrors.get(gvk)
        with audit.recorded("apply", f"{gvk.kind}/{meta['name']}", key, owner):
            write = self._writer.apply(desired)
            written: dict[str, Any] = await (
                mirror.written((meta["namespace"], meta["name"]), write) if mirror else write
            )
        return written

    async def _still_there(self, key: Key, owner: Manifest) -> None:
        """A child that vanished may have gone with its owner, unseen: none is made for an owner that is gone."""
        found = await self._cluster.get(API_VERSION, key.kind, key.namespace, key.name)
        if found is None or found["metadata"]["uid"] != owner["metadata"]["uid"]:
            raise NotFound(f"{key} is gone")

    def unseen(self, planned: Iterable[Manifest]) -> bool:
        """Whether any of these can't be watched, so that drift shows only when it is looked for."""
        return any(not self._mirrors.watches(Gvk(c["apiVersion"], c["kind"])) for c in planned)

    async def _prune(self, key: Key, owner: Manifest, kind: Kind[Any, Any], names: set[tuple[Gvk, str]]) -> None:
        for child in kind.children:
            gvk = Gvk(*child)
            for live in await self._owned(key, gvk, {name for of, name in names if of == gvk}):
                meta = live["metadata"]
                if meta.get("deletionTimestamp"):
                    continue
                with audit.recorded("delete", f"{gvk.kind}/{meta['name']}", key, owner):
                    await self._writer.delete(live)
                self._verified.get(key, {}).pop((gvk, meta["name"]), None)

    async def _owned(self, key: Key, gvk: Gvk, but: Collection[str]) -> list[Manifest]:
        if mirror := await self._mirrors.get(gvk):
            return list(mirror.owned(key, but))
        # Not watched: those that this process applied, as they are now.
        names = [name for known, name in self._verified.get(key, ()) if known == gvk and name not in but]
        found = [await self._cluster.get(gvk.api_version, gvk.kind, key.namespace, name) for name in names]
        return [live for live in found if live is not None and owner_of(live["metadata"]) == key]

    def forget(self, key: Key) -> None:
        """The owner is gone."""
        self._verified.pop(key, None)
