"""A mirror of one kind of the cluster: list, then watch, for ever; small, and asked by name."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any, NamedTuple

from integration_operator.core.errors import Forbidden, IntegrationError
from integration_operator.core.model import MANAGER
from integration_operator.core.ports import Key
from integration_operator.engine.children import MANAGED_BY, owner_of
from integration_operator.engine.cluster import Cluster, Gone, NotFound, decode, encode

log = logging.getLogger(__name__)


class Gvk(NamedTuple):
    """An apiVersion and a kind."""

    api_version: str
    kind: str


METADATA_ONLY = frozenset({Gvk("v1", "Secret"), Gvk("v1", "ConfigMap"), Gvk("v1", "Namespace")})
"""Kinds of which only metadata is kept: their content is read one by one, when it is needed."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

Name = tuple[str, str]
"""Namespace (empty for cluster-scoped) and name."""


class Mirror:
    """Objects as compact JSON without managed fields: a twentieth of what parsed ones take.

    `changed(gvk, name, before, after)` is called with metadata for every change, None for absent; `noted(gvk, name)`
    for one's own write, which is news for others only.
    """

    def __init__(
        self,
        cluster: Cluster,
        gvk: Gvk,
        changed: Callable[[Gvk, Name, dict[str, Any] | None, dict[str, Any] | None], None],
        noted: Callable[[Gvk, Name], None] = lambda *_: None,
        *,
        namespaces: tuple[str, ...] = (),
        labelled: bool = False,
    ) -> None:
        self.gvk = gvk
        self.synced = asyncio.Event()
        self._cluster, self._changed, self._noted = cluster, changed, noted
        self._scopes: tuple[str | None, ...] = namespaces or (None,)
        self._pending = set(self._scopes)
        self._params = {"labelSelector": f"{MANAGED_BY}={MANAGER}"} if labelled else {}
        self._metadata_only = gvk in METADATA_ONLY
        self._objects: dict[Name, bytes] = {}
        self._versions: dict[Name, int] = {}
        self._owned: dict[Key, set[Name]] = {}
        self._held: dict[Name, list[tuple[dict[str, Any] | None, dict[str, Any]]]] = {}
        """By name, what the watch brought while a write of one's own is under way, and nobody was told yet."""
        self._past: dict[str | None, int] = {}
        """By scope, the version that its list or watch has reached."""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to list and watch."""
        self._tasks = [
            asyncio.create_task(self._follow(scope), name=f"mirror {self.gvk.kind}") for scope in self._scopes
        ]

    async def stop(self) -> None:
        """End all watches."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def get(self, name: Name) -> dict[str, Any] | None:
        """An object as it was last seen."""
        raw = self._objects.get(name)
        return decode(raw) if raw is not None else None

    def names(self, namespace: str) -> list[str]:
        """Names of all objects in a namespace, sorted."""
        return sorted(n for ns, n in self._objects if ns == namespace)

    def owned(self, key: Key, but: Collection[str] = ()) -> Iterator[dict[str, Any]]:
        """The children of an object of ours, without those of these names."""
        for name in sorted(self._owned.get(key, ())):
            if name[1] not in but and (child := self.get(name)) is not None:
                yield child

    async def written(self, name: Name, write: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        """Await one's own write and note it. What the watch brings meanwhile is told afterwards: it may be that."""
        held = self._held[name] = []
        own = 0
        try:
            obj = await write
            own = _version(obj)
            self.note(obj)
            return obj
        finally:
            self._held.pop(name, None)
            for before, after in held:
                if _number(after["resourceVersion"]) == own:
                    self._noted(self.gvk, name)
                else:
                    self._changed(self.gvk, name, before, after)

    def note(self, obj: dict[str, Any]) -> None:
        """Take what a write returned, so that one's own write is not a surprise when the watch brings it.

        Not where the watch is past it already: what was written may have been changed or deleted since.
        """
        name = _name(obj)
        past = self._past.get(name[0] if name[0] in self._scopes else None, 0)
        if _version(obj) > max(past, self._versions.get(name, 0)):
            self._store(name, obj)
            self._noted(self.gvk, name)

    async def _follow(self, scope: str | None) -> None:
        delay = 0.1
        while True:
            try:
                path = await self._cluster.path(*self.gvk, scope)
                version = await self._list(path, scope)
                self._sync(scope)
                delay = 0.1
                while True:
                    version = await self._stream(path, version, scope)
            except Gone:
                log.info("mirror of %s: lists again, the watch is too old", self.gvk.kind)
            except NotFound as error:
                log.debug("mirror of %s: %s", self.gvk.kind, error)
                self._replace(scope, {})
                self._sync(scope)
                delay = 10.0
            except Forbidden as error:
                # What was seen stays: rights may come back, as after an upgrade. Where nothing was, nothing is for us.
                log.warning("mirror of %s: %s", self.gvk.kind, error)
                self._sync(scope)
                delay = 10.0
            except IntegrationError as error:
                log.debug("mirror of %s: %s", self.gvk.kind, error)
                delay = min(delay * 2, 5.0)
            except Exception:
                log.exception("a bug, or an answer that is none: the mirror of %s lists again", self.gvk.kind)
                delay = min(delay * 2, 5.0)
            await asyncio.sleep(delay)

    def _sync(self, scope: str | None) -> None:
        self._pending.discard(scope)
        if not self._pending:
            self.synced.set()

    async def _list(self, path: str, scope: str | None) -> str:
        seen: dict[Name, None] = {}
        version = ""
        async for items, at in self._cluster.list_pages(path, self._params, self._metadata_only):
            version = at
            for obj in items:
                seen[_name(obj)] = None
                self._see(obj)
        self._replace(scope, seen)
        self._past[scope] = _number(version)
        return version

    def _replace(self, scope: str | None, seen: dict[Name, None]) -> None:
        for name in [n for n in self._objects if (scope is None or n[0] == scope) and n not in seen]:
            self._gone(name)

    async def _stream(self, path: str, version: str, scope: str | None) -> str:
        async with contextlib.aclosing(self._cluster.watch(path, self._params, version, self._metadata_only)) as events:
            async for type_, obj in events:
                version = obj["metadata"].get("resourceVersion", version)
                self._past[scope] = _number(version)
                if type_ == "DELETED":
                    self._gone(_name(obj))
                elif type_ != "BOOKMARK":
                    self._see(obj)
        return version

    def _see(self, obj: dict[str, Any]) -> None:
        name = _name(obj)
        if name in self._versions and self._versions[name] >= _version(obj):
            return
        known = self.get(name)
        self._store(name, obj)
        before, after = known["metadata"] if known else None, obj["metadata"]
        if name in self._held:
            self._held[name].append((before, after))
        else:
            self._changed(self.gvk, name, before, after)

    def _gone(self, name: Name) -> None:
        known = self.get(name)
        if known is not None:
            self._remove(name)
            self._changed(self.gvk, name, known["metadata"], None)

    def _store(self, name: Name, obj: dict[str, Any]) -> None:
        meta = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
        if self._metadata_only:
            # A client-side apply copies all of a Secret into an annotation.
            meta["annotations"] = {k: v for k, v in (meta.get("annotations") or {}).items() if k != LAST_APPLIED}
        kept: dict[str, Any] = {"apiVersion": self.gvk.api_version, "kind": self.gvk.kind}
        if not self._metadata_only:
            kept.update(obj)
        kept["metadata"] = meta
        self._disown(name)
        self._objects[name] = encode(kept)
        self._versions[name] = _version(obj)
        if owner := owner_of(meta):
            self._owned.setdefault(owner, set()).add(name)

    def _remove(self, name: Name) -> None:
        self._disown(name)
        self._objects.pop(name, None)
        self._versions.pop(name, None)

    def _disown(self, name: Name) -> None:
        if (known := self.get(name)) and (owner := owner_of(known["metadata"])) and owner in self._owned:
            self._owned[owner].discard(name)
            if not self._owned[owner]:
                del self._owned[owner]


def _name(obj: dict[str, Any]) -> Name:
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


def _version(obj: dict[str, Any]) -> int:
    """Resource versions of one kind in one cluster are ordered numbers (Kubernetes 1.35 and later says so)."""
    return _number(obj["metadata"]["resourceVersion"])


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0
