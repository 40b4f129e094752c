"""Conditions of objects in a cluster, read as the field's conventions have them."""

from collections.abc import Mapping
from typing import Any

POSITIVE = {"Accepted", "ResolvedRefs", "Programmed", "Ready", "Available", "Established", "Invalid"}
"""Types whose False is bad. Envoy Gateway's Invalid is one of them; others, as Overridden, only say what is so."""


def conditions_of(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All conditions: its own, and those that parents and ancestors (Gateway API) have written."""
    status = manifest.get("status") or {}
    entries = [status, *(status.get("parents") or ()), *(status.get("ancestors") or ())]
    return [c for entry in entries for c in entry.get("conditions") or ()]


def is_true(manifest: Mapping[str, Any], type_: str) -> bool:
    """Whether a condition is True."""
    return any(c["type"] == type_ and c["status"] == "True" for c in conditions_of(manifest))


def bad(manifest: Mapping[str, Any]) -> list[str]:
    """What its conditions hold against it, a sentence each."""
    said = [
        f"{c['type']}=False {c.get('reason', '')}: {c.get('message', '')}".rstrip(": ")
        for c in conditions_of(manifest)
        if c["status"] == "False" and c["type"] in POSITIVE
    ]
    return list(dict.fromkeys(said))
