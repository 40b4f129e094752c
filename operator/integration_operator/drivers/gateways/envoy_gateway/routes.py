"""The HTTPRoute, and the filters with which the gateway answers by itself."""

from datetime import UTC
from email.utils import format_datetime
from typing import Any

from integration_operator.core.binding import is_address
from integration_operator.core.plan import Identity, Manifest
from integration_operator.drivers.gateway import ConnectionBackend, Route, ServiceBackend, Version
from integration_operator.drivers.gateways.envoy_gateway.connections import connection_identities, credential_filter
from integration_operator.drivers.gateways.envoy_gateway.objects import (
    ENVOY_API,
    ENVOY_GROUP,
    GATEWAY_API,
    ROUTE_GROUP,
    child_name,
    extension,
    link_target,
    literal,
    problem,
    seconds,
)


def http_route(route: Route) -> Manifest:
    """One rule a version. A listener is named, so that the route is not offered on a plain-text one as well."""
    parent = {"group": ROUTE_GROUP, "kind": "Gateway", "name": route.gateway, "namespace": route.gateway_namespace}
    return {
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": {"name": route.name},
        "spec": {
            "parentRefs": [{**parent, "sectionName": listener} for listener in route.listeners],
            "hostnames": list(route.hostnames),
            "rules": [dict(v.standing.rule) if v.standing else _rule(route, v) for v in route.versions],
        },
    }


def answer_filters(route: Route) -> list[Manifest]:
    """Filters for what the gateway answers by itself, and for rewrites that the standard's filter gets wrong."""
    filters = []
    for version in route.versions:
        if version.gone:
            filters.append(_answer(route, version, 410, "Gone", f"Version {version.name} of this API is retired."))
        elif version.closed:
            detail = f"Version {version.name} of this API is not available now."
            filters.append(_answer(route, version, 503, "Service Unavailable", detail))
        elif _needs_regex(version):
            filters.append(_root_rewrite(route, version))
    return filters


def kept(route: Route) -> frozenset[Identity]:
    """What the rules that stand refer to."""
    found: set[Identity] = set()
    for version in route.versions:
        if version.standing:
            found.add((ENVOY_API, "HTTPRouteFilter", rewrite_filter(route, version)))
            for connection in version.standing.connections:
                found |= connection_identities(route, *connection)
    return frozenset(found)


def _rule(route: Route, version: Version) -> dict[str, Any]:
    match: dict[str, Any] = {"path": {"type": "PathPrefix", "value": version.match.path}}
    if version.match.header:
        name, value = version.match.header
        match["headers"] = [{"type": "Exact", "name": name, "value": value}]
    if version.match.query:
        name, value = version.match.query
        match["queryParams"] = [{"type": "Exact", "name": name, "value": value}]
    rule: dict[str, Any] = {"name": version.name, "matches": [match]}
    if not version.served:
        rule["filters"] = [extension(child_name(route, version.name, "answer"))]
        return rule
    rule["filters"] = [_path_rewrite(route, version)]
    if headers := lifecycle_headers(version):
        rule["filters"].append({"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": headers}})
    rule["backendRefs"] = [_backend_ref(route, backend) for backend in version.backends]
    if route.traffic.timeout:
        rule["timeouts"] = {"request": seconds(route.traffic.timeout)}
    return rule


def _backend_ref(route: Route, backend: ServiceBackend | ConnectionBackend) -> dict[str, Any]:
    """Host name and credential go with the one backend that they are for, whatever else shares the rule."""
    if isinstance(backend, ServiceBackend):
        return {"group": "", "kind": "Service", "name": backend.name, "port": backend.port, "weight": backend.weight}
    filters: list[dict[str, Any]] = []
    if name := _host_header(backend):
        filters.append({"type": "URLRewrite", "urlRewrite": {"hostname": name}})
    if backend.header:
        filters.append(extension(credential_filter(route, backend)))
    return {
        "group": ENVOY_GROUP,
        "kind": "Backend",
        "name": child_name(route, backend.namespace, backend.name),
        "weight": backend.weight,
        **({"filters": filters} if filters else {}),
    }


def _host_header(backend: ConnectionBackend) -> str | None:
    """The name by which a partner knows itself; the gateway takes no address there, and then sends the caller's."""
    return next((name for name in (backend.host, backend.server_name) if name and not is_address(name)), None)


def path_below(version: Version) -> str:
    """The path in front of what backends are asked: that of the connection's URL, the same for all (see limits)."""
    for backend in version.backends:
        if isinstance(backend, ConnectionBackend):
            return backend.path.rstrip("/") or "/"
    return "/"


def rewrite_filter(route: Route, version: Version) -> str:
    """Name of the HTTPRouteFilter that rewrites paths."""
    return child_name(route, version.name, "rewrite")


def _path_rewrite(route: Route, version: Version) -> dict[str, Any]:
    if _needs_regex(version):
        return extension(rewrite_filter(route, version))
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": path_below(version)}
    return {"type": "URLRewrite", "urlRewrite": {"path": path}}


def _needs_regex(version: Version) -> bool:
    """Envoy replaces the prefix "/" by "/v2" without a slash behind it: /orders would become /v2orders."""
    return version.match.path == "/" and path_below(version) != "/"


def _root_rewrite(route: Route, version: Version) -> Manifest:
    replace = {"pattern": "^/", "substitution": f"{path_below(version)}/"}
    return {
        "apiVersion": ENVOY_API,
        "kind": "HTTPRouteFilter",
        "metadata": {"name": rewrite_filter(route, version)},
        "spec": {"urlRewrite": {"path": {"type": "ReplaceRegexMatch", "replaceRegexMatch": replace}}},
    }


def lifecycle_headers(version: Version) -> list[dict[str, str]]:
    """Deprecation (RFC 9745), Sunset (RFC 8594), Link (RFC 8288)."""
    headers = {}
    if version.deprecated_at:
        headers["Deprecation"] = f"@{int(version.deprecated_at.timestamp())}"
    if version.sunset_at:
        headers["Sunset"] = format_datetime(version.sunset_at.astimezone(UTC), usegmt=True)
    if version.links and (headers or version.gone):
        headers["Link"] = ", ".join(f'<{link_target(url)}>; rel="{relation}"' for relation, url in version.links)
    return [{"name": name, "value": literal(value)} for name, value in headers.items()]


def _answer(route: Route, version: Version, status: int, title: str, detail: str) -> Manifest:
    response: dict[str, Any] = {"statusCode": status, **problem(status, title, detail)}
    if headers := lifecycle_headers(version):
        response["header"] = {"set": headers}
    return {
        "apiVersion": ENVOY_API,
        "kind": "HTTPRouteFilter",
        "metadata": {"name": child_name(route, version.name, "answer")},
        "spec": {"directResponse": response},
    }
