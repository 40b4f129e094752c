"""The thinnest path: apply a resource, real traffic flows, status says so."""

from tests.e2e.conftest import Client, Gateway, api_route, echo


def test_a_request_goes_through_the_gateway_to_the_service(
    client: Client, gateway: Gateway, namespace: str, host: str
) -> None:
    client.apply(namespace, *echo("echo"), api_route("first", host))
    client.until_condition("apiroute", namespace, "first", "True", "Serving")
    answer = gateway.ask(host, "/api/v1/hello?x=1")
    assert answer.status_code == 200
    assert answer.json()["path"] == "/hello"
    assert answer.json()["query"] == "x=1"
    row = client.kubectl("-n", namespace, "get", "integrations")
    assert "Serving" in row
    assert host in row


def test_a_backend_that_stops_shows_and_heals(client: Client, gateway: Gateway, namespace: str, host: str) -> None:
    client.apply(namespace, *echo("echo"), api_route("first", host, probe={"interval": "5s"}))
    client.until_condition("apiroute", namespace, "first", "True", "Serving")
    client.kubectl("-n", namespace, "scale", "deployment/echo", "--replicas=0")
    client.until_condition("apiroute", namespace, "first", "False", "BackendUnavailable")
    client.kubectl("-n", namespace, "scale", "deployment/echo", "--replicas=1")
    client.until_condition("apiroute", namespace, "first", "True", "Serving")
    assert gateway.ask(host, "/api/v1/").status_code == 200


def test_nothing_is_left_of_a_deleted_route(client: Client, gateway: Gateway, namespace: str, host: str) -> None:
    client.apply(namespace, *echo("echo"), api_route("first", host))
    client.until_condition("apiroute", namespace, "first", "True", "Serving")
    client.kubectl("-n", namespace, "delete", "apiroute", "first", "--wait=true", "--timeout=30s")
    client.until("404 from the gateway", lambda: gateway.ask(host, "/api/v1/").status_code == 404)
    client.until("no HTTPRoute", lambda: client.get("httproute", namespace, "first") is None)
