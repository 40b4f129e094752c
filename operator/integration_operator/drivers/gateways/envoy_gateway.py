"""Envoy Gateway 1.9 (gateway.envoyproxy.io): neutral routes to Gateway API objects and Envoy Gateway's own.

One complete BackendTrafficPolicy and SecurityPolicy a route, without mergeType: merged ones can claim to be accepted
while a part of them is absent.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from integration_operator.core.addresses import AddressRules
from integration_operator.core.plan import Manifest
from integration_operator.drivers.gateway import (
    ConnectionBackend,
    Feature,
    Route,
    ServiceBackend,
    Verdict,
    Version,
)

GATEWAY_API = "gateway.networking.k8s.io/v1"
ENVOY_API = "gateway.envoyproxy.io/v1alpha1"
ROUTE_GROUP = "gateway.networking.k8s.io"
ENVOY_GROUP = "gateway.envoyproxy.io"
UNITS = {1.0: "Second", 60.0: "Minute", 3600.0: "Hour", 86400.0: "Day"}
TRIGGERS = {"connect-failure", "refused-stream", "reset", "5xx", "gateway-error"}
PROBLEM = "application/problem+json"


class EnvoyGateway:
    """See drivers.gateway.GatewayDriver."""

    name = "gateway.envoyproxy.io/gatewayclass-controller"
    features = frozenset(Feature)

    def __init__(self, rules: AddressRules | None = None) -> None:
        """Takes no part in outbound connections; the rules are for drivers that do."""

    def refusals(self, route: Route) -> list[str]:
        """See drivers.gateway.GatewayDriver."""
        found = []
        limit = route.traffic.rate_limit
        if limit and limit[1] not in UNITS:
            found.append("traffic.rateLimit.period must be 1s, 1m, 1h or 24h: the gateway counts in these")
        return found

    def service_selector(self, name: str, namespace: str) -> dict[str, str]:
        """See drivers.gateway.GatewayDriver."""
        return {
            "gateway.envoyproxy.io/owning-gateway-name": name,
            "gateway.envoyproxy.io/owning-gateway-namespace": namespace,
        }

    def render(self, route: Route) -> list[Manifest]:
        """See drivers.gateway.GatewayDriver."""
        connections = {b.name: b for v in route.versions for b in v.backends if isinstance(b, ConnectionBackend)}
        objects = [o for c in connections.values() for o in _connection(route, c)]
        objects += [_gone(route, v) for v in route.versions if v.gone]
        objects.append(_http_route(route))
        objects += [p for p in (_traffic_policy(route), _security_policy(route)) if p]
        return objects

    def verdict(self, live: Iterable[Manifest], route: Route) -> Verdict:
        """See drivers.gateway.GatewayDriver."""
        wanted = {(m["kind"], m["metadata"]["name"]) for m in self.render(route) if m["kind"] in _JUDGED}
        seen = {(m["kind"], m["metadata"]["name"]): m for m in live}
        waiting = False
        for identity in sorted(wanted):
            judged = _judgement(seen[identity]) if identity in seen else None
            if judged is None:
                waiting = True
            elif judged:
                return Verdict(False, f"{identity[0]} {identity[1]}: {judged}")
        return Verdict(None if waiting else True)


_JUDGED = {"HTTPRoute", "BackendTrafficPolicy", "SecurityPolicy", "BackendTLSPolicy"}
"""Kinds whose status the controller writes; a Backend or filter that is wrong shows in the route's."""


def _judgement(live: Manifest) -> str | None:
    """What the controller holds against this generation: empty for nothing, None when it has not spoken yet."""
    generation = live["metadata"].get("generation")
    status = live.get("status") or {}
    entries = [
        e
        for e in status.get("parents") or status.get("ancestors") or ()
        if e.get("controllerName") == EnvoyGateway.name
    ]
    conditions = [c for e in entries for c in e.get("conditions") or ()]
    fresh = [c for c in conditions if c.get("observedGeneration") == generation]
    if not any(c["type"] == "Accepted" for c in fresh):
        return None
    bad = [c for c in fresh if c["type"] in ("Accepted", "ResolvedRefs", "Programmed") and c["status"] == "False"]
    # Envoy Gateway sets Overridden, Merged and the like to True where they are worth knowing, not wrong.
    return "; ".join(f"{c['reason']}: {c.get('message', '')}" for c in bad)


def _meta(name: str) -> dict[str, Any]:
    return {"name": name}


