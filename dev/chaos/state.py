"""The whole state at the end, without what differs between any two runs: times, uids and versions."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dev.bench.world import items
from integration_operator import registry
from integration_operator.core.model import API_VERSION
from integration_operator.engine.children import DIGEST, MANAGED_BY
from integration_operator.engine.cluster import Cluster
from tests.api.engine.widgets import WIDGET

KINDS = (*registry.KINDS, WIDGET)
State = dict[str, Any]
"""By "kind/name": what counts of an object, of a child, or of a thing outside."""


async def take(cluster: Cluster, namespace: str, folder: Path) -> tuple[State, list[str]]:
    """The state, and what must not be in it at the end: orphans, objects that are going, statuses that lag."""
    state: State = {}
    wrong: list[str] = []
    owners: dict[str, str] = {}
    for kind in KINDS:
        for found in await items(cluster, API_VERSION, kind.name, namespace):
            name = f"{kind.name}/{found['metadata']['name']}"
            owners[found["metadata"]["uid"]] = name
            state[name] = _own(found)
            wrong += _unsettled(name, found)
    for child in sorted({c for kind in KINDS for c in kind.children}):
        for found in await items(cluster, *child, namespace):
            if (found["metadata"].get("labels") or {}).get(MANAGED_BY):
                name = f"{child[1]}/{found['metadata']['name']}"
                owner = [owners.get(ref["uid"]) for ref in found["metadata"].get("ownerReferences") or ()]
                state[f"child {name}"] = {**_child(found), "owner": owner}
                if None in owner or not owner:
                    wrong.append(f"{name} is an orphan")
                if found["metadata"].get("deletionTimestamp"):
                    wrong.append(f"{name} is being deleted")
    state |= _outside(folder)
    wanted = {f"outside {s['spec']['external']}" for n, s in state.items() if n.startswith("Widget/")}
    wrong += [f"{name} is an orphan" for name in state if name.startswith("outside ") and name not in wanted]
    return state, wrong


def _outside(folder: Path) -> State:
    return {f"outside {path.name}": path.read_text() for path in folder.iterdir() if not path.name.startswith(".")}


def _unsettled(name: str, found: Mapping[str, Any]) -> Iterator[str]:
    meta = found["metadata"]
    if meta.get("deletionTimestamp"):
        yield f"{name} is being deleted"
    elif (found.get("status") or {}).get("observedGeneration") != meta["generation"]:
        yield f"{name} has no status of its generation"


def _own(found: Mapping[str, Any]) -> dict[str, Any]:
    status = dict(found.get("status") or {})
    conditions = status.pop("conditions", [])
    timeless = [{k: v for k, v in c.items() if k != "lastTransitionTime"} for c in conditions]
    meta = found["metadata"]
    kept = {k: meta.get(k) for k in ("generation", "finalizers", "labels", "annotations")}
    return {"spec": found.get("spec"), "status": status, "conditions": timeless, **kept}


def _child(found: Mapping[str, Any]) -> dict[str, Any]:
    meta = found["metadata"]
    # The digest holds the owner's uid, and a Service-like status is not ours.
    annotations = {k: v for k, v in (meta.get("annotations") or {}).items() if k != DIGEST}
    managers = sorted({entry["manager"] for entry in meta["managedFields"]})
    body = {k: v for k, v in found.items() if k not in ("metadata", "status")}
    return {**body, "labels": meta.get("labels"), "annotations": annotations, "managers": managers}


def differences(one: State, other: State) -> list[str]:
    """What is in one and not in the other, or not the same; at most a line for each."""
    found = [f"only undisturbed: {name}" for name in sorted(one.keys() - other.keys())]
    found += [f"only after kills: {name}" for name in sorted(other.keys() - one.keys())]
    for name in sorted(one.keys() & other.keys()):
        if one[name] != other[name]:
            found.append(f"{name}: {_first(one[name], other[name])}")
    return found


def _first(one: Any, other: Any, path: str = "") -> str:
    """Where two values part."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *other]:
            if one.get(key) != other.get(key):
                return _first(one.get(key), other.get(key), f"{path}.{key}")
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            if a != b:
                return _first(a, b, f"{path}[{number}]")
    return f"{path}: {str(one)[:200]} undisturbed, {str(other)[:200]} after kills"
