"""What versions refer to: whether it is there and may be used, and what a version stays as while it is not."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from integration_operator.drivers.gateway import GatewayDriver, Standing
from integration_operator.kinds.api_route.look import Connection, Name, World
from integration_operator.kinds.api_route.model import ApiRoute, current
from integration_operator.kinds.api_route.places import match_of
from integration_operator.kinds.api_route.reasons import FORBIDDEN, Reason
from integration_operator.kinds.api_route.serving import Held
from integration_operator.kinds.api_route.versions import Backend

Problem = tuple[Reason, str]
"""Why a backend can't be asked, and a message that says what to do."""


def problems_of(route: ApiRoute, world: World, now: datetime) -> dict[str, Problem]:
    """What is wrong with the backends of versions that are served: the first thing, by version."""
    found: dict[str, Problem] = {}
    for version in route.spec.versions:
        if current(version, now) in ("Published", "Deprecated"):
            problems = filter(None, (_backend_problem(route, world, backend) for backend in version.backends))
            if problem := next(problems, None):
                found[version.name] = problem
    return found


def held_versions(route: ApiRoute, world: World, driver: GatewayDriver, problems: Mapping[str, Problem]) -> Held:
    """What versions with a problem stay as: what they are, at their place, unless it uses what it must not."""
    standing = driver.standing(world.live) if problems else {}
    held: dict[str, Standing | None] = {}
    for version in route.spec.versions:
        if version.name in problems:
            now = standing.get(version.name)
            good = now and now.match == match_of(route, version) and not forbidden(world, now.connections)
            held[version.name] = now if good else None
    return held


def forbidden(world: World, connections: Iterable[Name]) -> bool:
    """Whether one of these connections, which live objects use, may no longer be used."""
    used = {name: world.connections[name] for name in connections}
    problems = (_connection_problem(name, connection) for name, connection in used.items())
    return any(p and p[0] in FORBIDDEN for p in problems) or any(connection.denied for connection in used.values())


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
    if connection.untrusted:
        return Reason.CERTIFICATE_UNUSABLE, f"{which}: {connection.untrusted}"
    if denied := connection.resolution.denied:
        host = connection.binding.host
        return Reason.ADDRESS_DENIED, f"{which}: {host} leads to {', '.join(denied)}, which outbound rules deny"
    if not connection.resolution.addresses:
        error = connection.resolution.error or "it has no address"
        return Reason.DNS_NOT_FOUND, f"{which}: {connection.binding.host} can't be resolved: {error}"
    return None
