"""All decisions about an ApiRoute."""

from datetime import datetime, timedelta
from enum import StrEnum
from zlib import crc32

from integration_operator.core.plan import Check, Condition, Outcome, Plan, with_ready
from integration_operator.drivers import gateway as neutral
from integration_operator.drivers.gateway import GatewayDriver, ProbeRequest, RouteProbe
from integration_operator.kinds.api_route.look import World
from integration_operator.kinds.api_route.model import ApiRoute, Backend, Version, current


class Reason(StrEnum):
    """Reasons users may match on: add freely, never rename."""

    SERVING = "Serving"
    """The gateway serves every version, and a request through it was answered by the backend."""
    DRAFT = "Draft"
    """No version is published yet: nothing is served."""
    GATEWAY_NOT_FOUND = "GatewayNotFound"
    """The Gateway does not exist: create it or correct gatewayRef."""
    NO_DRIVER = "UnknownGatewayClass"
    """No driver serves the controller of this Gateway's class."""
    NOT_ADMITTED = "NotAllowedByListener"
    """No HTTPS listener of the Gateway takes routes of this namespace and host names."""
    UNSUPPORTED = "UnsupportedByGateway"
    """The gateway can't honour a field: it is refused, not dropped."""
    CONFLICTED = "Conflicted"
    """An older ApiRoute has this place, or owns the path above it."""
    ACCEPTED = "Accepted"
    """The ApiRoute is well formed and has its place."""
    SERVICE_NOT_FOUND = "ServiceNotFound"
    """A backend's Service does not exist."""
    PORT_NOT_FOUND = "PortNotFound"
    """A backend's Service has no such port."""
    CONNECTION_NOT_FOUND = "ConnectionNotFound"
    """A backend's ServiceConnection does not exist."""
    CONNECTION_NOT_READY = "ConnectionNotReady"
    """A backend's ServiceConnection has no binding yet."""
    CONNECTION_TYPE = "ConnectionNotHttp"
    """A backend's ServiceConnection is not of type http."""
    NOT_PERMITTED = "RefNotPermitted"
    """The owner of what is referred to does not allow this namespace."""
    RESOLVED = "ResolvedRefs"
    """Everything that is referred to exists and may be used."""
    PENDING = "Pending"
    """Waiting for an answer that is on its way."""
    PROGRAMMED = "Programmed"
    """The gateway took this generation."""
    REFUSED = "RefusedByGateway"
    """The gateway refused what was applied; the message is its own."""
    NO_ADDRESS = "NoGatewayAddress"
    """The Gateway has no Service yet through which it could be probed."""


def plan(route: ApiRoute, world: World, now: datetime) -> Plan:
    """First blocker wins; a blocked route keeps serving what it serves now."""
    status = _status(route, now)
    requeue_at = min((v.sunset_at for v in route.spec.versions if v.sunset_at and v.sunset_at > now), default=None)
    if blocker := _blocker(route, world, now):
        return Plan.hold(blocker, status=status, requeue_at=requeue_at)
    assert world.gateway.driver is not None
    accepted = Condition("Accepted", True, Reason.ACCEPTED)
    if missing := _unresolved(route, world):
        return Plan.hold(accepted, missing, status=status, requeue_at=requeue_at)
    neutral_route = _neutral(route, world, now)
    driver = world.gateway.driver
    resolved = Condition("ResolvedRefs", True, Reason.RESOLVED)
    if not neutral_route.versions:
        conditions = with_ready([accepted, resolved], Reason.DRAFT, "no version is published")
        return Plan(conditions, status=status, requeue_at=requeue_at)
    programmed = _programmed(driver, neutral_route, world)
    checks = (_check(route, world, neutral_route),) if world.gateway.address and programmed.status else ()
    reachable = _reachable(world, programmed, bool(checks))
    return Plan(
        with_ready([accepted, resolved, programmed, reachable], Reason.SERVING),
        children=tuple(driver.render(neutral_route)),
        checks=checks,
        status=status,
        requeue_at=requeue_at,
    )


