"""Plans of ApiRoutes: golden files. Beside what tests.unit.kinds.golden knows, an input may hold

- `gateway`: what the gateway says of the children that a first pass made: Accepted, Silent, Refused, or
  Unresolved (taken, but for a Service that is gone);
- `before`: what was different in that first pass: the `resource`, `dns`, or some objects of the `cluster`.

Outcomes are of what is asked now, unless they say `stale: true`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import yaml

from integration_operator.core.plan import Outcome
from integration_operator.kinds.api_route import KIND
from integration_operator.kinds.api_route.reasons import Reason
from tests.unit.kinds.golden import Case, cases, compare, decide, load

CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"


@pytest.mark.parametrize("name", cases(__file__))
async def test_plan_is_as_the_golden_file_says(name: str) -> None:
    case = load(__file__, name)
    if says := case.get("gateway"):
        case["children"] = await answered(case, says)
    compare(await decide(KIND, case, outcomes), __file__, name)


def outcomes(case: Case) -> Mapping[str, Outcome]:
    found = {}
    for name, given in (case.get("outcomes") or {}).items():
        told = {k: v for k, v in given.items() if k != "stale"}
        found[name] = Outcome(**told, target=None if given.get("stale") else ANY)
    return found


async def answered(case: Case, says: str) -> list[Any]:
    """The children of a first pass, with what the gateway says of them."""
    before = case.get("before") or {}
    replaced = {identity(o): o for o in [*reversed(case["cluster"]), *(before.get("cluster") or ())]}
    plan = await decide(KIND, {**case, **before, "cluster": list(replaced.values())}, outcomes)
    assert plan.children
    return [said(dict(child), says) for child in plan.children]


def identity(obj: Case) -> tuple[str, str, str]:
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def said(child: dict[str, Any], says: str) -> dict[str, Any]:
    child["metadata"] = {**child["metadata"], "generation": 1}
    accepted = {"type": "Accepted", "status": "True", "reason": "Accepted", "observedGeneration": 1}
    if says == "Refused" and child["kind"] == "HTTPRoute":
        accepted |= {"status": "False", "reason": "UnsupportedValue", "message": "No such thing."}
    if says == "Silent":
        accepted["observedGeneration"] = 0
    entry = {"controllerName": CONTROLLER, "conditions": [accepted]}
    if says == "Unresolved" and child["kind"] == "HTTPRoute":
        entry["conditions"] = [
            accepted,
            {**accepted, "type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound"},
        ]
    match child["kind"]:
        case "HTTPRoute":
            child["status"] = {"parents": [entry]}
        case "Backend":
            child["status"] = {"conditions": [accepted]}
        case "BackendTLSPolicy" | "BackendTrafficPolicy" | "SecurityPolicy":
            child["status"] = {"ancestors": [entry]}
    return child


def test_every_reason_is_reached_by_a_case() -> None:
    files = (Path(__file__).parent / "cases").glob("*.out.yaml")
    found = [str(c) for file in files for c in yaml.safe_load(file.read_text())["conditions"].values()]
    reached = {c.partition(" ")[2].partition(":")[0] for c in found}
    assert set(Reason) <= reached
