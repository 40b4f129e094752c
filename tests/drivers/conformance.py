"""What every gateway driver must do, shown by real traffic: for each Feature a check that its absence would fail.

A check is given a Lab: a running gateway, two backends in the cluster (`echo`, `echo-next`: they answer as JSON what
they were asked), and partners outside. It makes a neutral route, has the driver render it, and asks.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx

from integration_operator.drivers.gateway import (
    ConnectionBackend,
    Cors,
    Feature,
    GatewayDriver,
    Match,
    Route,
    ServiceBackend,
    Traffic,
    Version,
)


class Outside(Protocol):
    """A partner's API: what it was asked, and how it answers the n-th time."""

    address: str
    port: int
    ca: str
    asked: list[Any]
    answer: Callable[[int], int]


class Lab(Protocol):
    """A gateway to try a driver on."""

    driver: GatewayDriver

    def route(self, *versions: Version, traffic: Traffic = ..., hosts: int = 1) -> Route:
        """A route under host names that are its own."""
        ...

    def serve(self, route: Route) -> None:
        """Apply what the driver renders, until the gateway's verdict is good and its marks come back."""
        ...

    def ask(self, host: str, path: str = "/", method: str = "GET", **more: Any) -> httpx.Response:
        """One request through the gateway, on a new connection."""
        ...

    def partner(self, *names: str, clients: bool = False) -> AbstractContextManager[Outside]:
        """A partner with a certificate for these names."""
        ...

    def client_certificate(self, outside: Any, name: str) -> tuple[str, str]:
        """Certificate and key (PEM) of a client that a partner takes."""
        ...


Check = Callable[[Lab], None]
CHECKS: dict[str, tuple[Feature, Check]] = {}
"""By name: the feature that a check shows, and the check."""

V1, NEXT = (ServiceBackend("echo", 8080),), (ServiceBackend("echo-next", 8080),)
PROBLEM = "application/problem+json"


def shows(feature: Feature) -> Callable[[Check], Check]:
    """Marks a check of a feature."""

    def keep(check: Check) -> Check:
        CHECKS[check.__name__] = (feature, check)
        return check

    return keep


def outside(partner: Outside, host: str, **more: Any) -> ConnectionBackend:
    """A backend that is a partner."""
    told = {"addresses": (partner.address,), "server_name": host, "ca": partner.ca, **more}
    return ConnectionBackend("partner", "finance", host, partner.port, **told)


@shows(Feature.PATH_MATCH)
def paths_are_matched_by_segments_and_backends_see_what_is_below(lab: Lab) -> None:
    route = lab.route(Version("v1", Match("/orders/v1"), V1), Version("v2", Match("/orders/v2"), NEXT))
    lab.serve(route)
    (host,) = route.hostnames
    one, two = lab.ask(host, "/orders/v1/a/b?x=1&y=%2F").json(), lab.ask(host, "/orders/v2").json()
    assert (one["name"], one["path"], one["query"]) == ("echo", "/a/b", "x=1&y=%2F")
    assert (two["name"], two["path"]) == ("echo-next", "/")
    for path in ("/orders/v12/a", "/orders", "/", "/orders/v1x"):
        assert lab.ask(host, path).status_code == 404, path
    assert lab.ask(f"not-{host}", "/orders/v1").status_code == 404


@shows(Feature.HEADER_MATCH)
def a_header_tells_a_version(lab: Lab) -> None:
    route = lab.route(
        Version("v1", Match("/orders"), V1), Version("v2", Match("/orders", header=("Api-Version", "2")), NEXT)
    )
    lab.serve(route)
    (host,) = route.hostnames
    names = {value: lab.ask(host, "/orders", headers={"API-version": value}).json()["name"] for value in ("2", "20")}
    assert names == {"2": "echo-next", "20": "echo"}
    assert lab.ask(host, "/orders?Api-Version=2").json()["name"] == "echo"


@shows(Feature.QUERY_MATCH)
def a_query_parameter_tells_a_version(lab: Lab) -> None:
    route = lab.route(
        Version("v1", Match("/orders"), V1), Version("v2", Match("/orders", query=("version", "2")), NEXT)
    )
    lab.serve(route)
    (host,) = route.hostnames
    names = {q: lab.ask(host, f"/orders?{q}").json()["name"] for q in ("a=b&version=2", "version=20", "xversion=2", "")}
    assert names == {"a=b&version=2": "echo-next", "version=20": "echo", "xversion=2": "echo", "": "echo"}


