"""The audit log: one JSON line for each thing done. Its schema is docs/audit.md, version 1; no secret, no payload."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog

from integration_operator.core.errors import IntegrationError, NotLeading
from integration_operator.core.model import MANAGER
from integration_operator.core.ports import Key

SCHEMA = "integration.threehorizons.io/audit/v1"

_log = structlog.get_logger("audit")


def record(
    action: str, target: str, key: Key, cause: Mapping[str, Any], outcome: str = "done", reason: str = ""
) -> None:
    """Something was done (or refused, or failed) to `target` because of the object `key` as `cause` has it."""
    meta = cause.get("metadata") or {}
    _log.info(
        "audit",
        schema=SCHEMA,
        action=action,
        target=target,
        object={"kind": key.kind, "namespace": key.namespace, "name": key.name, "uid": meta.get("uid", "")},
        generation=meta.get("generation", 0),
        actor=cause.get("asked_by", ""),
        outcome=outcome,
        **({"reason": reason} if reason else {}),
    )


@contextmanager
def recorded(action: str, target: str, key: Key, cause: Mapping[str, Any]) -> Iterator[None]:
    """Record what the block does: done, or failed and why. What was not begun, for want of the lease, is neither."""
    try:
        yield
    except NotLeading:
        raise
    except IntegrationError as error:
        record(action, target, key, cause, "failed", error.reason)
        raise
    record(action, target, key, cause)


def asked_by(raw: Mapping[str, Any]) -> str:
    """Who last wrote anything but the status of an object: the field manager, as the API server recorded it."""
    entries = [
        e
        for e in raw["metadata"].get("managedFields") or ()
        if not e.get("subresource") and e.get("manager") != MANAGER
    ]
    newest = max(entries, key=lambda e: e.get("time") or "", default=None)
    return str(newest["manager"]) if newest else ""
