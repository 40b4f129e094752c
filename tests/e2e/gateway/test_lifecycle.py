"""Versions come and go: a sunset passes without an edit, drafts are not there, each version has a probe of its own."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.conftest import Client, Gateway, api_route, echo


def version(name: str, service: str = "echo", **more: Any) -> dict[str, Any]:
    return {"name": name, "backends": [{"serviceRef": {"name": service, "port": 8080}}], **more}


def test_a_sunset_passes_without_an_edit(client: Client, gateway: Gateway, namespace: str, host: str) -> None:
    client.apply(namespace, *echo("echo"))
    client.kubectl("-n", namespace, "rollout", "status", "deployment/echo", "--timeout=90s")
    sunset = (datetime.now(UTC) + timedelta(seconds=20)).replace(microsecond=0)
    old = version(
        "v1",
        lifecycle="Deprecated",
        deprecatedAt="2026-01-01T00:00:00Z",
        sunsetAt=sunset.strftime("%Y-%m-%dT%H:%M:%SZ"),
        successor="v2",
    )
    client.apply(namespace, api_route("orders", host, versions=[old, version("v2")]))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving", seconds=18)
    before = gateway.ask(host, "/api/v1/")
    assert datetime.now(UTC) < sunset, "the cluster was too slow to see it before"
    assert before.status_code == 200
    assert before.headers["sunset"] == sunset.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert before.headers["deprecation"] == "@1767225600"
    assert before.headers["link"] == '</api/v2>; rel="successor-version"'
    client.until("410", lambda: gateway.ask(host, "/api/v1/").status_code == 410)
    assert datetime.now(UTC) >= sunset
    after = gateway.ask(host, "/api/v1/orders/7")
    assert after.headers["content-type"] == "application/problem+json"
    assert after.json()["status"] == 410
    assert after.headers["link"] == '</api/v2>; rel="successor-version"'
    assert gateway.ask(host, "/api/v2/").status_code == 200
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
    status = client.get("apiroute", namespace, "orders")["status"]  # type: ignore[index]
    assert status["versions"] == [{"name": "v1", "lifecycle": "Retired"}, {"name": "v2", "lifecycle": "Published"}]
    assert status["endpoints"] == [f"https://{host}/api/v2"]
    assert client.get("apiroute", namespace, "orders")["metadata"]["generation"] == 1  # type: ignore[index]


def test_a_draft_is_not_served_until_it_is_published(
    client: Client, gateway: Gateway, namespace: str, host: str
) -> None:
    client.apply(namespace, *echo("echo"), api_route("orders", host, versions=[version("v1", lifecycle="Draft")]))
    client.until_condition("apiroute", namespace, "orders", "True", "Draft")
    assert gateway.ask(host, "/api/v1/").status_code == 404
    client.apply(namespace, api_route("orders", host, versions=[version("v1")]))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
    assert gateway.ask(host, "/api/v1/").status_code == 200
    client.apply(namespace, api_route("orders", host, versions=[version("v1", lifecycle="Draft")]))
    client.until("404", lambda: gateway.ask(host, "/api/v1/").status_code == 404)
    client.until_condition("apiroute", namespace, "orders", "True", "Draft")


def test_each_version_is_probed(client: Client, gateway: Gateway, namespace: str, host: str) -> None:
    versions = [version("v1"), version("v2", "next", match={"header": {"name": "Api-Version", "value": "2"}})]
    versions[0]["match"] = {"path": "/"}
    client.apply(namespace, *echo("echo"), *echo("next"))
    client.apply(namespace, api_route("orders", host, versions=versions, probe={"interval": "5s"}))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
    client.kubectl("-n", namespace, "scale", "deployment/next", "--replicas=0")
    client.until("no pod", lambda: gateway.ask(host, "/api", headers={"Api-Version": "2"}).status_code == 503)
    began = time.monotonic()
    said = client.until_condition("apiroute", namespace, "orders", "False", "BackendUnavailable")
    assert "version v2" in said["message"]
    shown = time.monotonic() - began
    print(f"shown after {shown:.1f} s")
    assert gateway.ask(host, "/api").status_code == 200
    client.kubectl("-n", namespace, "scale", "deployment/next", "--replicas=1")
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")


def test_a_name_that_the_gateways_certificate_lacks_is_noticed(client: Client, namespace: str, host: str) -> None:
    client.apply(namespace, *echo("echo"), api_route("orders", f"deeper.{host}"))
    said = client.until_condition("apiroute", namespace, "orders", "False", "TLSNameMismatch")
    assert f"certificate is not for deeper.{host}" in said["message"]


def test_a_probe_may_want_certain_statuses(client: Client, namespace: str, host: str) -> None:
    probe = {"path": "/health", "expectedStatuses": [204], "interval": "5s"}
    client.apply(namespace, *echo("echo"), api_route("orders", host, probe=probe))
    said = client.until_condition("apiroute", namespace, "orders", "False", "UnexpectedStatus")
    assert "answers 200, expected 204" in said["message"]
    client.apply(namespace, api_route("orders", host, probe={**probe, "expectedStatuses": [200, 204]}))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