def _http_route(route: Route) -> Manifest:
    return {
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": _meta(route.name),
        "spec": {
            "parentRefs": [
                {
                    "group": ROUTE_GROUP,
                    "kind": "Gateway",
                    "name": route.gateway,
                    "namespace": route.gateway_namespace,
                }
            ],
            "hostnames": list(route.hostnames),
            "rules": [_rule(route, version) for version in route.versions],
        },
    }


def _rule(route: Route, version: Version) -> dict[str, Any]:
    match: dict[str, Any] = {"path": {"type": "PathPrefix", "value": version.match.path}}
    if version.match.header:
        name, value = version.match.header
        match["headers"] = [{"type": "Exact", "name": name, "value": value}]
    if version.match.query:
        name, value = version.match.query
        match["queryParams"] = [{"type": "Exact", "name": name, "value": value}]
    rule: dict[str, Any] = {"name": version.name, "matches": [match]}
    if version.gone:
        rule["filters"] = [_extension(f"{route.name}-{version.name}-gone")]
        return rule
    rule["filters"] = _filters(route, version)
    rule["backendRefs"] = [_backend_ref(route, b) for b in version.backends]
    if route.traffic.timeout:
        rule["timeouts"] = {"request": _seconds(route.traffic.timeout)}
    return rule


def _filters(route: Route, version: Version) -> list[dict[str, Any]]:
    rewrite: dict[str, Any] = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    filters: list[dict[str, Any]] = []
    for backend in version.backends:
        if isinstance(backend, ConnectionBackend):
            rewrite = {
                "hostname": backend.host,
                "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": backend.path},
            }
            if backend.header:
                filters.append(_extension(f"{route.name}-{backend.name}"))
    filters.append({"type": "URLRewrite", "urlRewrite": rewrite})
    if headers := _lifecycle_headers(version):
        listed = [{"name": name, "value": value} for name, value in headers]
        filters.append({"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": listed}})
    return filters


def _lifecycle_headers(version: Version) -> list[tuple[str, str]]:
    """Deprecation (RFC 9745), Sunset (RFC 8594), Link (RFC 8288)."""
    headers = []
    if version.deprecated_at:
        headers.append(("Deprecation", f"@{int(version.deprecated_at.timestamp())}"))
    if version.sunset_at:
        headers.append(("Sunset", _http_date(version.sunset_at)))
    if version.links and (version.deprecated_at or version.sunset_at or version.gone):
        headers.append(("Link", ", ".join(f'<{url}>; rel="{relation}"' for relation, url in version.links)))
    return headers


def _http_date(time: datetime) -> str:
    return format_datetime(time.astimezone(UTC), usegmt=True)


def _extension(name: str) -> dict[str, Any]:
    return {"type": "ExtensionRef", "extensionRef": {"group": ENVOY_GROUP, "kind": "HTTPRouteFilter", "name": name}}


def _backend_ref(route: Route, backend: ServiceBackend | ConnectionBackend) -> dict[str, Any]:
    if isinstance(backend, ServiceBackend):
        return {"group": "", "kind": "Service", "name": backend.name, "port": backend.port, "weight": backend.weight}
    return {"group": ENVOY_GROUP, "kind": "Backend", "name": f"{route.name}-{backend.name}", "weight": 1}


def _gone(route: Route, version: Version) -> Manifest:
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": "Gone",
        "status": 410,
        "detail": f"Version {version.name} of this API is retired.",
    }
    response: dict[str, Any] = {
        "contentType": PROBLEM,
        "statusCode": 410,
        "body": {"type": "Inline", "inline": json.dumps(problem)},
    }
    if headers := _lifecycle_headers(version):
        response["header"] = {"set": [{"name": n, "value": v} for n, v in headers]}
    return {
        "apiVersion": ENVOY_API,
        "kind": "HTTPRouteFilter",
        "metadata": _meta(f"{route.name}-{version.name}-gone"),
        "spec": {"directResponse": response},
    }