@shows(Feature.WEIGHTS)
def backends_share_requests_by_weight(lab: Lab) -> None:
    route = lab.route(
        Version("v1", Match("/v1"), (ServiceBackend("echo", 8080, 3), ServiceBackend("echo-next", 8080, 1))),
        Version("v2", Match("/v2"), (ServiceBackend("echo", 8080, 0), ServiceBackend("echo-next", 8080, 1))),
    )
    lab.serve(route)
    (host,) = route.hostnames
    shared = Counter(answer.json()["name"] for answer in many(lab, 240, host, "/v1"))
    # 60 of 240 are expected; beyond these bounds lies less than one try in a million.
    assert 27 <= shared["echo-next"] <= 93, shared
    assert {answer.json()["name"] for answer in many(lab, 40, host, "/v2")} == {"echo-next"}


@shows(Feature.CONNECTION_BACKEND)
def a_partner_is_asked_by_its_own_name_and_path(lab: Lab) -> None:
    with lab.partner("peer.outside.test") as partner:
        backend = outside(partner, "peer.outside.test", path="/base/v2")
        route = lab.route(Version("v1", Match("/orders"), (backend,)))
        lab.serve(route)
        (host,) = route.hostnames
        partner.asked.clear()
        assert lab.ask(host, "/orders/7?x=1").json()["name"] == "partner"
        assert lab.ask(host, "/orders").status_code == 200
        assert [a.path for a in partner.asked] == ["/base/v2/7?x=1", "/base/v2"]
        assert {a.headers["host"] for a in partner.asked} == {"peer.outside.test"}
        assert {a.sni for a in partner.asked} == {"peer.outside.test"}


@shows(Feature.CONNECTION_BACKEND)
def a_partner_is_found_by_its_addresses_and_no_name_is_resolved(lab: Lab) -> None:
    for host in ("nowhere.invalid", "single"):
        with lab.partner(host) as partner:
            # Of a name with several addresses one is enough, however many cannot be reached.
            backend = outside(partner, host, addresses=("2001:db8::7", partner.address))
            route = lab.route(Version("v1", Match("/v1"), (backend,)))
            lab.serve(route)
            partner.asked.clear()
            assert {a.status_code for a in many(lab, 8, route.hostnames[0], "/v1")} == {200}
            assert {(a.sni, a.headers["host"]) for a in partner.asked} == {(host, host)}


@shows(Feature.CONNECTION_BACKEND)
def a_route_at_the_root_keeps_the_slash_below_a_partners_path(lab: Lab) -> None:
    with lab.partner("peer.outside.test") as partner:
        route = lab.route(Version("v1", Match("/"), (outside(partner, "peer.outside.test", path="/base"),)))
        lab.serve(route)
        (host,) = route.hostnames
        partner.asked.clear()
        for path in ("/orders/7?x=1", "/"):
            assert lab.ask(host, path).status_code == 200
        assert [a.path for a in partner.asked] == ["/base/orders/7?x=1", "/base/"]


@shows(Feature.CONNECTION_BACKEND)
def a_partner_at_an_address_is_trusted_by_the_name_in_its_certificate(lab: Lab) -> None:
    with lab.partner("partner.internal") as partner:
        backend = outside(partner, partner.address, server_name="partner.internal")
        route = lab.route(Version("v1", Match("/v1"), (backend,)))
        lab.serve(route)
        assert lab.ask(route.hostnames[0], "/v1").status_code == 200
        assert partner.asked[-1].sni == partner.asked[-1].headers["host"] == "partner.internal"


@shows(Feature.CONNECTION_BACKEND)
def a_partner_with_a_certificate_of_another_is_not_asked(lab: Lab) -> None:
    with lab.partner("peer.outside.test") as partner, lab.partner("peer.outside.test") as other:
        untrusted = outside(partner, "peer.outside.test", ca=other.ca)
        misnamed = outside(partner, "peer.outside.test", server_name="other.outside.test")
        for backend in (untrusted, misnamed):
            route = lab.route(Version("v1", Match("/v1"), (backend,)))
            lab.serve(route)
            assert lab.ask(route.hostnames[0], "/v1").status_code == 503
        assert partner.asked == []


@shows(Feature.CREDENTIAL)
def a_credential_takes_the_place_of_the_callers_and_goes_to_its_partner_only(lab: Lab) -> None:
    with lab.partner("peer.outside.test") as partner:
        backend = outside(partner, "peer.outside.test", header="Authorization", header_value="Bearer our%own")
        shared = (backend, ServiceBackend("echo", 8080))
        route = lab.route(Version("v1", Match("/v1"), shared), Version("v2", Match("/v2"), V1))
        lab.serve(route)
        (host,) = route.hostnames
        partner.asked.clear()
        given = {"Authorization": "Bearer callers-own"}
        answers = [a.json() for a in many(lab, 40, host, "/v1", headers=given)]
        assert {a["name"] for a in answers} == {"echo", "partner"}
        assert {a.headers["authorization"] for a in partner.asked} == {"Bearer our%own"}
        beside = [a for a in answers if a["name"] == "echo"] + [lab.ask(host, "/v2", headers=given).json()]
        assert {tuple(a["headers"]["Authorization"]) for a in beside} == {("Bearer callers-own",)}
        assert "Authorization" not in lab.ask(host, "/v2").json()["headers"]


