"""Routes to systems outside, by a ServiceConnection: its trust, its credential, its owner's consent."""

from collections.abc import Iterator
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


def secret(name: str, **values: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def peer(outside: Partner, **spec: Any) -> dict[str, Any]:
    credentials = {"bearer": {"tokenRef": {"name": "peer", "key": "token"}}}
    base = {"http": {"url": f"https://{NAME}:{outside.port}/v2"}, "tls": {"caRef": {"name": "peer"}}}
    return connection("peer", **{**base, "credentials": credentials, **spec})


def route(host: str, namespace: str | None = None, **more: Any) -> dict[str, Any]:
    ref = {"name": "peer", **({"namespace": namespace} if namespace else {})}
    versions = [{"name": "v1", "backends": [{"connectionRef": ref}]}]
    return api_route("orders", host, versions=versions, probe={"interval": "5s"}, **more)


def test_the_credential_goes_along_and_a_new_one_takes_its_place(
    client: Client, gateway: Gateway, outside: Partner, namespace: str, host: str
) -> None:
    client.apply(namespace, secret("peer", token="first", **{"ca.crt": outside.ca}), peer(outside), route(host))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
    answer = gateway.ask(host, "/api/v1/invoices?x=1", headers={"Authorization": "Bearer callers"})
    assert answer.json() == {"name": "partner", "path": "/v2/invoices?x=1"}
    (ours,) = [a for a in outside.asked if a.path == "/v2/invoices?x=1"]
    assert ours.headers["authorization"] == "Bearer first"
    assert ours.headers["host"] == NAME
    client.apply(namespace, secret("peer", token="second", **{"ca.crt": outside.ca}))

    def renewed() -> bool:
        gateway.ask(host, "/api/v1/renewed")
        ours = [a for a in outside.asked if a.path == "/v2/renewed"]
        return bool(ours) and ours[-1].headers["authorization"] == "Bearer second"

    client.until("the new credential is used", renewed)


def test_a_credential_that_is_refused_shows_and_heals(
    client: Client, gateway: Gateway, outside: Partner, namespace: str, host: str
) -> None:
    client.apply(namespace, secret("peer", token="first", **{"ca.crt": outside.ca}), peer(outside), route(host))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
    outside.answer = lambda n: 401
    client.until_condition("apiroute", namespace, "orders", "False", "CredentialRefused")
    client.until_condition("serviceconnection", namespace, "peer", "False", "AuthenticationFailed")
    outside.answer = lambda n: 200
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")


def test_a_certificate_that_is_not_trusted_is_not_served_and_heals(
    client: Client, gateway: Gateway, outside: Partner, namespace: str, host: str, tmp_path: Path
) -> None:
    with partner(outside.address, tmp_path / "other") as other:
        wrong = other.ca
    client.apply(namespace, secret("peer", token="t", **{"ca.crt": wrong}), peer(outside), route(host))
    client.until_condition("apiroute", namespace, "orders", "False", "BackendUnavailable")
    client.until_condition("serviceconnection", namespace, "peer", "False", "TLSUntrusted")
    assert gateway.ask(host, "/api/v1/").status_code == 503
    assert outside.asked == []
    client.apply(namespace, secret("peer", token="t", **{"ca.crt": outside.ca}))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")


def test_an_owner_who_no_longer_consents_is_obeyed_at_once(
    client: Client, gateway: Gateway, outside: Partner, namespace: str, host: str
) -> None:
    owner = f"{namespace}-owner"
    client.kubectl("create", "namespace", owner)
    try:
        shared = {"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
        client.apply(owner, secret("peer", token="t", **{"ca.crt": outside.ca}), peer(outside))
        both = route(host, owner)
        both["spec"]["versions"].append({"name": "v2", "backends": [{"serviceRef": {"name": "echo", "port": 8080}}]})
        client.apply(namespace, *echo("echo"), both)
        client.until_condition("apiroute", namespace, "orders", "False", "RefNotPermitted")
        client.until("v1 is closed", lambda: gateway.ask(host, "/api/v1/").status_code == 503)
        client.apply(owner, peer(outside, allowedNamespaces=shared))
        client.until_condition("apiroute", namespace, "orders", "True", "Serving")
        assert gateway.ask(host, "/api/v1/").json()["name"] == "partner"
        client.apply(owner, peer(outside))
        client.until_condition("apiroute", namespace, "orders", "False", "RefNotPermitted")
        client.until("v1 is closed", lambda: gateway.ask(host, "/api/v1/").status_code == 503)
        assert gateway.ask(host, "/api/v2/").json()["name"] == "echo"
        left = client.kubectl("-n", namespace, "get", "secret,backend,httproutefilter", "-o", "name")
        assert "credential" not in left, "the credential is gone with the consent"
        client.apply(owner, peer(outside, allowedNamespaces=shared))
        client.until_condition("apiroute", namespace, "orders", "True", "Serving")
    finally:
        client.kubectl("delete", "namespace", owner, "--wait=false")


def test_a_denied_address_is_never_connected_to(
    client: Client, gateway: Gateway, outside: Partner, namespace: str, host: str
) -> None:
    url = f"https://kubernetes.default.svc.cluster.local:{outside.port}"
    client.apply(namespace, secret("peer", token="t", **{"ca.crt": outside.ca}))
    client.apply(namespace, peer(outside, http={"url": url}), route(host))
    client.until_condition("serviceconnection", namespace, "peer", "False", "AddressDenied")
    client.until_condition("apiroute", namespace, "orders", "False", "AddressDenied")
    client.until("it is closed", lambda: gateway.ask(host, "/api/v1/").status_code == 503)
    assert client.kubectl("-n", namespace, "get", "backend", "-o", "name") == ""


def test_plain_text_only_where_it_is_allowed(
    client: Client, gateway: Gateway, namespace: str, host: str, tmp_path: Path
) -> None:
    with partner(client.cluster.host_address(), tmp_path, plain=True) as plain:
        url = f"http://{NAME}:{plain.port}"
        client.apply(namespace, connection("peer", http={"url": url}, allowInsecure=True), route(host))
        client.until_condition("apiroute", namespace, "orders", "True", "Serving")
        assert gateway.ask(host, "/api/v1/x").json() == {"name": "partner", "path": "/x"}
        assert plain.asked[-1].headers["host"] == NAME


def test_a_binding_made_by_hand_is_not_used_and_stops_nobody(
    client: Client, gateway: Gateway, namespace: str, host: str
) -> None:
    """A header with a line break, once rendered, keeps the gateway from taking any further change of any route."""
    url = "https://peer.outside.test"
    credentials = {"bearer": {"tokenRef": {"name": "missing", "key": "token"}}}
    client.apply(namespace, connection("peer", http={"url": url}, credentials=credentials))
    client.until_condition("serviceconnection", namespace, "peer", "False", "RefNotFound")
    uid = client.get("serviceconnection", namespace, "peer")["metadata"]["uid"]  # type: ignore[index]
    hostile = secret("peer-binding", type="http", provider="x", host="peer.outside.test", port="443", uri=url)
    hostile["stringData"] |= {"header": "X-Key: 1\r\nX-More", "header-value": "k1"}
    client.apply(namespace, hostile, *echo("echo"), route(host), api_route("other", f"other-{host}"))
    assert "not its own" in client.until_condition("apiroute", namespace, "orders", "False")["message"]
    api_version = connection("peer")["apiVersion"]
    owner = {"apiVersion": api_version, "kind": "ServiceConnection", "name": "peer", "uid": uid, "controller": True}
    hostile["metadata"]["ownerReferences"] = [owner]
    client.apply(namespace, hostile)

    def refused_by_its_header() -> bool:
        return "header" in client.condition("apiroute", namespace, "orders").get("message", "")

    client.until("the forged one is refused too", refused_by_its_header)
    client.until_condition("apiroute", namespace, "other", "True", "Serving")
    client.apply(namespace, api_route("other", f"other-{host}", basePath="/moved"))
    client.until_condition("apiroute", namespace, "other", "True", "Serving")
    assert gateway.ask(f"other-{host}", "/moved/v1/").json()["name"] == "echo"
