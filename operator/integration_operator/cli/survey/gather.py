"""Objects of ours in a cluster, each with its children and what is said of them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from integration_operator.cli.conditions import bad
from integration_operator.cli.listing import listed
from integration_operator.core.errors import Forbidden
from integration_operator.core.kind import Kind
from integration_operator.core.model import API_VERSION, MANAGER
from integration_operator.core.ports import Key
from integration_operator.engine.children import MANAGED_BY, OWNER_NAME, owner_of
from integration_operator.engine.cluster import Cluster
from integration_operator.engine.mirror import METADATA_ONLY, Gvk

PART_OF = "app.kubernetes.io/part-of"


@dataclass(frozen=True)
class Child:
    """One child, and what its own status holds against it."""

    kind: str
    name: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """One object of ours as it stands."""

    key: Key
    part_of: str
    ready: str
    """True, False or Unknown, for the present generation."""
    reason: str
    message: str
    conditions: tuple[Mapping[str, Any], ...]
    children: tuple[Child, ...]


@dataclass
class Survey:
    """All that was asked for, and what could not be read."""

    standings: list[Standing] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)

    @property
    def ready(self) -> bool:
        """Whether every object is."""
        return all(standing.ready == "True" for standing in self.standings)


async def survey(
    cluster: Cluster, kinds: Iterable[Kind[Any, Any]], namespace: str | None, name: str | None = None
) -> Survey:
    """Objects of these kinds in one namespace, or in all; only those of a name where it is given."""
    found = Survey()
    asked = list(kinds)
    lists = await asyncio.gather(*(listed(cluster, API_VERSION, kind.name, namespace) for kind in asked))
    objects = [o for items in lists for o in items if name in (None, o["metadata"]["name"])]
    children = await _children(cluster, asked, namespace, name, found) if objects else {}
    found.standings = [standing(o, children.get(_key(o), ())) for o in objects]
    found.standings.sort(key=lambda s: (s.part_of == "", s.part_of, s.key.namespace, s.key.kind, s.key.name))
    return found


async def _children(
    cluster: Cluster, kinds: list[Kind[Any, Any]], namespace: str | None, name: str | None, found: Survey
) -> dict[Key, list[Child]]:
    selector = f"{MANAGED_BY}={MANAGER}" + (f",{OWNER_NAME}={name}" if name else "")
    children: dict[Key, list[Child]] = defaultdict(list)

    async def collect(gvk: Gvk) -> None:
        try:
            items = await listed(cluster, *gvk, namespace, selector, metadata_only=gvk in METADATA_ONLY)
        except Forbidden:
            found.unread.add(gvk.kind)
            return
        for item in items:
            if owner := owner_of(item["metadata"]):
                going = ("is being deleted",) if item["metadata"].get("deletionTimestamp") else ()
                children[owner].append(Child(gvk.kind, item["metadata"]["name"], (*going, *bad(item))))

    await asyncio.gather(*(collect(gvk) for gvk in dict.fromkeys(Gvk(*c) for k in kinds for c in k.children)))
    return children


def _key(raw: Mapping[str, Any]) -> Key:
    return Key(raw["kind"], raw["metadata"]["namespace"], raw["metadata"]["name"])


def standing(raw: Mapping[str, Any], children: Iterable[Child] = ()) -> Standing:
    """An object as it stands: what is said of an older generation does not count."""
    meta, conditions = raw["metadata"], (raw.get("status") or {}).get("conditions") or []
    ready: Mapping[str, Any] = next((c for c in conditions if c["type"] == "Ready"), {})
    status, reason, message = ready.get("status", "Unknown"), ready.get("reason", "Pending"), ready.get("message", "")
    if meta.get("deletionTimestamp"):
        status, reason, message = "Unknown", "Deleting", "is being deleted"
    elif ready.get("observedGeneration", meta["generation"]) != meta["generation"]:
        status, reason, message = "Unknown", "Stale", "the operator has not judged the newest change yet"
    return Standing(
        key=_key(raw),
        part_of=(meta.get("labels") or {}).get(PART_OF, ""),
        ready=status,
        reason=reason,
        message=message,
        conditions=tuple(conditions),
        children=tuple(sorted(children, key=lambda c: (c.kind, c.name))),
    )