@shows(Feature.CREDENTIAL)
def a_credential_may_go_in_any_header(lab: Lab) -> None:
    with lab.partner("peer.outside.test") as partner:
        backend = outside(partner, "peer.outside.test", header="X-Api-Key", header_value="k1")
        route = lab.route(Version("v1", Match("/v1"), (backend,)))
        lab.serve(route)
        lab.ask(route.hostnames[0], "/v1", headers={"x-api-key": "forged", "Authorization": "Basic Zm9v"})
        assert partner.asked[-1].headers["x-api-key"] == "k1"
        assert partner.asked[-1].headers["authorization"] == "Basic Zm9v"


@shows(Feature.CLIENT_CERTIFICATE)
def a_partner_that_wants_a_client_certificate_is_shown_one(lab: Lab) -> None:
    with lab.partner("peer.outside.test", clients=True) as partner:
        certificate, key = lab.client_certificate(partner, "our-client")
        backend = outside(partner, "peer.outside.test", certificate=certificate, key=key)
        route = lab.route(Version("v1", Match("/v1"), (backend,)))
        lab.serve(route)
        assert lab.ask(route.hostnames[0], "/v1").status_code == 200
        assert {a.client for a in partner.asked} == {"our-client"}
        bare = lab.route(Version("v1", Match("/v1"), (outside(partner, "peer.outside.test"),)))
        lab.serve(bare)
        assert lab.ask(bare.hostnames[0], "/v1").status_code == 503


@shows(Feature.LIFECYCLE_HEADERS)
def a_deprecated_version_says_so(lab: Lab) -> None:
    odd = "https://docs.example.com/%ENVIRONMENT(PATH)%/a%20b"
    old = Version(
        "v1",
        Match("/v1"),
        V1,
        deprecated_at=datetime(2026, 1, 1, tzinfo=UTC),
        sunset_at=datetime(2126, 3, 1, 1, tzinfo=UTC) + timedelta(minutes=30),
        links=(("successor-version", "/v2"), ("deprecation", odd)),
    )
    route = lab.route(old, Version("v2", Match("/v2"), V1))
    lab.serve(route)
    (host,) = route.hostnames
    answer = lab.ask(host, "/v1?status=404")
    assert answer.status_code == 404
    assert answer.headers["deprecation"] == "@1767225600"
    assert answer.headers["sunset"] == "Fri, 01 Mar 2126 01:30:00 GMT"
    assert answer.headers["link"] == f'</v2>; rel="successor-version", <{odd}>; rel="deprecation"'
    assert {"deprecation", "sunset", "link"}.isdisjoint(lab.ask(host, "/v2").headers)


@shows(Feature.GONE)
def a_retired_version_is_gone(lab: Lab) -> None:
    gone = Version(
        "v1", Match("/v1"), gone=True, sunset_at=datetime(2026, 1, 1, tzinfo=UTC), links=(("successor-version", "/v2"),)
    )
    route = lab.route(gone, Version("v2", Match("/v2"), V1))
    lab.serve(route)
    (host,) = route.hostnames
    answer = lab.ask(host, "/v1/orders", "POST", content=b"{}")
    assert answer.status_code == 410
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["status"] == 410
    assert answer.headers["link"] == '</v2>; rel="successor-version"'
    assert answer.headers["sunset"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert lab.ask(host, "/v2").status_code == 200


@shows(Feature.GONE)
def a_closed_version_reaches_nobody(lab: Lab) -> None:
    route = lab.route(Version("v1", Match("/v1"), closed=True), Version("root", Match("/"), V1))
    lab.serve(route)
    (host,) = route.hostnames
    answer = lab.ask(host, "/v1/orders")
    assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)
    assert lab.ask(host, "/other").status_code == 200


@shows(Feature.TIMEOUT)
def a_slow_backend_is_given_up(lab: Lab) -> None:
    route = lab.route(Version("v1", Match("/v1"), V1), traffic=Traffic(timeout=0.7))
    lab.serve(route)
    (host,) = route.hostnames
    assert lab.ask(host, "/v1?delay=100ms").status_code == 200
    assert lab.ask(host, "/v1?delay=5s").status_code == 504


