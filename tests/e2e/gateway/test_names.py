"""Host names of outside systems, while what they lead to changes: Envoy connects to nothing that was not checked."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Client, Gateway, api_route, connection
from tests.e2e.gateway.partner import Partner, partner

ADMIN = 19000
"""Where Envoy lets everybody who is on its own loopback take it apart."""
NOBODY = "192.0.2.7"
"""From the range for documentation (RFC 5737)."""


@pytest.fixture
def outside(client: Client, tmp_path: Path) -> Iterator[Partner]:
    with partner(client.cluster.host_address(), tmp_path, plain=True, port=ADMIN) as found:
        yield found


def alias(target: str) -> dict[str, Any]:
    """A name in the cluster that stands for another, and can be made to stand for a third."""
    spec = {"type": "ExternalName", "externalName": target}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "peer"}, "spec": spec}


def addressed(address: str, port: int) -> list[dict[str, Any]]:
    """A name in the cluster with any address that it is given."""
    labels = {"kubernetes.io/service-name": "peer"}
    ports = [{"name": "http", "port": port}]
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "peer"},
            "spec": {"clusterIP": "None", "ports": ports},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "peer", "labels": labels},
            "addressType": "IPv4",
            "ports": ports,
            "endpoints": [{"addresses": [address]}],
        },
    ]


def integration(namespace: str, host: str, port: int) -> list[dict[str, Any]]:
    """A route to the name `peer` of this namespace, in plain text."""
    url = f"http://peer.{namespace}.svc.cluster.local:{port}"
    return [connection("peer", http={"url": url}, allowInsecure=True), route(host)]


def route(host: str, base_path: str = "/api", name: str = "orders") -> dict[str, Any]:
    versions = [{"name": "v1", "backends": [{"connectionRef": {"name": "peer"}}]}]
    return api_route(name, host, basePath=base_path, versions=versions, probe={"interval": "5s"})


def by_hand(host: str, name: str, port: int) -> list[dict[str, Any]]:
    """A route that leaves a name to Envoy to resolve, as the operator must not."""
    parent = {"name": "public", "namespace": "integration-system", "sectionName": "https"}
    ref = {"group": "gateway.envoyproxy.io", "kind": "Backend", "name": "by-hand"}
    return [
        {
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "Backend",
            "metadata": {"name": "by-hand"},
            "spec": {"endpoints": [{"fqdn": {"hostname": name, "port": port}}]},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "by-hand"},
            "spec": {"parentRefs": [parent], "hostnames": [host], "rules": [{"backendRefs": [ref]}]},
        },
    ]


def test_a_name_that_comes_to_lead_to_loopback_does_not_lead_envoy_there(
    client: Client, gateway: Gateway, outside: Partner, namespace: str, host: str
) -> None:
    client.apply(namespace, alias("peer.outside.test"), *integration(namespace, host, ADMIN))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
    assert gateway.ask(host, "/api/v1/").json()["name"] == "partner"
    client.apply(namespace, alias("loopback.outside.test"))
    name = f"peer.{namespace}.svc.cluster.local"
    client.apply(namespace, *by_hand(f"by-hand-{host}", name, ADMIN))
    client.until("Envoy itself would", lambda: "Envoy Admin" in gateway.ask(f"by-hand-{host}", "/").text)

    def closed() -> bool:
        answer = gateway.ask(host, "/api/v1/")
        assert answer.status_code == 503 or answer.json()["name"] == "partner", answer.text[:200]
        return client.condition("apiroute", namespace, "orders").get("reason") == "AddressDenied"

    client.until("the version is closed", closed, 150)
    client.until("it says so", lambda: gateway.ask(host, "/api/v1/").status_code == 503)
    assert client.kubectl("-n", namespace, "get", "backend", "-o", "name").split() == [
        "backend.gateway.envoyproxy.io/by-hand"
    ]


def test_a_name_that_moves_is_followed_and_one_that_is_lost_goes_on(
    client: Client, gateway: Gateway, namespace: str, host: str, tmp_path: Path
) -> None:
    with partner(client.cluster.host_address(), tmp_path, plain=True) as peer:
        client.apply(namespace, *addressed(NOBODY, peer.port), *integration(namespace, host, peer.port))
        client.until_condition("apiroute", namespace, "orders", "False", "BackendUnavailable")
        client.apply(namespace, *addressed(peer.address, peer.port))
        client.until_condition("apiroute", namespace, "orders", "True", "Serving", seconds=150)
        assert gateway.ask(host, "/api/v1/").json()["name"] == "partner"
        client.kubectl("-n", namespace, "delete", "service,endpointslice", "peer")
        client.until_condition("serviceconnection", namespace, "peer", "False", "DNSNotFound")
        client.until("the operator can't resolve it either", lambda: unresolved(client, namespace, host), 150)
        client.apply(namespace, route(host, "/moved"))
        client.until_condition("apiroute", namespace, "orders", "True", "Serving")
        assert gateway.ask(host, "/moved/v1/").json()["name"] == "partner"


def unresolved(client: Client, namespace: str, host: str) -> bool:
    """Whether a new route, of which nothing is served yet, finds no address."""
    name = f"new-{uuid.uuid4().hex[:8]}"
    client.apply(namespace, route(f"{name}-{host}", "/api", name))
    found = client.until(name, lambda: client.condition("apiroute", namespace, name, "ResolvedRefs"))
    client.kubectl("-n", namespace, "delete", "apiroute", name)
    return bool(found["reason"] == "DNSNotFound")
