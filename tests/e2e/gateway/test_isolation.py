"""A wrong route disturbs nobody, and what somebody edits by hand is put right."""

import json
from typing import Any

from tests.e2e.conftest import Client, Gateway, api_route, connection, echo
from tests.e2e.gateway.test_places import asked_all_the_time


def wrong_routes(host: str) -> dict[str, tuple[dict[str, Any], str]]:
    """Routes with which something is wrong, by name, and the reason that each must give."""
    own, good = f"wrong-{host}", {"serviceRef": {"name": "echo", "port": 8080}}

    def route(name: str, where: str = own, **spec: Any) -> dict[str, Any]:
        return api_route(name, where, basePath=f"/{name}", **spec)

    def version(*backends: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
        return [{"name": "v1", "backends": list(backends), **more}]

    odd = 'https://docs.example.com/%ENVIRONMENT(HOME)%/%zz/%/"<>'
    deprecated = {"lifecycle": "Deprecated", "deprecatedAt": "2026-01-01T00:00:00Z", "documentationUrl": odd}
    return {
        "no-service": (
            route("no-service", versions=version({"serviceRef": {"name": "no", "port": 1}})),
            "ServiceNotFound",
        ),
        "no-port": (route("no-port", versions=version({"serviceRef": {"name": "echo", "port": 1}})), "PortNotFound"),
        "no-connection": (
            route("no-connection", versions=version({"connectionRef": {"name": "no"}})),
            "ConnectionNotFound",
        ),
        "no-gateway": (route("no-gateway", gatewayRef={"name": "no"}), "GatewayNotFound"),
        "odd-period": (
            route("odd-period", traffic={"rateLimit": {"limit": 1, "period": "7s"}}),
            "UnsupportedByGateway",
        ),
        "same-place": (api_route("same-place", host), "Conflicted"),
        "no-pods": (
            route("no-pods", versions=version({"serviceRef": {"name": "empty", "port": 8080}})),
            "BackendUnavailable",
        ),
        "no-trust": (
            route("no-trust", versions=version({"connectionRef": {"name": "no-trust"}})),
            "CertificateUnusable",
        ),
        "odd-link": (route("odd-link", versions=version(good, **deprecated)), "Serving"),
    }


def test_wrong_routes_come_and_go_and_a_good_one_serves_on(
    client: Client, gateway: Gateway, namespace: str, host: str
) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "empty"},
        "spec": {"ports": [{"port": 8080}]},
    }
    garbage = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "garbage"},
        "stringData": {"ca.crt": "garbage"},
    }
    untrusted = connection(
        "no-trust", http={"url": "https://peer.outside.test:1/ä"}, tls={"caRef": {"name": "garbage"}}
    )
    client.apply(namespace, *echo("echo"), service, garbage, untrusted, api_route("good", host))
    client.until_condition("apiroute", namespace, "good", "True", "Serving")
    wrong = wrong_routes(host)
    with asked_all_the_time(gateway, host, "/api/v1/") as seen:
        for _ in range(2):
            client.apply(namespace, *(manifest for manifest, _ in wrong.values()))
            for name, (_, reason) in wrong.items():
                status = "True" if reason == "Serving" else "False"
                client.until_condition("apiroute", namespace, name, status, reason)
            client.kubectl("-n", namespace, "delete", "apiroute", *wrong)
        client.until_condition("apiroute", namespace, "good", "True", "Serving")
    assert set(seen) == {"echo"}, seen
    print(f"{seen['echo']} requests, all answered")


def test_edits_by_hand_are_healed(client: Client, gateway: Gateway, namespace: str, host: str) -> None:
    traffic = {"cors": {"allowOrigins": ["https://portal.example.com"]}, "timeout": "9s"}
    client.apply(namespace, *echo("echo"), api_route("orders", host, traffic=traffic))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
    planned = client.get("httproute", namespace, "orders")["spec"]  # type: ignore[index]
    patch = [{"op": "replace", "path": "/spec/hostnames", "value": [f"stolen-{host}"]}]
    client.kubectl("-n", namespace, "patch", "httproute", "orders", "--type=json", "-p", json.dumps(patch))
    client.until("healed", lambda: client.get("httproute", namespace, "orders")["spec"] == planned)  # type: ignore[index]
    client.kubectl("-n", namespace, "delete", "securitypolicy", "orders")
    client.until("there again", lambda: client.get("securitypolicy", namespace, "orders"))
    client.kubectl("-n", namespace, "delete", "httproute", "orders")
    client.until("there again", lambda: client.get("httproute", namespace, "orders"))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
    client.until("served again", lambda: gateway.ask(host, "/api/v1/").status_code == 200)


def test_an_httproute_of_somebody_else_is_left_alone(client: Client, namespace: str, host: str) -> None:
    own = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "orders"},
        "spec": {"hostnames": [host], "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/mine"}}]}]},
    }
    client.apply(namespace, *echo("echo"), own)
    client.apply(namespace, api_route("orders", host))
    client.until_condition("apiroute", namespace, "orders", "False", "NameTaken")
    found = client.get("httproute", namespace, "orders")
    assert found is not None
    assert found["spec"]["rules"][0]["matches"][0]["path"]["value"] == "/mine"


def test_another_httproute_at_the_same_place_is_noticed(
    client: Client, gateway: Gateway, namespace: str, host: str
) -> None:
    """The gateway accepts both and serves the older: conditions are no proof, the answer's mark is."""
    other = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "by-hand"},
        "spec": {
            "parentRefs": [{"name": "public", "namespace": "integration-system", "sectionName": "https"}],
            "hostnames": [host],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "/api/v1"}}],
                    "backendRefs": [{"name": "echo", "port": 8080}],
                }
            ],
        },
    }
    client.apply(namespace, *echo("echo"), other)
    client.until("it serves", lambda: gateway.ask(host, "/api/v1/").status_code == 200)
    client.apply(namespace, api_route("orders", host, probe={"interval": "5s"}))
    client.until_condition("apiroute", namespace, "orders", "False", "AnsweredByAnother")
    client.until_condition("apiroute", namespace, "orders", "True", "Programmed", type_="Programmed")
    client.kubectl("-n", namespace, "delete", "httproute", "by-hand")
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
