"""A version with a problem is held by itself: the others go on, and so does what is asked of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Client, Gateway, api_route, connection, echo
from tests.e2e.gateway.partner import Partner, partner

NAME = "peer.outside.test"


@pytest.fixture
def outside(client: Client, tmp_path: Path) -> Iterator[Partner]:
    with partner(client.cluster.host_address(), tmp_path, (NAME,)) as found:
        yield found


def secret(token: str, outside: Partner) -> dict[str, Any]:
    values = {"token": token, "ca.crt": outside.ca}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "peer"}, "stringData": values}


def peer(outside: Partner) -> dict[str, Any]:
    return connection(
        "peer",
        http={"url": f"https://{NAME}:{outside.port}"},
        tls={"caRef": {"name": "peer"}},
        credentials={"bearer": {"tokenRef": {"name": "peer", "key": "token"}}},
    )


def to_service(name: str, service: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "backends": [{"serviceRef": {"name": service, "port": 8080}}], **more}


def to_peer(name: str) -> dict[str, Any]:
    return {"name": name, "backends": [{"connectionRef": {"name": "peer"}}]}


def route(host: str, *versions: dict[str, Any]) -> dict[str, Any]:
    return api_route("orders", host, versions=list(versions), probe={"interval": "5s"})


def test_a_credential_is_renewed_while_another_version_lacks_its_service(
    client: Client, gateway: Gateway, outside: Partner, namespace: str, host: str
) -> None:
    client.apply(namespace, *echo("echo"), secret("first", outside), peer(outside))
    client.apply(namespace, route(host, to_peer("v1"), to_service("v2", "echo")))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
    rule = rules(client, namespace)["v2"]
    client.kubectl("-n", namespace, "delete", "service", "echo")
    said = client.until_condition("apiroute", namespace, "orders", "False", "ServiceNotFound")
    assert said["message"] == "version v2: Service echo does not exist; meanwhile it stays as it was"
    client.apply(namespace, secret("second", outside))

    def renewed() -> bool:
        gateway.ask(host, "/api/v1/renewed")
        ours = [a for a in outside.asked if a.path == "/renewed"]
        return bool(ours) and ours[-1].headers["authorization"] == "Bearer second"

    client.until("the new credential is used", renewed)
    client.until_condition("apiroute", namespace, "orders", "True", type_="Programmed")
    assert gateway.ask(host, "/api/v2/").status_code >= 500
    now = rules(client, namespace)["v2"]
    assert (now["backendRefs"], now["matches"]) == (rule["backendRefs"], rule["matches"])
    client.apply(namespace, *echo("echo"))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
    assert gateway.ask(host, "/api/v2/").json()["name"] == "echo"


def test_a_misspelt_backend_leaves_the_old_one_while_the_other_version_reaches_its_sunset(
    client: Client, gateway: Gateway, outside: Partner, namespace: str, host: str
) -> None:
    client.apply(namespace, *echo("echo"), secret("first", outside), peer(outside))
    client.kubectl("-n", namespace, "rollout", "status", "deployment/echo", "--timeout=90s")
    client.apply(namespace, route(host, to_service("v1", "echo"), to_peer("v2")))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
    made = children(client, namespace)
    sunset = (datetime.now(UTC) + timedelta(seconds=10)).replace(microsecond=0)
    old = to_service("v1", "echo", sunsetAt=sunset.strftime("%Y-%m-%dT%H:%M:%SZ"))
    client.apply(namespace, route(host, old, to_service("v2", "ehco")))
    said = client.until_condition("apiroute", namespace, "orders", "False", "ServiceNotFound")
    assert said["message"] == "version v2: Service ehco does not exist; meanwhile it stays as it was"
    client.until("410", lambda: gateway.ask(host, "/api/v1/").status_code == 410)
    assert datetime.now(UTC) >= sunset
    assert gateway.ask(host, "/api/v2/x").json()["name"] == "partner"
    client.until_condition("apiroute", namespace, "orders", "True", "Serving", type_="Reachable")
    status = client.get("apiroute", namespace, "orders")["status"]  # type: ignore[index]
    assert status["endpoints"] == [f"https://{host}/api/v2"]
    assert made <= children(client, namespace), "what v2 is served with is still there"
    client.apply(namespace, route(host, old, to_service("v2", "echo")))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
    assert gateway.ask(host, "/api/v2/").json()["name"] == "echo"
    assert not made & children(client, namespace), "and gone when it is not"


def test_a_new_version_without_its_service_answers_503_beside_the_old_one(
    client: Client, gateway: Gateway, namespace: str, host: str
) -> None:
    client.apply(namespace, *echo("echo"), route(host, to_service("v1", "echo"), to_service("v2", "soon")))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving", type_="Reachable")
    said = client.until_condition("apiroute", namespace, "orders", "False", "ServiceNotFound")
    assert said["message"] == "version v2: Service soon does not exist; meanwhile it answers 503"
    assert gateway.ask(host, "/api/v1/").status_code == 200
    answer = gateway.ask(host, "/api/v2/")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    client.apply(namespace, *echo("soon"))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")


def rules(client: Client, namespace: str) -> dict[str, Any]:
    """Rules of the HTTPRoute by version."""
    found = client.get("httproute", namespace, "orders")
    assert found
    return {rule["name"]: rule for rule in found["spec"]["rules"]}


def children(client: Client, namespace: str) -> set[str]:
    """What belongs to the connection of a route."""
    kinds = "backend,backendtlspolicy,httproutefilter,configmap,secret"
    found = client.kubectl(
        "-n", namespace, "get", kinds, "-l", "integration.threehorizons.io/kind=ApiRoute", "-o", "name"
    )
    return {name for name in found.split() if "peer" in name}
