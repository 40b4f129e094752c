"""Policies of Envoy Gateway: one complete BackendTrafficPolicy and SecurityPolicy a route.

Without mergeType: merged ones can claim to be accepted while a part of them is absent.
"""

from collections.abc import Mapping
from typing import Any

from integration_operator.core.plan import Manifest
from integration_operator.drivers.gateway import Route, Traffic
from integration_operator.drivers.gateways.envoy_gateway.objects import ENVOY_API, ROUTE_GROUP, problem, seconds

UNITS = {1.0: "Second", 60.0: "Minute", 3600.0: "Hour", 86400.0: "Day"}
"""In these Envoy Gateway counts requests, by their seconds."""

PARALLEL = 1024
"""Requests at once towards a backend, unless more are asked for."""


def traffic_policy(route: Route) -> Manifest | None:
    """Retries, circuit breaker, rate limit, size of requests; None where nothing is asked."""
    traffic, overrides = route.traffic, []
    spec: dict[str, Any] = {}
    if traffic.retries is not None:
        spec["retry"] = _retry(traffic)
    if breaker := _breaker(traffic):
        spec["circuitBreaker"] = breaker
    if traffic.rate_limit:
        requests, period = traffic.rate_limit
        rule = {"limit": {"requests": requests, "unit": UNITS[period]}}
        spec["rateLimit"] = {"type": "Local", "local": {"rules": [rule]}}
        overrides.append(_override(429, "Too Many Requests", "The rate limit of this API is reached."))
    if traffic.max_request_bytes:
        spec["requestBuffer"] = {"limit": str(traffic.max_request_bytes)}
        overrides.append(_override(413, "Content Too Large", "The request body is larger than this API takes."))
    if overrides:
        spec["responseOverride"] = overrides
    return _policy("BackendTrafficPolicy", route, spec) if spec else None


def security_policy(route: Route) -> Manifest | None:
    """Cross-origin resource sharing; None where it is not asked for."""
    cors = route.traffic.cors
    if cors is None:
        return None
    spec: dict[str, Any] = {
        "allowOrigins": list(cors.allow_origins),
        "allowMethods": list(cors.allow_methods),
        "allowHeaders": list(cors.allow_headers),
        "exposeHeaders": list(cors.expose_headers),
        "allowCredentials": cors.allow_credentials,
        "maxAge": seconds(cors.max_age) if cors.max_age else None,
    }
    return _policy("SecurityPolicy", route, {"cors": {k: v for k, v in spec.items() if v not in (None, [])}})


def _retry(traffic: Traffic) -> dict[str, Any]:
    codes = [int(on) for on in traffic.retry_on if on.isdigit()]
    triggers = [on for on in traffic.retry_on if not on.isdigit()]
    on: dict[str, Any] = {"triggers": [*triggers, *(["retriable-status-codes"] if codes else [])]}
    if codes:
        on["httpStatusCodes"] = codes
    return {"numRetries": traffic.retries, "retryOn": on}


def _breaker(traffic: Traffic) -> dict[str, int]:
    breaker = {}
    if traffic.max_connections is not None:
        breaker["maxConnections"] = traffic.max_connections
        if traffic.max_connections > PARALLEL:
            # Over HTTP/1 a connection carries one request at a time: the default bound would be met first.
            breaker["maxParallelRequests"] = traffic.max_connections
    if traffic.max_pending_requests is not None:
        breaker["maxPendingRequests"] = traffic.max_pending_requests
    return breaker


def _override(status: int, title: str, detail: str) -> dict[str, Any]:
    """A problem document in place of the gateway's own answer; what a backend answers so is left alone."""
    return {
        "source": "Local",
        "match": {"statusCodes": [{"type": "Value", "value": status}]},
        "response": problem(status, title, detail),
    }


def _policy(kind: str, route: Route, spec: Mapping[str, Any]) -> Manifest:
    target = {"group": ROUTE_GROUP, "kind": "HTTPRoute", "name": route.name}
    return {
        "apiVersion": ENVOY_API,
        "kind": kind,
        "metadata": {"name": route.name},
        "spec": {"targetRefs": [target], **spec},
    }