def _connection(route: Route, backend: ConnectionBackend) -> list[Manifest]:
    """A Backend, how its certificate is checked, and the credential; in the route's namespace, as the gateway needs."""
    name = f"{route.name}-{backend.name}"
    objects: list[Manifest] = [
        {
            "apiVersion": ENVOY_API,
            "kind": "Backend",
            "metadata": _meta(name),
            "spec": {"endpoints": [_endpoint(backend)]},
        }
    ]
    if backend.tls:
        validation: dict[str, Any] = {"hostname": backend.server_name}
        if backend.ca:
            objects.append(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": _meta(f"{name}-ca"),
                    "data": {"ca.crt": backend.ca},
                }
            )
            validation["caCertificateRefs"] = [{"group": "", "kind": "ConfigMap", "name": f"{name}-ca"}]
        else:
            validation["wellKnownCACertificates"] = "System"
        objects.append(
            {
                "apiVersion": GATEWAY_API,
                "kind": "BackendTLSPolicy",
                "metadata": _meta(name),
                "spec": {
                    "targetRefs": [{"group": ENVOY_GROUP, "kind": "Backend", "name": name}],
                    "validation": validation,
                },
            }
        )
    if backend.header and backend.header_value:
        secret = f"{name}-credential"
        encoded = b64encode(backend.header_value.encode()).decode()
        objects.append(
            {"apiVersion": "v1", "kind": "Secret", "metadata": _meta(secret), "data": {"credential": encoded}}
        )
        injection = {"header": backend.header, "overwrite": True, "credential": {"valueRef": {"name": secret}}}
        objects.append(
            {
                "apiVersion": ENVOY_API,
                "kind": "HTTPRouteFilter",
                "metadata": _meta(name),
                "spec": {"credentialInjection": injection},
            }
        )
    return objects


def _endpoint(backend: ConnectionBackend) -> dict[str, Any]:
    if backend.host.replace(".", "").isdigit():
        return {"ip": {"address": backend.host, "port": backend.port}}
    return {"fqdn": {"hostname": backend.host, "port": backend.port}}


def _traffic_policy(route: Route) -> Manifest | None:
    traffic = route.traffic
    spec: dict[str, Any] = {}
    overrides = []
    if traffic.retries is not None:
        codes = [int(on) for on in traffic.retry_on if on.isdigit()]
        triggers = [on for on in traffic.retry_on if on in TRIGGERS]
        retry_on: dict[str, Any] = {"triggers": [*triggers, *(["retriable-status-codes"] if codes else [])]}
        if codes:
            retry_on["httpStatusCodes"] = codes
        spec["retry"] = {"numRetries": traffic.retries, "retryOn": retry_on}
    breaker = {"maxConnections": traffic.max_connections, "maxPendingRequests": traffic.max_pending_requests}
    if asked := {k: v for k, v in breaker.items() if v is not None}:
        spec["circuitBreaker"] = asked
    if traffic.rate_limit:
        limit, period = traffic.rate_limit
        rule = {"limit": {"requests": limit, "unit": UNITS.get(period, "Second")}}
        spec["rateLimit"] = {"type": "Local", "local": {"rules": [rule]}}
        overrides.append(_override(429, "Too Many Requests", "The rate limit of this API is reached."))
    if traffic.max_request_bytes:
        spec["requestBuffer"] = {"limit": str(traffic.max_request_bytes)}
        overrides.append(_override(413, "Content Too Large", "The request body is larger than this API takes."))
    if not spec:
        return None
    if overrides:
        spec["responseOverride"] = overrides
    return _policy("BackendTrafficPolicy", route, spec)


def _override(status: int, title: str, detail: str) -> dict[str, Any]:
    """A problem document (RFC 9457) in place of the gateway's own answer."""
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return {
        "match": {"statusCodes": [{"type": "Value", "value": status}]},
        "response": {"contentType": PROBLEM, "body": {"type": "Inline", "inline": json.dumps(problem)}},
    }


def _security_policy(route: Route) -> Manifest | None:
    cors = route.traffic.cors
    if cors is None:
        return None
    spec: dict[str, Any] = {
        "allowOrigins": list(cors.allow_origins),
        "allowMethods": list(cors.allow_methods),
        "allowHeaders": list(cors.allow_headers),
        "exposeHeaders": list(cors.expose_headers),
        "allowCredentials": cors.allow_credentials,
        "maxAge": cors.max_age,
    }
    return _policy("SecurityPolicy", route, {"cors": {k: v for k, v in spec.items() if v not in (None, [])}})


def _policy(kind: str, route: Route, spec: Mapping[str, Any]) -> Manifest:
    target = {"group": ROUTE_GROUP, "kind": "HTTPRoute", "name": route.name}
    return {
        "apiVersion": ENVOY_API,
        "kind": kind,
        "metadata": _meta(route.name),
        "spec": {"targetRefs": [target], **spec},
    }


def _seconds(value: float) -> str:
    """A duration as Gateway API has it (GEP-2257)."""
    return f"{int(value)}s" if value == int(value) else f"{int(value * 1000)}ms"
