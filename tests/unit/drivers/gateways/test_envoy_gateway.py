"""What the driver for Envoy Gateway renders, beyond the golden cases of ApiRoute."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_operator.drivers.gateway import (
    ConnectionBackend,
    Cors,
    Feature,
    Match,
    Route,
    ServiceBackend,
    Traffic,
    Version,
)
from integration_operator.drivers.gateways.envoy_gateway import EnvoyGateway
from integration_operator.drivers.gateways.envoy_gateway.objects import child_name, link_target, literal, seconds

DRIVER = EnvoyGateway()
PARTNER = ConnectionBackend(
    "billing", "finance", "billing.example.com", 443, ("192.0.2.7",), server_name="billing.example.com",
    header="Authorization", header_value="Bearer 5ecret", ca="PEM", certificate="PEM", key="KEY",
)  # fmt: skip
V1 = Version("v1", Match("/v1"), (ServiceBackend("orders", 8080),))


def route(*versions: Version, name: str = "orders", **more: Any) -> Route:
    return Route(
        name, "shop", "public", "integration-system", ("https",), ("api.example.com",), versions or (V1,), **more
    )


def test_everything_has_a_name_of_its_own() -> None:
    other = replace(PARTNER, namespace="finance-billing", name="x")
    backends = (PARTNER, other, replace(PARTNER, namespace="fi", name="nance-billing"))
    objects = DRIVER.render(route(Version("v1", Match("/"), backends), Version("a", Match("/a"), gone=True))).objects
    names = [(o["kind"], o["metadata"]["name"]) for o in objects]
    assert len(names) == len(set(names))


@given(st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,62}", fullmatch=True), min_size=1, max_size=3))
def test_names_of_children_are_names(parts: list[str]) -> None:
    name = child_name(route(name="r" * 63), *(p + "x" * 190 for p in parts))
    assert len(name) <= 253
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name)


def test_names_do_not_run_into_each_other() -> None:
    assert child_name(route(name="a"), "b-c") != child_name(route(name="a-b"), "c")
    assert child_name(route(), "a-b", "c") != child_name(route(), "a", "b-c")


@given(st.floats(min_value=0.001, max_value=86400))
def test_durations_are_of_the_form_that_gateway_api_takes(value: float) -> None:
    text = seconds(value)
    assert re.fullmatch(r"([0-9]{1,5}(h|m|s|ms)){1,4}", text)
    whole = sum(float(n) * {"s": 1, "ms": 0.001}[u] for n, u in re.findall(r"([0-9]+)(ms|s)", text))
    assert abs(whole - value) <= 0.0006


@given(st.text())
def test_what_users_write_into_headers_is_never_evaluated(text: str) -> None:
    assert "%" not in literal(text).replace("%%", "")
    assert re.fullmatch(r"[!-~]*", link_target(text))
    assert not set('<>"') & set(link_target(text))


CHANGES: dict[str, Route] = {
    "host": replace(route(), hostnames=("b.example.com",)),
    "path": route(replace(V1, match=Match("/v2"))),
    "header": route(replace(V1, match=Match("/v1", header=("A", "1")))),
    "backend": route(replace(V1, backends=(ServiceBackend("orders", 8081),))),
    "gone": route(replace(V1, gone=True, backends=())),
    "closed": route(replace(V1, closed=True, backends=())),
    "sunset": route(replace(V1, sunset_at=datetime(2027, 1, 1, tzinfo=UTC))),
    "timeout": route(traffic=Traffic(timeout=1)),
    "limit": route(traffic=Traffic(rate_limit=(1, 1.0))),
    "cors": route(traffic=Traffic(cors=Cors(("https://a.example.com",)))),
    "partner": route(replace(V1, backends=(PARTNER,))),
    "partner's host": route(replace(V1, backends=(replace(PARTNER, host="b.example.com"),))),
    "partner's port": route(replace(V1, backends=(replace(PARTNER, port=444),))),
    "partner's ca": route(replace(V1, backends=(replace(PARTNER, ca="other"),))),
}


def test_every_change_has_a_mark_of_its_own() -> None:
    marks = [DRIVER.render(changed).marks["v1"].ask for changed in (route(), *CHANGES.values())]
    assert len(set(marks)) == len(marks)


def endpoints(*addresses: str) -> list[str]:
    rendered = DRIVER.render(route(replace(V1, backends=(replace(PARTNER, addresses=addresses),))))
    (backend,) = (o for o in rendered.objects if o["kind"] == "Backend")
    assert "fqdn" not in json.dumps(backend)
    return [endpoint["ip"]["address"] for endpoint in backend["spec"]["endpoints"]]


def test_a_name_with_both_kinds_of_addresses_is_asked_at_those_that_every_node_reaches() -> None:
    assert endpoints("192.0.2.1", "192.0.2.2", "2001:db8::1:2:3") == ["192.0.2.1", "192.0.2.2"]
    assert endpoints("2001:db8::1:2:3") == ["2001:0db8:0000:0000:0000:0001:0002:0003"]
    assert len(endpoints(*(f"192.0.2.{n}" for n in range(100)))) == 16


def test_another_address_of_a_name_is_no_other_configuration() -> None:
    one, other = (
        DRIVER.render(route(replace(V1, backends=(replace(PARTNER, addresses=addresses),))))
        for addresses in (("192.0.2.1",), ("192.0.2.2", "192.0.2.3"))
    )
    assert one.marks == other.marks
    assert one.objects != other.objects
    assert DRIVER.addresses(other.objects) == {
        ("finance", "billing", "billing.example.com"): ("192.0.2.2", "192.0.2.3")
    }


def test_versions_have_marks_of_their_own() -> None:
    marks = DRIVER.render(route(V1, Version("v2", Match("/v2"), gone=True))).marks
    assert marks["v1"].ask != marks["v2"].ask


def test_a_mark_tells_nothing_of_a_secret() -> None:
    def rendered(value: str) -> str:
        objects = DRIVER.render(route(replace(V1, backends=(replace(PARTNER, header_value=value, key=value),)))).objects
        return json.dumps([o for o in objects if o["kind"] != "Secret"])

    assert rendered("one") == rendered("other")


@pytest.mark.parametrize("feature", Feature)
def test_every_feature_is_needed_by_some_route(feature: Feature) -> None:
    routes = [*CHANGES.values(), route(replace(V1, match=Match("/", query=("a", "1")))), route(
        replace(V1, backends=(ServiceBackend("a", 1), ServiceBackend("b", 1))),
        traffic=Traffic(retries=1, retry_on=("reset",), max_pending_requests=1, max_request_bytes=1),
    )]  # fmt: skip
    assert any(feature in r.needs() for r in routes)


def test_the_route_comes_after_what_bounds_it() -> None:
    traffic = Traffic(rate_limit=(1, 1.0), cors=Cors(("https://a.example.com",)))
    kinds = [o["kind"] for o in DRIVER.render(route(replace(V1, backends=(PARTNER,)), traffic=traffic)).objects]
    assert kinds[-1] == "HTTPRoute"
    assert {"BackendTrafficPolicy", "SecurityPolicy", "BackendTLSPolicy"} <= set(kinds[:-1])


def test_what_is_rendered_tells_its_places_and_connections() -> None:
    wanted = route(replace(V1, backends=(PARTNER,)), Version("v2", Match("/", header=("A", "1")), gone=True))
    objects = DRIVER.render(wanted).objects
    assert DRIVER.places(objects) == {("api.example.com", v.match) for v in wanted.versions}
    assert DRIVER.connections(objects) == {("finance", "billing")}


def judged(kind: str, conditions: list[dict[str, Any]]) -> dict[str, Any]:
    entry = {"controllerName": EnvoyGateway.name, "conditions": conditions}
    foreign = {"controllerName": "example.com/other", "conditions": [{"type": "Accepted", "status": "False"}]}
    status: dict[str, Any] = {
        "HTTPRoute": {"parents": [entry, foreign]},
        "Backend": {"conditions": conditions},
    }.get(kind, {"ancestors": [entry]})
    return status


def condition(type_: str, status: str, generation: int = 3) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": "R", "message": "words", "observedGeneration": generation}


@pytest.mark.parametrize(
    ("kind", "conditions", "verdict"),
    [
        ("HTTPRoute", [condition("Accepted", "True")], True),
        ("HTTPRoute", [condition("Accepted", "True", 2)], None),
        ("HTTPRoute", [], None),
        ("HTTPRoute", [condition("Accepted", "True"), condition("ResolvedRefs", "False")], False),
        ("HTTPRoute", [condition("Accepted", "True"), condition("ResolvedRefs", "False", 2)], True),
        ("HTTPRoute", [condition("Accepted", "True"), condition("BackendsAvailable", "False")], True),
        ("BackendTrafficPolicy", [condition("Accepted", "False")], False),
        ("BackendTLSPolicy", [condition("Accepted", "True", 2)], None),
        ("Backend", [condition("Accepted", "True"), condition("Invalid", "False")], False),
        ("Backend", [condition("Accepted", "True")], True),
    ],
)
def test_verdicts(kind: str, conditions: list[dict[str, Any]], verdict: bool | None) -> None:
    rendered = DRIVER.render(route(replace(V1, backends=(PARTNER,)), traffic=Traffic(rate_limit=(1, 1.0))))
    live = []
    for planned in rendered.objects:
        said = conditions if planned["kind"] == kind else [condition("Accepted", "True")]
        meta = {**planned["metadata"], "generation": 3}
        live.append({**planned, "metadata": meta, "status": judged(planned["kind"], said)})
    found = DRIVER.verdict(live, rendered)
    assert found.accepted is verdict
    assert ("words" in found.message) is (verdict is False)


def test_what_is_not_applied_yet_has_no_verdict() -> None:
    before, after = DRIVER.render(route(traffic=Traffic(timeout=1))), DRIVER.render(route())
    live = [
        {
            **o,
            "metadata": {**o["metadata"], "generation": 3},
            "status": judged(o["kind"], [condition("Accepted", "True")]),
        }
        for o in before.objects
    ]
    assert DRIVER.verdict(live, before).accepted is True
    assert DRIVER.verdict(live, after).accepted is None