def _blocker(route: ApiRoute, world: World, now: datetime) -> Condition | None:
    def refused(reason: Reason, message: str) -> Condition:
        return Condition("Accepted", False, reason, message)

    gateway = world.gateway
    if not gateway.exists:
        wanted = route.spec.gateway_ref
        which = f"Gateway {wanted.namespace or route.namespace}/{wanted.name}" if wanted else "the operator's Gateway"
        return refused(Reason.GATEWAY_NOT_FOUND, f"{which} does not exist: create it, or correct gatewayRef")
    if gateway.driver is None:
        return refused(Reason.NO_DRIVER, f"no driver for Gateways of controller {gateway.controller or 'unknown'}")
    if not gateway.admits:
        return refused(
            Reason.NOT_ADMITTED,
            "no HTTPS listener of the Gateway takes routes of this namespace and host names: see its allowedRoutes",
        )
    draft = _neutral(route, world, now)
    if lacking := sorted(draft.needs() - gateway.driver.features):
        return refused(Reason.UNSUPPORTED, f"the gateway lacks: {', '.join(lacking)}")
    if refusals := gateway.driver.refusals(draft):
        return refused(Reason.UNSUPPORTED, "; ".join(refusals))
    if world.older:
        owner = f"{world.older.namespace}/{world.older.name}"
        return refused(Reason.CONFLICTED, f"{world.older_place} belongs to ApiRoute {owner}, which is older")
    return None


def _unresolved(route: ApiRoute, world: World) -> Condition | None:
    def missing(reason: Reason, message: str) -> Condition:
        return Condition("ResolvedRefs", False, reason, message)

    for version in route.spec.versions:
        for backend in version.backends:
            if ref := backend.service_ref:
                ports = world.services.get(ref.name)
                if ports is None:
                    return missing(
                        Reason.SERVICE_NOT_FOUND, f"version {version.name}: Service {ref.name} does not exist"
                    )
                if ref.port not in ports:
                    have = ", ".join(map(str, sorted(ports))) or "none"
                    return missing(Reason.PORT_NOT_FOUND, f"Service {ref.name} has no port {ref.port}; it has: {have}")
            elif problem := _connection_problem(route, world, backend):
                return missing(*problem)
    return None


def _connection_problem(route: ApiRoute, world: World, backend: Backend) -> tuple[Reason, str] | None:
    ref = backend.connection_ref
    assert ref is not None
    name = f"{ref.namespace or route.namespace}/{ref.name}"
    connection = world.connections[(ref.namespace or route.namespace, ref.name)]
    if not connection.exists:
        return Reason.CONNECTION_NOT_FOUND, f"ServiceConnection {name} does not exist"
    if not connection.permitted:
        return (
            Reason.NOT_PERMITTED,
            f"ServiceConnection {name} does not allow this namespace: see its allowedNamespaces",
        )
    if connection.type != "http":
        return Reason.CONNECTION_TYPE, f"ServiceConnection {name} is not of type http"
    if connection.binding is None:
        return Reason.CONNECTION_NOT_READY, f"ServiceConnection {name} has no binding yet: see its conditions"
    return None


def _neutral(route: ApiRoute, world: World, now: datetime) -> neutral.Route:
    namespace, name = route.gateway("", "")
    spec = route.spec
    versions = [_version(route, world, v, now) for v in spec.versions if v.lifecycle != "Draft"]
    return neutral.Route(
        name=route.name,
        namespace=route.namespace,
        gateway=name or world.gateway.name,
        gateway_namespace=namespace or world.gateway.namespace,
        hostnames=tuple(spec.hostnames),
        versions=tuple(versions),
        traffic=_traffic(route),
    )


def _version(route: ApiRoute, world: World, version: Version, now: datetime) -> neutral.Version:
    gone = current(version, now) == "Retired"
    match = version.match
    links = []
    if version.successor:
        successor = next(v for v in route.spec.versions if v.name == version.successor)
        links.append(("successor-version", f"https://{route.spec.hostnames[0]}{route.path_of(successor)}"))
    if version.documentation_url:
        links.append(("deprecation", version.documentation_url))
    return neutral.Version(
        name=version.name,
        match=neutral.Match(
            path=route.path_of(version),
            header=(match.header.name, match.header.value) if match and match.header else None,
            query=(match.query.name, match.query.value) if match and match.query else None,
        ),
        backends=() if gone else tuple(b for b in (_backend(route, world, b) for b in version.backends) if b),
        gone=gone,
        deprecated_at=version.deprecated_at,
        sunset_at=version.sunset_at,
        links=tuple(links),
    )


