"""Objects of ours: those that are not ready, and those that can't go."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from integration_operator import registry
from integration_operator.cli.examine.finding import Finding, Patient, examination, ok, problem, warning
from integration_operator.cli.listing import listed
from integration_operator.cli.survey.gather import standing
from integration_operator.core.model import API_VERSION
from integration_operator.engine.reconcile import ABANDON, FINALIZER

STUCK = timedelta(minutes=1)
"""How long a deletion may take before it is called stuck."""


@examination("objects")
async def objects(patient: Patient) -> list[Finding]:
    """Every object that is not ready or can't go; a sum where all is well."""
    found = [raw for kind in registry.KINDS for raw in await listed(patient.cluster, API_VERSION, kind.name)]
    findings = [finding for raw in found for finding in judged(raw, bool(patient.installations or patient.unseen))]
    return findings or [ok(f"objects: all {len(found)} are ready")]


def judged(raw: dict[str, Any], served: bool) -> Iterator[Finding]:
    """What is wrong with one object; `served`: whether an operator is there that could do something about it."""
    meta, kind = raw["metadata"], raw["kind"]
    name = f"{kind} {meta['namespace']}/{meta['name']}"
    if going := meta.get("deletionTimestamp"):
        held = FINALIZER in (meta.get("finalizers") or ())
        if held and datetime.now(UTC) - datetime.fromisoformat(going) > STUCK:
            yield problem(f"{name}: can't go since {going}: {_released(raw)}", _let_go(kind, meta, served))
        return
    stands = standing(raw)
    look = f"kubectl integrations status {meta['name']} -n {meta['namespace']}"
    said = f"{name}: Ready={stands.ready} {stands.reason}" + (f": {stands.message}" if stands.message else "")
    if stands.ready == "False":
        yield problem(said, look)
    elif stands.ready == "Unknown":
        yield warning(said, look)


def _released(raw: dict[str, Any]) -> str:
    conditions = (raw.get("status") or {}).get("conditions") or ()
    said = next((c for c in conditions if c["type"] == "Released"), None)
    return f"{said['reason']}: {said.get('message', '')}" if said else "what it has outside is not removed yet"


def _let_go(kind: str, meta: dict[str, Any], served: bool) -> str:
    """By the operator while there is one; else by hand."""
    target = f"kubectl -n {meta['namespace']} {{}} {kind.lower()} {meta['name']}"
    if served:
        return f"to leave what it has outside as it is: {target.format('annotate')} {ABANDON}=true"
    patch = '-p \'{"metadata":{"finalizers":null}}\''
    return f"no operator is there to do it: {target.format('patch')} --type=merge {patch}"
