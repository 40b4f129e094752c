"""A route as a gateway is to serve it now: from spec and world to neutral nouns."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from integration_operator.core.binding import Binding
from integration_operator.drivers import gateway as neutral
from integration_operator.drivers.gateway import Standing
from integration_operator.kinds.api_route.look import World
from integration_operator.kinds.api_route.model import ApiRoute, current
from integration_operator.kinds.api_route.places import match_of
from integration_operator.kinds.api_route.traffic import Traffic
from integration_operator.kinds.api_route.versions import Backend, Version

Held = Mapping[str, Standing | None]
"""Versions whose backends can't be told now, with what each stays as; None where it answers 503."""

UNKNOWN = Binding("http", "", "pending.invalid", "443", "https://pending.invalid/")
"""Stands for a binding that is not there yet, where only features matter."""


def serving(route: ApiRoute, world: World, now: datetime, held: Held | None = None) -> neutral.Route:
    """What to serve."""
    gateway, spec = world.gateway, route.spec
    serving_listeners = (gateway.listener(host) for host in spec.hostnames)
    return neutral.Route(
        name=route.name,
        namespace=route.namespace,
        gateway=gateway.name,
        gateway_namespace=gateway.namespace,
        listeners=tuple(dict.fromkeys(listener.name for listener in serving_listeners if listener)),
        hostnames=tuple(spec.hostnames),
        versions=tuple(_version(route, world, v, now, held or {}) for v in spec.versions if v.lifecycle != "Draft"),
        traffic=_traffic(spec.traffic or Traffic()),
    )


def _version(route: ApiRoute, world: World, version: Version, now: datetime, held: Held) -> neutral.Version:
    gone = current(version, now) == "Retired"
    asked = not gone and version.name not in held
    return neutral.Version(
        name=version.name,
        match=match_of(route, version),
        backends=tuple(_backend(route, world, b) for b in version.backends) if asked else (),
        gone=gone,
        closed=not gone and not asked and held[version.name] is None,
        standing=None if gone else held.get(version.name),
        deprecated_at=version.deprecated_at,
        sunset_at=version.sunset_at,
        links=_links(route, version),
    )


def _links(route: ApiRoute, version: Version) -> tuple[tuple[str, str], ...]:
    """Paths, not URLs, where they lead to another version: they hold under every host name."""
    links = []
    successor = next((v for v in route.spec.versions if v.name == version.successor), None)
    if successor and route.path_of(successor) != route.path_of(version):
        links.append(("successor-version", route.path_of(successor)))
    if version.documentation_url:
        links.append(("deprecation", version.documentation_url))
    return tuple(links)


def _backend(route: ApiRoute, world: World, backend: Backend) -> neutral.ServiceBackend | neutral.ConnectionBackend:
    if ref := backend.service_ref:
        return neutral.ServiceBackend(ref.name, ref.port, backend.weight)
    assert backend.connection_ref is not None
    namespace, name = backend.connection_ref.namespace or route.namespace, backend.connection_ref.name
    binding = world.connections[namespace, name].binding or UNKNOWN
    scheme, _, rest = binding.uri.partition("://")
    _, slash, path = rest.partition("/")
    return neutral.ConnectionBackend(
        name=name,
        namespace=namespace,
        host=binding.host,
        port=int(binding.port),
        addresses=world.connections[namespace, name].resolution.addresses,
        path=quote(slash + path, safe="/%:@!$&'()*+,;=-._~") or "/",
        tls=scheme == "https",
        server_name=binding.server_name or binding.host,
        ca=binding.ca_crt,
        certificate=binding.tls_crt,
        key=binding.tls_key,
        header=binding.header,
        header_value=binding.header_value,
        weight=backend.weight,
    )


def _traffic(traffic: Traffic) -> neutral.Traffic:
    retries, breaker, limit, cors = traffic.retries, traffic.circuit_breaker, traffic.rate_limit, traffic.cors
    return neutral.Traffic(
        timeout=traffic.timeout.total_seconds() if traffic.timeout else None,
        retries=retries.attempts if retries else None,
        retry_on=tuple(retries.retry_on) if retries else (),
        max_connections=breaker.max_connections if breaker else None,
        max_pending_requests=breaker.max_pending_requests if breaker else None,
        rate_limit=(limit.limit, limit.period.total_seconds()) if limit else None,
        max_request_bytes=traffic.max_request_bytes,
        cors=neutral.Cors(
            tuple(cors.allow_origins),
            tuple(cors.allow_methods),
            tuple(cors.allow_headers),
            tuple(cors.expose_headers),
            cors.allow_credentials,
            cors.max_age.total_seconds() if cors.max_age else None,
        )
        if cors
        else None,
    )