@shows(Feature.RETRIES)
def what_was_named_is_tried_again_and_nothing_else(lab: Lab) -> None:
    with lab.partner("peer.outside.test") as partner:
        backend = outside(partner, "peer.outside.test")
        traffic = Traffic(retries=2, retry_on=("connect-failure", "503"))
        route = lab.route(Version("v1", Match("/v1"), (backend,)), traffic=traffic)
        lab.serve(route)
        (host,) = route.hostnames
        for statuses, seen, tries in (([503, 503, 200], 200, 3), ([503] * 4, 503, 3), ([500, 200], 500, 1)):
            partner.asked.clear()
            partner.answer = lambda n, statuses=statuses: statuses[n - 1]
            assert lab.ask(host, "/v1").status_code == seen, statuses
            assert len(partner.asked) == tries, statuses


@shows(Feature.CIRCUIT_BREAKER)
def beyond_the_bounds_requests_are_refused_at_once(lab: Lab) -> None:
    bounded = lab.route(Version("v1", Match("/v1"), V1), traffic=Traffic(max_connections=1, max_pending_requests=1))
    free = lab.route(Version("v1", Match("/v1"), V1))
    lab.serve(bounded)
    lab.serve(free)
    at_once = [a.status_code for a in many(lab, 12, bounded.hostnames[0], "/v1?delay=2s", workers=12)]
    # Each worker of a proxy has bounds of its own: some get through, but not all.
    assert set(at_once) == {200, 503}, at_once
    assert {a.status_code for a in many(lab, 12, free.hostnames[0], "/v1?delay=2s", workers=12)} == {200}
    assert lab.ask(bounded.hostnames[0], "/v1").status_code == 200


@shows(Feature.RATE_LIMIT)
def beyond_the_rate_callers_are_told(lab: Lab) -> None:
    route = lab.route(
        Version("v1", Match("/v1"), V1), Version("v2", Match("/v2"), V1), traffic=Traffic(rate_limit=(5, 3600.0))
    )
    lab.serve(route)
    (host,) = route.hostnames
    # Marks took some of them already.
    answers = [lab.ask(host, "/v1") for _ in range(6)]
    last = answers[-1]
    assert answers[0].status_code == 200
    assert (last.status_code, last.headers["content-type"], last.json()["status"]) == (429, PROBLEM, 429)
    own = lab.ask(host, "/v2?status=429")
    assert own.json()["name"] == "echo", "what a backend answers is its own"


@shows(Feature.REQUEST_SIZE)
def a_body_that_is_too_large_is_refused(lab: Lab) -> None:
    route = lab.route(Version("v1", Match("/v1"), V1), traffic=Traffic(max_request_bytes=1000))
    lab.serve(route)
    (host,) = route.hostnames
    assert lab.ask(host, "/v1", "POST", content=b"x" * 1000).json()["bytes"] == 1000
    for body in (b"x" * 1001, chunks(b"x" * 300, 8)):
        answer = lab.ask(host, "/v1", "POST", content=body)
        assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)


@shows(Feature.CORS)
def only_named_origins_may_call(lab: Lab) -> None:
    cors = Cors(("https://portal.example.com",), ("GET", "PUT"), ("X-Id",), ("X-Total",), True, 600.0)
    route = lab.route(Version("v1", Match("/v1"), V1), traffic=Traffic(cors=cors))
    lab.serve(route)
    (host,) = route.hostnames

    def preflight(origin: str) -> httpx.Headers:
        wanted = {"Origin": origin, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-id"}
        return lab.ask(host, "/v1", "OPTIONS", headers=wanted).headers

    good = preflight("https://portal.example.com")
    assert good["access-control-allow-origin"] == "https://portal.example.com"
    assert "PUT" in good["access-control-allow-methods"]
    assert good["access-control-allow-headers"].lower() == "x-id"
    assert good["access-control-allow-credentials"] == "true"
    assert good["access-control-max-age"] == "600"
    simple = lab.ask(host, "/v1", headers={"Origin": "https://portal.example.com"}).headers
    assert simple["access-control-allow-origin"] == "https://portal.example.com"
    assert simple["access-control-expose-headers"] == "X-Total"
    for origin in ("https://evil.example.com", "https://portal.example.com.evil.com", "null"):
        assert "access-control-allow-origin" not in preflight(origin), origin
        assert "access-control-allow-origin" not in lab.ask(host, "/v1", headers={"Origin": origin}).headers


def many(lab: Lab, count: int, host: str, path: str, workers: int = 4, **more: Any) -> list[httpx.Response]:
    """So many requests, some at once."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda _: lab.ask(host, path, **more), range(count)))


def chunks(part: bytes, count: int) -> Iterator[bytes]:
    """A body whose length is not told beforehand."""
    for _ in range(count):
        yield part
        time.sleep(0.01)
