"""All decisions about an ApiRoute."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from integration_operator.core.plan import Check, Condition, Outcome, Plan, with_ready
from integration_operator.drivers import gateway as neutral
from integration_operator.drivers.gateway import GatewayDriver, Rendered, Standing
from integration_operator.kinds.api_route.gateways import Gateway
from integration_operator.kinds.api_route.look import Connection, Name, World
from integration_operator.kinds.api_route.model import ApiRoute, current
from integration_operator.kinds.api_route.places import match_of
from integration_operator.kinds.api_route.probing import check
from integration_operator.kinds.api_route.serving import Held, serving
from integration_operator.kinds.api_route.versions import Backend


class Reason(StrEnum):
    """Reasons users may match on: add freely, never rename. Those of Reachable are in drivers/probes/route.py."""

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
    HOSTNAME = "HostnameNotAllowed"
    """A wildcard takes all host names below it: it needs a listener of that very name, or the platform's leave."""
    UNSUPPORTED = "UnsupportedByGateway"
    """The gateway can't honour a field: it is refused, not dropped."""
    CONFLICTED = "Conflicted"
    """An older ApiRoute has this place, or owns the path above it."""
    ACCEPTED = "Accepted"
    """The ApiRoute is well formed and has its place."""
    SERVICE_NOT_FOUND = "ServiceNotFound"
    """A backend's Service does not exist."""
    SERVICE_EXTERNAL = "ExternalNameService"
    """A backend's Service stands for a name outside: make a ServiceConnection instead."""
    PORT_NOT_FOUND = "PortNotFound"
    """A backend's Service has no such port."""
    CONNECTION_NOT_FOUND = "ConnectionNotFound"
    """A backend's ServiceConnection does not exist in this namespace."""
    CONNECTION_NOT_READY = "ConnectionNotReady"
    """A backend's ServiceConnection has no binding yet."""
    CONNECTION_TYPE = "ConnectionNotHttp"
    """A backend's ServiceConnection is not of type http."""
    NOT_PERMITTED = "RefNotPermitted"
    """What is referred to in another namespace does not exist, or its owner does not allow this namespace."""
    ADDRESS_DENIED = "AddressDenied"
    """A backend's host name leads to an address that the operator's outbound rules deny."""
    DNS_NOT_FOUND = "DNSNotFound"
    """A backend's host name has no address, and had none before."""
    PLAIN_TEXT = "PlainTextNotAllowed"
    """A backend would be asked in plain text, and its ServiceConnection does not allow that."""
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


FORBIDDEN = {Reason.CONNECTION_NOT_FOUND, Reason.NOT_PERMITTED, Reason.ADDRESS_DENIED, Reason.PLAIN_TEXT}
"""Why a connection may no longer be used: what is served with it must stop, whatever else stands in the way."""


Problem = tuple[Reason, str]
"""Why a backend can't be asked, and a message that says what to do."""


def plan(route: ApiRoute, world: World, now: datetime) -> Plan:
    """First blocker wins; a blocked route, or version, keeps serving what it serves now, unless it must not."""
    requeue_at = min((v.sunset_at for v in route.spec.versions if v.sunset_at and v.sunset_at > now), default=None)
    driver = world.gateway.driver
    blocker = _misplaced(route, world.gateway)
    if blocker or driver is None:
        assert blocker is not None
        return _blocked(route, world, now, requeue_at, blocker)
    problems = _problems(route, world, now)
    held = _held(route, world, driver, problems)
    served = serving(route, world, now, held)
    if blocker := _refused(driver, serving(route, world, now), served, world):
        return _blocked(route, world, now, requeue_at, blocker)
    accepted, resolved = Condition("Accepted", True, Reason.ACCEPTED), _resolved(problems, held)
    if not served.versions:
        conditions = with_ready([accepted, resolved], Reason.DRAFT, "no version is published")
        return Plan(conditions, status=_status(route, now, []), requeue_at=requeue_at)
    rendered = driver.render(served)
    programmed = _programmed(driver, rendered, world)
    asked = check(route, world, served, rendered.marks) if programmed.status else None
    return Plan(
        with_ready([accepted, resolved, programmed, _reachable(world, programmed, asked)], Reason.SERVING),
        children=rendered.objects,
        kept=rendered.kept,
        checks=(asked,) if asked else (),
        status=_status(route, now, _endpoints(route, served, programmed)),
        requeue_at=requeue_at,
    )


