"""Two routes that want the same place: the older has it, whatever comes and goes."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Client, Gateway, api_route, echo


def versions(service: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": "v1", "backends": [{"serviceRef": {"name": service, "port": 8080}}], **more}]


@contextmanager
def asked_all_the_time(gateway: Gateway, host: str, path: str) -> Iterator[Counter[str]]:
    """Counts what answers a request after the other, each on a connection of its own."""
    seen: Counter[str] = Counter()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                answer = gateway.ask(host, path)
                seen[answer.json()["name"] if answer.status_code == 200 else str(answer.status_code)] += 1
            except httpx.HTTPError as error:
                seen[type(error).__name__] += 1
            time.sleep(0.01)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def two(client: Client, namespace: str) -> str:
    """A namespace with two backends, of which answers tell by name."""
    client.apply(namespace, *echo("echo"), *echo("other"))
    return namespace


def test_the_older_is_never_disturbed_and_the_newer_follows_when_it_goes(
    client: Client, gateway: Gateway, two: str, host: str
) -> None:
    client.apply(two, api_route("zz-older", host))
    client.until_condition("apiroute", two, "zz-older", "True", "Serving")
    with asked_all_the_time(gateway, host, "/api/v1/") as seen:
        # A later second, so that age decides and not the name.
        created = client.get("apiroute", two, "zz-older")["metadata"]["creationTimestamp"]  # type: ignore[index]
        client.until("the next second", lambda: time.time() >= seconds(created) + 1)
        client.apply(two, api_route("aa-newer", host, versions=versions("other")))
        said = client.until_condition("apiroute", two, "aa-newer", "False", "Conflicted")
        assert "zz-older" in said["message"]
        assert client.get("httproute", two, "aa-newer") is None
        client.apply(two, api_route("aa-newer", host, versions=versions("other"), description="still not"))
        client.until_condition("apiroute", two, "aa-newer", "False", "Conflicted")
        client.kubectl("-n", two, "delete", "apiroute", "aa-newer")
        client.apply(two, api_route("aa-newer", host, versions=versions("other")))
        client.until_condition("apiroute", two, "aa-newer", "False", "Conflicted")
        client.until_condition("apiroute", two, "zz-older", "True", "Serving")
    assert set(seen) == {"echo"}, seen
    client.kubectl("-n", two, "delete", "apiroute", "zz-older")
    client.until_condition("apiroute", two, "aa-newer", "True", "Serving")
    assert gateway.ask(host, "/api/v1/").json()["name"] == "other"


def second(host: str) -> str:
    """Another host name of a test, which the Gateway's certificate covers as well."""
    return f"2-{host}"