def _backend(
    route: ApiRoute, world: World, backend: Backend
) -> neutral.ServiceBackend | neutral.ConnectionBackend | None:
    if ref := backend.service_ref:
        return neutral.ServiceBackend(ref.name, ref.port, backend.weight)
    assert backend.connection_ref is not None
    where = (backend.connection_ref.namespace or route.namespace, backend.connection_ref.name)
    connection = world.connections.get(where)
    if connection is None or connection.binding is None:
        return neutral.ConnectionBackend(where[1], "pending.invalid", 443)
    binding = connection.binding
    scheme, _, rest = binding.uri.partition("://")
    _, slash, path = rest.partition("/")
    return neutral.ConnectionBackend(
        name=where[1],
        host=binding.host,
        port=int(binding.port),
        path=slash + path or "/",
        tls=scheme == "https",
        server_name=binding.server_name or binding.host,
        ca=binding.ca_crt,
        header=binding.header,
        header_value=binding.header_value,
    )


def _traffic(route: ApiRoute) -> neutral.Traffic:
    traffic = route.spec.traffic
    if traffic is None:
        return neutral.Traffic()
    retries, breaker, limit, cors = traffic.retries, traffic.circuit_breaker, traffic.rate_limit, traffic.cors
    return neutral.Traffic(
        timeout=traffic.timeout.total_seconds() if traffic.timeout else None,
        retries=retries.attempts if retries else None,
        retry_on=tuple(retries.on) if retries else (),
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
            f"{int(cors.max_age.total_seconds())}s" if cors.max_age else None,
        )
        if cors
        else None,
    )


def _programmed(driver: GatewayDriver, route: neutral.Route, world: World) -> Condition:
    verdict = driver.verdict(world.live, route)
    if verdict.accepted is None:
        return Condition("Programmed", None, Reason.PENDING, "waiting for the gateway to take this generation")
    if not verdict.accepted:
        return Condition("Programmed", False, Reason.REFUSED, verdict.message)
    return Condition("Programmed", True, Reason.PROGRAMMED)


def _check(route: ApiRoute, world: World, served: neutral.Route) -> Check:
    probe = route.spec.probe
    gateway = world.gateway
    assert gateway.address is not None
    host = route.spec.hostnames[0].replace("*", "probe", 1)
    below = probe.path if probe else "/"
    requests = tuple(
        ProbeRequest(
            version=v.name,
            method=probe.method if probe else "GET",
            path=v.match.path.rstrip("/") + below,
            header=v.match.header,
            query=v.match.query,
            expected=tuple(probe.expected_statuses) if probe and not v.gone else (),
            gone=v.gone,
        )
        for v in served.versions
    )
    interval = probe.interval if probe else timedelta(seconds=60)
    # Spread over the interval, so that thousands of routes are not asked at once.
    jitter = timedelta(seconds=interval.total_seconds() * (crc32(route.metadata.uid.encode()) % 100) / 1000)
    target = RouteProbe(gateway.address, gateway.port, host, gateway.ca, requests, gateway.own)
    return Check("Reachable", "route", target, interval + jitter, timedelta(seconds=10), failure_threshold=2)


def _reachable(world: World, programmed: Condition, checked: bool) -> Condition:
    if not programmed.status:
        return Condition("Reachable", None, Reason.PENDING, "probed once the gateway has taken it")
    if not checked:
        return Condition("Reachable", None, Reason.NO_ADDRESS, "the Gateway has no Service yet to probe it through")
    outcome: Outcome | None = world.probed
    return outcome.condition("Reachable") if outcome else Condition("Reachable", None, Reason.PENDING, "being probed")


def _status(route: ApiRoute, now: datetime) -> dict[str, object]:
    lifecycles = [(v, current(v, now)) for v in route.spec.versions]
    live = [(v, state) for v, state in lifecycles if state in ("Published", "Deprecated")]
    newest = next((state for _, state in reversed(live) if state == "Published"), live[-1][1] if live else None)
    paths = dict.fromkeys(route.path_of(v) for v, _ in live)
    return {
        "endpoints": [f"https://{host}{path}" for host in route.spec.hostnames for path in paths],
        "versions": [{"name": v.name, "lifecycle": state} for v, state in lifecycles],
        "lifecycle": newest or (lifecycles[-1][1]),
        "served": len(live),
        "auth": "anonymous",
    }
