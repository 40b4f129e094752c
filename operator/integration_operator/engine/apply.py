"""Makes the cluster and the outside as planned: apply where the live object differs, prune, external steps."""

from collections.abc import Iterable, Mapping
from typing import Any

from integration_operator.core.errors import IntegrationError, UserError
from integration_operator.core.kind import Kind
from integration_operator.core.plan import External, Manifest
from integration_operator.core.ports import Key
from integration_operator.drivers.base import ExternalDriver
from integration_operator.engine import audit
from integration_operator.engine.children import DIGEST, covers, finished, owner_of
from integration_operator.engine.cluster import Cluster
from integration_operator.engine.mirror import METADATA_ONLY, Gvk
from integration_operator.engine.mirrors import Mirrors
from integration_operator.engine.writer import Writer


class NameTaken(UserError):
    """An object that is not ours has the name of a child."""

    reason = "NameTaken"


class Applier:
    """Remembers what it verified, so that a steady state costs neither writes nor reads."""

    def __init__(
        self, cluster: Cluster, writer: Writer, mirrors: Mirrors, drivers: Mapping[str, ExternalDriver]
    ) -> None:
        self._cluster, self._writer, self._mirrors, self._drivers = cluster, writer, mirrors, drivers
        self._verified: dict[Key, dict[tuple[Gvk, str], tuple[str, str]]] = {}
        """By owner, (resource version, digest) of children as planned, or as near as the API server lets them be."""

    async def children(self, key: Key, owner: Manifest, kind: Kind[Any, Any], planned: Iterable[Manifest]) -> None:
        """Apply what differs, then prune what is no longer planned; the first refusal is raised when all is tried."""
        refusal: UserError | None = None
        names: set[tuple[Gvk, str]] = set()
        for child in planned:
            desired = finished(child, owner)
            names.add((Gvk(desired["apiVersion"], desired["kind"]), desired["metadata"]["name"]))
            try:
                await self._child(key, owner, desired)
            except UserError as error:
                refusal = refusal or error
        await self._prune(key, owner, kind, names)
        if refusal:
            raise refusal

    async def _child(self, key: Key, owner: Manifest, desired: Manifest) -> None:
        gvk, meta = Gvk(desired["apiVersion"], desired["kind"]), desired["metadata"]
        digest = meta["annotations"][DIGEST]
        identity, verified = (gvk, meta["name"]), self._verified.setdefault(key, {})
        mirror = await self._mirrors.get(gvk)
        seen = mirror.get((meta["namespace"], meta["name"])) if mirror else None
        if seen is not None and verified.get(identity) == (seen["metadata"]["resourceVersion"], digest):
            return
        if seen is None or gvk in METADATA_ONLY:
            # Not ours yet, or known by metadata only: look at the thing itself before writing over it.
            seen = await self._cluster.get(gvk.api_version, gvk.kind, meta["namespace"], meta["name"])
        if seen is not None and owner_of(seen["metadata"]) != key:
            raise NameTaken(
                f"{gvk.kind} {meta['name']} exists and is not managed by this object: rename or delete one of the two"
            )
        if seen is None or not covers(seen, desired):
            try:
                seen = await self._writer.apply(desired)
            except IntegrationError as error:
                audit.record("apply", f"{gvk.kind}/{meta['name']}", key, owner, "failed", error.reason)
                raise
            audit.record("apply", f"{gvk.kind}/{meta['name']}", key, owner)
            if mirror:
                mirror.note(seen)
        verified[identity] = (seen["metadata"]["resourceVersion"], digest)

    async def _prune(self, key: Key, owner: Manifest, kind: Kind[Any, Any], names: set[tuple[Gvk, str]]) -> None:
        for child in kind.children:
            gvk = Gvk(*child)
            mirror = await self._mirrors.get(gvk)
            for live in list(mirror.owned(key)) if mirror else ():
                meta = live["metadata"]
                if (gvk, meta["name"]) in names or meta.get("deletionTimestamp"):
                    continue
                await self._writer.delete(live)
                self._verified.get(key, {}).pop((gvk, meta["name"]), None)
                audit.record("delete", f"{gvk.kind}/{meta['name']}", key, owner)

    async def external(self, key: Key, owner: Manifest, planned: Iterable[External]) -> None:
        """Ensure everything outside that is planned."""
        for external in planned:
            if await self._drivers[external.driver].ensure(external):
                audit.record("ensure", f"{external.driver}/{external.key}", key, owner)

    async def release(self, key: Key, owner: Manifest, planned: Iterable[External]) -> None:
        """Delete everything outside that goes with the object."""
        for external in planned:
            if external.delete:
                await self._drivers[external.driver].delete(external)
                audit.record("delete", f"{external.driver}/{external.key}", key, owner)

    def forget(self, key: Key) -> None:
        """The owner is gone."""
        self._verified.pop(key, None)