def seconds(stamp: str) -> float:
    return time.mktime(time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone


def test_of_the_same_second_the_first_name_has_it_and_the_other_stops(
    client: Client, gateway: Gateway, two: str, host: str
) -> None:
    # Both orders: what is applied second may well be the one that has it.
    client.apply(two, api_route("b", host, versions=versions("other")), api_route("a", host))
    client.apply(two, api_route("c", second(host)), api_route("d", second(host), versions=versions("other")))
    stamps = {n: client.get("apiroute", two, n)["metadata"]["creationTimestamp"] for n in "abcd"}  # type: ignore[index]
    for pair, where in ((("a", "b"), host), (("c", "d"), second(host))):
        winner, loser = sorted(pair, key=lambda n: (stamps[n], n))
        client.until_condition("apiroute", two, winner, "True", "Serving")
        client.until_condition("apiroute", two, loser, "False", "Conflicted")
        assert client.get("httproute", two, loser) is None
        name = {"a": "echo", "b": "other", "c": "echo", "d": "other"}[winner]
        assert gateway.ask(where, "/api/v1/").json()["name"] == name


def test_an_older_route_that_is_changed_to_a_place_takes_it(
    client: Client, gateway: Gateway, two: str, host: str
) -> None:
    client.apply(two, api_route("a", second(host)))
    client.until_condition("apiroute", two, "a", "True", "Serving")
    client.apply(two, api_route("b", host, versions=versions("other")))
    client.until_condition("apiroute", two, "b", "True", "Serving")
    client.apply(two, api_route("a", host))
    client.until_condition("apiroute", two, "b", "False", "Conflicted")
    client.until_condition("apiroute", two, "a", "True", "Serving")
    assert gateway.ask(host, "/api/v1/").json()["name"] == "echo"
    assert client.get("httproute", two, "b") is None
    client.apply(two, api_route("a", second(host)))
    client.until_condition("apiroute", two, "b", "True", "Serving")
    assert gateway.ask(host, "/api/v1/").json()["name"] == "other"


def test_a_route_that_is_changed_to_anothers_place_stays_where_it_was(
    client: Client, gateway: Gateway, two: str, host: str
) -> None:
    client.apply(two, api_route("a", host))
    client.until_condition("apiroute", two, "a", "True", "Serving")
    client.apply(two, api_route("b", second(host), versions=versions("other")))
    client.until_condition("apiroute", two, "b", "True", "Serving")
    client.apply(two, api_route("b", host, versions=versions("other")))
    client.until_condition("apiroute", two, "b", "False", "Conflicted")
    assert gateway.ask(host, "/api/v1/").json()["name"] == "echo"
    assert gateway.ask(second(host), "/api/v1/").json()["name"] == "other"


def test_a_wildcard_that_nobody_allowed_takes_nothing(client: Client, gateway: Gateway, two: str, host: str) -> None:
    client.apply(two, api_route("all", f"*.{host}", versions=versions("other")))
    said = client.until_condition("apiroute", two, "all", "False", "HostnameNotAllowed")
    assert said["message"].startswith(f"*.{host}: a wildcard takes all host names below it")
    assert client.get("httproute", two, "all") is None
    stranger = f"{two}-x"
    client.kubectl("create", "namespace", stranger)
    try:
        client.apply(stranger, *echo("echo"), api_route("one", f"api.{host}"))
        client.until_condition("apiroute", stranger, "one", "True", type_="Accepted")
    finally:
        client.kubectl("delete", "namespace", stranger, "--wait=false")


def test_a_prefix_belongs_to_its_namespace_unless_that_consents(
    client: Client, gateway: Gateway, two: str, host: str
) -> None:
    client.apply(two, api_route("owner", host, basePath="/shop"))
    client.until_condition("apiroute", two, "owner", "True", "Serving")
    stranger = f"{two}-x"
    client.kubectl("create", "namespace", stranger)
    try:
        below = versions("echo", match={"path": "/shop/extra"})
        client.apply(stranger, *echo("echo"), api_route("below", host, basePath="/", versions=below))
        said = client.until_condition("apiroute", stranger, "below", "False", "Conflicted")
        assert f"{host}/shop belongs to ApiRoute {two}/owner" in said["message"]
        beside = versions("echo", match={"path": "/shopping"})
        client.apply(stranger, api_route("below", host, basePath="/", versions=beside))
        client.until_condition("apiroute", stranger, "below", "True", "Serving")
        client.apply(stranger, api_route("below", host, basePath="/", versions=below))
        client.until_condition("apiroute", stranger, "below", "False", "Conflicted")
        client.apply(two, api_route("owner", host, basePath="/shop", allowedNamespaces={"from": "All"}))
        client.until_condition("apiroute", stranger, "below", "True", "Serving")
        assert gateway.ask(host, "/shop/extra").status_code == 200
        client.apply(two, api_route("owner", host, basePath="/shop", allowedNamespaces={"from": "Same"}))
        client.until_condition("apiroute", stranger, "below", "False", "Conflicted")
        client.until("the way is closed", lambda: gateway.ask(host, "/shop/extra").status_code == 404)
    finally:
        client.kubectl("delete", "namespace", stranger, "--wait=false")
