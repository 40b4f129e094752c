"""The status that should be, from the one that is: pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from integration_operator.core.plan import Condition

PENDING = "Pending"
"""The reason of what waits for an answer that is on its way."""

EPOCH = "1970-01-01T00:00:00Z"
"""When the CRD's default conditions say they began: never, that is."""

_TEXT = {True: "True", False: "False", None: "Unknown"}


def merge(
    old: Mapping[str, Any],
    own: Mapping[str, Any],
    conditions: Iterable[Condition],
    generation: int,
    now: datetime,
    *,
    awaited: bool = False,
) -> dict[str, Any]:
    """The whole new status: the kind's `own` fields, and conditions with time and generation.

    lastTransitionTime changes only with a condition's status, as metav1.Condition has it.
    `awaited`: a check is about to find out for the first time, as after a restart. What is unknown for that long stays
    as it was found for this very generation.
    """
    before = {c["type"]: c for c in old.get("conditions") or ()}
    at = stamp(now)
    merged = [_condition(c, before.get(c.type), generation, at) for c in conditions]
    if awaited:
        merged = [_known(before.get(c["type"]), c) for c in merged]
    return {**own, "observedGeneration": generation, "conditions": merged}


def _known(old: Mapping[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    if old is None or new["status"] != "Unknown" or (old["status"] == "Unknown" and new["reason"] != PENDING):
        return new
    return dict(old) if old.get("observedGeneration") == new["observedGeneration"] else new


def unknown(old: Mapping[str, Any], reason: str, message: str, generation: int, now: datetime) -> dict[str, Any]:
    """The old status, with Ready unknown for want of a judgement: what was found before still stands."""
    ready = Condition("Ready", None, reason, message)
    before = {c["type"]: c for c in old.get("conditions") or ()}
    kept = [c for c in before.values() if c["type"] != "Ready"]
    told = _condition(ready, before.get("Ready"), generation, stamp(now))
    return {**old, "observedGeneration": generation, "conditions": [*kept, told]}


def _condition(new: Condition, old: Mapping[str, Any] | None, generation: int, at: str) -> dict[str, Any]:
    status = _TEXT[new.status]
    kept = old and old["status"] == status and old["lastTransitionTime"] != EPOCH
    return {
        "type": new.type,
        "status": status,
        "reason": new.reason,
        "message": new.message[:32768],
        "lastTransitionTime": old["lastTransitionTime"] if old and kept else at,
        "observedGeneration": generation,
    }


def patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) from one status to the other, top-level fields whole; empty when equal."""
    changed = {k: v for k, v in new.items() if old.get(k) != v}
    # A merge patch would merge maps: what is gone inside one must be named.
    for name, value in changed.items():
        if isinstance(value, dict) and isinstance(was := old.get(name), dict):
            changed[name] = {**dict.fromkeys(was.keys() - value.keys()), **value}
    return {**changed, **dict.fromkeys(k for k in old if k not in new)}


def ready(status: Mapping[str, Any]) -> tuple[str, str, str]:
    """Status, reason and message of Ready; Unknown where there is none."""
    for condition in status.get("conditions") or ():
        if condition["type"] == "Ready":
            return condition["status"], condition["reason"], condition.get("message", "")
    return "Unknown", "Pending", ""


def stamp(time: datetime) -> str:
    """RFC 3339 in whole seconds, UTC, as metav1.Time."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
