"""Children as they are applied, and whose they are: pure, so that the CLI plans with the very same functions."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from integration_operator.core.model import API_VERSION, GROUP, MANAGER
from integration_operator.core.plan import Manifest
from integration_operator.core.ports import Key

MANAGED_BY = "app.kubernetes.io/managed-by"
OWNER_KIND = f"{GROUP}/kind"
OWNER_NAME = f"{GROUP}/name"
DIGEST = f"{GROUP}/applied"
"""Annotation on children: what was applied, so that a field that is no longer planned shows as a difference."""


def owner_of(meta: Mapping[str, Any]) -> Key | None:
    """The object of ours that a child belongs to: by its labels, and by an owner reference that says the same.

    Labels alone are written by many, and not to have an object deleted; who writes an owner reference knows that it
    goes with its owner. One to an earlier object of that name counts: the cluster would delete the child all the same.
    """
    owner = labelled(meta)
    references = meta.get("ownerReferences") or ()
    return owner if any(owner and _refers(reference, owner) for reference in references) else None


def labelled(meta: Mapping[str, Any]) -> Key | None:
    """The object of ours that a child says it belongs to, by its labels."""
    labels = meta.get("labels") or {}
    if labels.get(MANAGED_BY) != MANAGER or OWNER_KIND not in labels or OWNER_NAME not in labels:
        return None
    return Key(labels[OWNER_KIND], meta.get("namespace", ""), labels[OWNER_NAME])


def _refers(reference: Mapping[str, Any], owner: Key) -> bool:
    group = str(reference.get("apiVersion", "")).partition("/")[0]
    return (group, reference.get("kind"), reference.get("name")) == (GROUP, owner.kind, owner.name)


def finished(child: Manifest, owner: Mapping[str, Any]) -> dict[str, Any]:
    """A planned child as it is applied: namespace, labels, owner reference and digest added."""
    meta = dict(child["metadata"])
    own = owner["metadata"]
    meta["namespace"] = own.get("namespace", "")
    meta["labels"] = {
        **(meta.get("labels") or {}),
        MANAGED_BY: MANAGER,
        OWNER_KIND: owner["kind"],
        OWNER_NAME: own["name"],
    }
    if own.get("uid"):
        reference = {"apiVersion": API_VERSION, "kind": owner["kind"], "name": own["name"], "uid": own["uid"]}
        meta["ownerReferences"] = [{**reference, "controller": True}]
    result = {**child, "metadata": meta}
    digest = hashlib.sha256(msgspec.json.encode(result)).hexdigest()[:16]
    meta["annotations"] = {**(meta.get("annotations") or {}), DIGEST: digest}
    return result


def covers(live: Any, desired: Any) -> bool:
    """Whether all that is desired is there; what the API server or others added does not count."""
    if isinstance(desired, Mapping):
        return isinstance(live, Mapping) and all(
            covers(live[k], v) if k in live else v in ({}, [], None) for k, v in desired.items()
        )
    if isinstance(desired, list | tuple):
        return isinstance(live, list) and len(live) == len(desired) and all(map(covers, live, desired))
    return bool(live == desired)
