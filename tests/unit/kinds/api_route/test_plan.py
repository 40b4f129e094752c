"""Decisions about ApiRoutes that depend on more than a golden case can say."""

from dataclasses import replace

import pytest

from integration_operator.core.model import API_VERSION
from integration_operator.core.plan import Plan
from integration_operator.core.ports import Environment
from integration_operator.drivers.gateway import Feature
from integration_operator.drivers.gateways.envoy_gateway import EnvoyGateway
from integration_operator.kinds.api_route import KIND
from integration_operator.kinds.api_route.model import ApiRoute
from integration_operator.kinds.api_route.plan import plan
from tests.unit.kinds.api_route.test_golden import answered, identity, outcomes
from tests.unit.kinds.golden import CaseReader, decide, load


class Lesser(EnvoyGateway):
    """A gateway that can do little."""

    features = frozenset({Feature.PATH_MATCH, Feature.TIMEOUT})


async def on_a_lesser_gateway(name: str) -> Plan:
    case = load(__file__, name)
    case["resource"] = {"apiVersion": API_VERSION, "kind": "ApiRoute", **case["resource"]}
    route = ApiRoute.model_validate(case["resource"])
    world = await KIND.look(route, CaseReader(case, {}, Environment(**case.get("environment") or {})))
    return plan(route, replace(world, gateway=replace(world.gateway, driver=Lesser())), case["now"])


@pytest.mark.parametrize(
    ("case", "lacks"),
    [
        ("header_and_query_versions", "versions[].match.header, versions[].match.query"),
        ("canary", "versions[].backends[].weight"),
        ("lifecycle", "versions[].lifecycle: Deprecated, versions[].lifecycle: Retired"),
        (
            "traffic",
            "traffic.circuitBreaker, traffic.cors, traffic.maxRequestBytes, traffic.rateLimit, traffic.retries",
        ),
        (
            "connection",
            "versions[].backends[].connectionRef, versions[].backends[].connectionRef with credentials,"
            " versions[].backends[].connectionRef with tls.clientCertificateRef",
        ),
    ],
)
async def test_what_the_gateway_lacks_is_refused_by_name(case: str, lacks: str) -> None:
    made = await on_a_lesser_gateway(case)
    accepted = made.conditions[0]
    assert (accepted.status, accepted.reason) == (False, "UnsupportedByGateway")
    assert accepted.message == f"the gateway lacks: {lacks}"
    assert made.children is None


async def test_what_it_has_is_served() -> None:
    assert (await on_a_lesser_gateway("first")).conditions[0].status is True


@pytest.mark.parametrize("name", ["version_service_deleted", "version_misspelt", "version_stands_beside_a_sunset"])
async def test_what_stands_is_planned_the_same_again(name: str) -> None:
    """Else each look would lead to another write."""
    case = load(__file__, name)
    before = await answered(case, "Accepted")
    first = await decide(KIND, {**case, "children": before}, outcomes)
    assert first.children
    planned = {identity(dict(child)) for child in first.children}
    kept = [child for child in before if identity(child) not in planned]
    again = await decide(KIND, {**case, "children": [*first.children, *kept]}, outcomes)
    assert again.children == first.children
    assert again.kept == first.kept
    left = {(child["apiVersion"], child["kind"], child["metadata"]["name"]) for child in kept}
    assert left <= first.kept
