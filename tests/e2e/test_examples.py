"""The examples, as the demo applies them: each becomes Ready, and what is created is what the plan said offline."""

import json
from typing import Any

from dev.outside import NAMESPACES, Outside
from dev.versions import ROOT
from tests.e2e.conftest import Client, Gateway
from tests.e2e.test_cli import plugin

CHILDREN = (
    "httproutes,backends,backendtlspolicies,backendtrafficpolicies,securitypolicies,httproutefilters,networkpolicies"
)
OURS = "app.kubernetes.io/managed-by=integration-operator"


def _unready(client: Client) -> list[str]:
    found = [o for n in NAMESPACES for o in _items(client, n, "integrations")]
    states = {o["metadata"]["name"]: o.get("status", {}).get("conditions", [{}])[-1] for o in found}
    return [f"{name}: {c.get('reason')}" for name, c in states.items() if c.get("status") != "True"]


def _items(client: Client, namespace: str, what: str, *more: str) -> list[dict[str, Any]]:
    return list(json.loads(client.kubectl("-n", namespace, "get", what, "-o", "json", *more))["items"])


def test_every_example_works_and_was_planned(client: Client, gateway: Gateway, systems: Outside) -> None:
    systems.give(client.cluster)
    try:
        client.kubectl("apply", "--recursive", "-f", str(ROOT / "examples"))
        client.until("every example is Ready", lambda: not _unready(client), seconds=180)
        planned = json.loads(plugin(client, "plan", "-f", str(ROOT / "examples"), "-o", "json").stdout)
        wanted = {
            (c["kind"], c["metadata"]["namespace"], c["metadata"]["name"])
            for o in planned["objects"]
            for c in o["children"]
        }
        real = {
            (o["kind"], o["metadata"]["namespace"], o["metadata"]["name"])
            for n in NAMESPACES
            for o in _items(client, n, f"{CHILDREN},secrets,configmaps", "-l", OURS)
        }
        assert real == wanted
        assert gateway.ask("api.example.com", "/orders/v1/hello").json()["name"] == "orders"
        assert gateway.ask("orders.example.com", "/orders/v0/").status_code == 410
        seen = gateway.ask("billing.example.com", "/v2/x", headers={"Authorization": "Bearer mine"}).json()
        assert seen["name"] == "partner"
        assert seen["headers"]["Authorization"] != ["Bearer mine"]
    finally:
        client.kubectl("delete", "namespace", *NAMESPACES, "--wait=false", "--ignore-not-found")
