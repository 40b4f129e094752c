"""Envoy Gateway 1.9 (gateway.envoyproxy.io): neutral routes to Gateway API objects and Envoy Gateway's own."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from integration_operator.core.addresses import Outbound
from integration_operator.core.plan import Manifest
from integration_operator.drivers.gateway import Feature, Match, Rendered, Route, Standing, Verdict
from integration_operator.drivers.gateways.envoy_gateway import limits, live, marks
from integration_operator.drivers.gateways.envoy_gateway.connections import connection_objects, connections_of
from integration_operator.drivers.gateways.envoy_gateway.objects import CONTROLLER
from integration_operator.drivers.gateways.envoy_gateway.policies import security_policy, traffic_policy
from integration_operator.drivers.gateways.envoy_gateway.routes import answer_filters, http_route, kept


class EnvoyGateway:
    """See drivers.gateway.GatewayDriver."""

    name = CONTROLLER
    features = frozenset(Feature)

    def __init__(self, rules: Outbound | None = None) -> None:
        """Takes no part in outbound connections; the rules are for drivers that do."""

    def refusals(self, route: Route) -> list[str]:
        """See drivers.gateway.GatewayDriver."""
        return limits.refusals(route)

    def render(self, route: Route) -> Rendered:
        """See drivers.gateway.GatewayDriver. The route itself comes last, when all that bounds it is there."""
        objects = [o for c in connections_of(route) for o in connection_objects(route, c)]
        objects += answer_filters(route)
        objects += [p for p in (traffic_policy(route), security_policy(route)) if p]
        return replace(marks.marked([*objects, http_route(route)], route), kept=kept(route))

    def verdict(self, live_objects: Iterable[Manifest], rendered: Rendered) -> Verdict:
        """See drivers.gateway.GatewayDriver."""
        return live.verdict(live_objects, rendered)

    def places(self, live_objects: Iterable[Manifest]) -> frozenset[tuple[str, Match]]:
        """See drivers.gateway.GatewayDriver."""
        return live.places(live_objects)

    def connections(self, live_objects: Iterable[Manifest]) -> frozenset[tuple[str, str]]:
        """See drivers.gateway.GatewayDriver."""
        return live.connections(live_objects)

    def standing(self, live_objects: Iterable[Manifest]) -> Mapping[str, Standing]:
        """See drivers.gateway.GatewayDriver."""
        return live.standing(live_objects)

    def addresses(self, live_objects: Iterable[Manifest]) -> Mapping[tuple[str, str, str], tuple[str, ...]]:
        """See drivers.gateway.GatewayDriver."""
        return live.addresses(live_objects)

    def service_selector(self, name: str, namespace: str) -> dict[str, str]:
        """See drivers.gateway.GatewayDriver."""
        return {
            "gateway.envoyproxy.io/owning-gateway-name": name,
            "gateway.envoyproxy.io/owning-gateway-namespace": namespace,
        }