def _blocked(route: ApiRoute, world: World, now: datetime, requeue_at: datetime | None, blocker: Condition) -> Plan:
    """Keep what is served now, unless it takes another's place or uses a connection that it may not use."""
    if _must_stop(world):
        return Plan(with_ready([blocker]), status=_status(route, now, []), requeue_at=requeue_at)
    kept = route.status.get("endpoints") or []
    return Plan.hold(blocker, status=_status(route, now, kept), requeue_at=requeue_at)


def _must_stop(world: World) -> bool:
    driver = world.gateway.driver
    if driver is None or not world.live:
        return False
    taken = {(c.host, c.match) for c in world.conflicts}
    return bool(taken & driver.places(world.live)) or _forbidden(world, driver.connections(world.live))


def _forbidden(world: World, connections: Iterable[Name]) -> bool:
    """Whether one of these connections, which live objects use, may no longer be used."""
    used = {name: world.connections[name] for name in connections}
    problems = (_connection_problem(name, connection) for name, connection in used.items())
    return any(p and p[0] in FORBIDDEN for p in problems) or any(connection.denied for connection in used.values())


def _unaccepted(reason: Reason, message: str) -> Condition:
    return Condition("Accepted", False, reason, message)


def _misplaced(route: ApiRoute, gateway: Gateway) -> Condition | None:
    """What is wrong with the Gateway that the route names."""
    if not gateway.exists:
        which = f"Gateway {gateway.namespace}/{gateway.name}"
        return _unaccepted(Reason.GATEWAY_NOT_FOUND, f"{which} does not exist: create it, or correct gatewayRef")
    if gateway.driver is None:
        return _unaccepted(Reason.NO_DRIVER, f"no driver for Gateways of controller {gateway.controller or 'unknown'}")
    if unserved := gateway.unserved(route.spec.hostnames):
        return _unaccepted(
            Reason.NOT_ADMITTED,
            f"no HTTPS listener of Gateway {gateway.namespace}/{gateway.name} takes routes of this namespace"
            f" for {', '.join(unserved)}: see its hostname and allowedRoutes",
        )
    if unallowed := gateway.unallowed(route.spec.hostnames):
        return _unaccepted(
            Reason.HOSTNAME,
            f"{', '.join(unallowed)}: a wildcard takes all host names below it. Name each host,"
            " or let the platform team add a listener with this very hostname, or set apiRoutes.allowWildcardHostnames",
        )
    return None


def _refused(driver: GatewayDriver, wanted: neutral.Route, served: neutral.Route, world: World) -> Condition | None:
    """What the gateway can't do, or another has already; values are judged only where they are known."""
    if lacking := sorted(wanted.needs() - driver.features):
        return _unaccepted(Reason.UNSUPPORTED, f"the gateway lacks: {', '.join(lacking)}")
    if refusals := driver.refusals(served):
        return _unaccepted(Reason.UNSUPPORTED, "; ".join(refusals))
    if world.conflicts:
        conflict = world.conflicts[0]
        place = conflict.prefix or f"{conflict.host}{conflict.match.path}"
        owner = f"{conflict.owner.namespace}/{conflict.owner.name}"
        return _unaccepted(Reason.CONFLICTED, f"{place} belongs to ApiRoute {owner}, which is older")
    return None


def _problems(route: ApiRoute, world: World, now: datetime) -> dict[str, Problem]:
    """What is wrong with the backends of versions that are served: the first thing, by version."""
    found: dict[str, Problem] = {}
    for version in route.spec.versions:
        if current(version, now) in ("Published", "Deprecated"):
            problems = filter(None, (_backend_problem(route, world, backend) for backend in version.backends))
            if problem := next(problems, None):
                found[version.name] = problem
    return found


def _held(route: ApiRoute, world: World, driver: GatewayDriver, problems: Mapping[str, Problem]) -> Held:
    """What versions with a problem stay as: what they are, at their place, unless it uses what it must not."""
    standing = driver.standing(world.live) if problems else {}
    held: dict[str, Standing | None] = {}
    for version in route.spec.versions:
        if version.name in problems:
            now = standing.get(version.name)
            good = now and now.match == match_of(route, version) and not _forbidden(world, now.connections)
            held[version.name] = now if good else None
    return held


def _resolved(problems: Mapping[str, Problem], held: Held) -> Condition:
    if not problems:
        return Condition("ResolvedRefs", True, Reason.RESOLVED)
    messages = [
        f"version {name}: {message}; meanwhile it {'stays as it was' if held[name] else 'answers 503'}"
        for name, (_, message) in problems.items()
    ]
    return Condition("ResolvedRefs", False, next(iter(problems.values()))[0], ". ".join(messages))


def _backend_problem(route: ApiRoute, world: World, backend: Backend) -> Problem | None:
    if ref := backend.connection_ref:
        name = (ref.namespace or route.namespace, ref.name)
        return _connection_problem(name, world.connections[name])
    assert backend.service_ref is not None
    name_, port = backend.service_ref.name, backend.service_ref.port
    service = world.services[name_]
    if service is None:
        return Reason.SERVICE_NOT_FOUND, f"Service {name_} does not exist"
    if service.external:
        return Reason.SERVICE_EXTERNAL, f"Service {name_} is of type ExternalName: make a ServiceConnection instead"
    if port not in service.ports:
        have = ", ".join(map(str, sorted(service.ports))) or "none"
        return Reason.PORT_NOT_FOUND, f"Service {name_} has no TCP port {port}; it has: {have}"
    return None


def _connection_problem(name: Name, connection: Connection) -> Problem | None:
    which = f"ServiceConnection {name[0]}/{name[1]}"
    if not connection.exists:
        return Reason.CONNECTION_NOT_FOUND, f"{which} does not exist"
    if not connection.permitted:
        message = "does not exist or does not allow this namespace: its owner sees to that by allowedNamespaces"
        return Reason.NOT_PERMITTED, f"{which} {message}"
    if connection.type != "http":
        return Reason.CONNECTION_TYPE, f"{which} is not of type http"
    if connection.binding is None:
        flaw = f": {connection.flaw}" if connection.flaw else " has no binding yet: see its conditions"
        return Reason.CONNECTION_NOT_READY, f"{which}{flaw}"
    if not connection.binding.uri.startswith("https://") and not connection.allow_insecure:
        return Reason.PLAIN_TEXT, f"{which} is in plain text, which it does not allow: see its allowInsecure"
    if denied := connection.resolution.denied:
        host = connection.binding.host
        return Reason.ADDRESS_DENIED, f"{which}: {host} leads to {', '.join(denied)}, which outbound rules deny"
    if not connection.resolution.addresses:
        error = connection.resolution.error or "it has no address"
        return Reason.DNS_NOT_FOUND, f"{which}: {connection.binding.host} can't be resolved: {error}"
    return None


def _programmed(driver: GatewayDriver, rendered: Rendered, world: World) -> Condition:
    verdict = driver.verdict(world.live, rendered)
    if verdict.accepted is None:
        return Condition("Programmed", None, Reason.PENDING, "waiting for the gateway to take this generation")
    if not verdict.accepted:
        return Condition("Programmed", False, Reason.REFUSED, verdict.message)
    return Condition("Programmed", True, Reason.PROGRAMMED)


def _reachable(world: World, programmed: Condition, asked: Check | None) -> Condition:
    if not programmed.status:
        return Condition("Reachable", None, Reason.PENDING, "probed once the gateway has taken it")
    if world.gateway.address is None:
        return Condition("Reachable", None, Reason.NO_ADDRESS, "the Gateway has no Service yet to probe it through")
    if asked is None:
        return Condition("Reachable", None, Reason.PENDING, "no version can be served, so there is nothing to probe")
    outcome: Outcome | None = world.probed
    if outcome is None or outcome.target != asked.target:
        return Condition("Reachable", None, Reason.PENDING, "being probed")
    return outcome.condition("Reachable")


def _endpoints(route: ApiRoute, served: neutral.Route, programmed: Condition) -> list[str]:
    """What is served; while the gateway has not spoken, what of it was served before."""
    paths = dict.fromkeys(v.match.path for v in served.versions if v.served)
    wanted = [f"https://{host}{path}" for host in route.spec.hostnames for path in paths]
    if programmed.status is None:
        before = route.status.get("endpoints") or ()
        return [endpoint for endpoint in wanted if endpoint in before]
    return wanted if programmed.status else []


def _status(route: ApiRoute, now: datetime, endpoints: list[str]) -> dict[str, Any]:
    lifecycles = [(v, current(v, now)) for v in route.spec.versions]
    live = [state for _, state in lifecycles if state in ("Published", "Deprecated")]
    newest = "Published" if "Published" in live else live[-1] if live else lifecycles[-1][1]
    return {
        "endpoints": endpoints,
        "versions": [{"name": v.name, "lifecycle": state} for v, state in lifecycles],
        "lifecycle": newest,
        "served": len(live),
        "auth": "anonymous",
    }
