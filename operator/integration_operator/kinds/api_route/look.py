"""Everything that the decision about an ApiRoute depends on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from integration_operator.core.binding import Binding
from integration_operator.core.model import API_VERSION, AllowedNamespaces, LabelSelector
from integration_operator.core.plan import Manifest, Outcome
from integration_operator.core.ports import Claimant, Key, Reader
from integration_operator.drivers.gateway import GatewayDriver
from integration_operator.kinds.api_route.model import ApiRoute, place, place_of_gateway

GATEWAY_API = "gateway.networking.k8s.io/v1"


@dataclass(frozen=True)
class Gateway:
    """The Gateway that is asked to serve the route."""

    exists: bool
    name: str = ""
    namespace: str = ""
    driver: GatewayDriver | None = None
    controller: str = ""
    admits: bool = False
    """Whether a listener takes routes of this namespace and these host names."""
    programmed: bool = False
    address: str | None = None
    """Where a probe reaches it: the ClusterIP of its Service."""
    port: int = 443
    ca: str | None = None
    own: bool = False
    """Whether it is the operator's own, whose settings are known."""


@dataclass(frozen=True)
class Connection:
    """A ServiceConnection that a backend refers to."""

    exists: bool
    permitted: bool = False
    type: str = ""
    binding: Binding | None = None
    allow_insecure: bool = False


@dataclass(frozen=True)
class World:
    """All that the decision may depend on."""

    gateway: Gateway
    services: Mapping[str, frozenset[int] | None] = field(default_factory=dict)
    """Ports of each Service referred to; None where it is missing."""
    connections: Mapping[tuple[str, str], Connection] = field(default_factory=dict)
    """By (namespace, name)."""
    older: Key | None = None
    """The oldest other ApiRoute that has one of this one's places, or owns a prefix above it."""
    older_place: str = ""
    live: tuple[Manifest, ...] = ()
    """The children as the cluster has them, with what the gateway says of them."""
    probed: Outcome | None = None


async def look(route: ApiRoute, reader: Reader) -> World:
    """Gather the world of a route."""
    spec = route.spec
    gateway = await _gateway(route, reader)
    services: dict[str, frozenset[int] | None] = {}
    connections: dict[tuple[str, str], Connection] = {}
    for version in spec.versions:
        for backend in version.backends:
            if backend.service_ref:
                name = backend.service_ref.name
                services[name] = _ports(await reader.get("v1", "Service", name, route.namespace))
            elif ref := backend.connection_ref:
                where = (ref.namespace or route.namespace, ref.name)
                connections[where] = await _connection(route, reader, *where)
    older, claim = await _older(route, reader)
    return World(
        gateway=gateway,
        services=services,
        connections=connections,
        older=older,
        older_place=claim,
        live=await reader.children(),
        probed=reader.outcome("Reachable"),
    )


def _ports(service: Manifest | None) -> frozenset[int] | None:
    return None if service is None else frozenset(p["port"] for p in service["spec"].get("ports") or ())


async def _gateway(route: ApiRoute, reader: Reader) -> Gateway:
    environment = reader.environment
    namespace, name = route.gateway(environment.gateway, environment.namespace)
    found = await reader.get(GATEWAY_API, "Gateway", name, namespace)
    if found is None:
        return Gateway(exists=False)
    class_name = found["spec"]["gatewayClassName"]
    gateway_class = await reader.get(GATEWAY_API, "GatewayClass", class_name)
    own = (namespace, name) == (environment.namespace, environment.gateway)
    known = environment.gateway_controller if own else ""
    controller = gateway_class["spec"]["controllerName"] if gateway_class else known
    driver = reader.driver(controller)
    listener = await _listener(route, reader, found, namespace)
    gateway = Gateway(
        exists=True,
        name=name,
        namespace=namespace,
        driver=driver if isinstance(driver, GatewayDriver) else None,
        controller=controller,
        admits=listener is not None,
        programmed=_true(found, "Programmed"),
        own=own,
    )
    if gateway.driver is None or listener is None:
        return gateway
    address = None
    for place_ in dict.fromkeys((environment.gateway_controller_namespace, namespace)):
        selector = gateway.driver.service_selector(name, namespace)
        for service in await reader.list("v1", "Service", place_, selector):
            if (ip := service["spec"].get("clusterIP")) not in (None, "", "None"):
                address = address or ip
    ca = await _ca(reader, listener, namespace)
    return replace(gateway, address=address, port=listener["port"], ca=ca)


def _true(obj: Manifest, type_: str) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(
        c["type"] == type_
        and c["status"] == "True"
        and c.get("observedGeneration") == obj["metadata"].get("generation")
        for c in conditions
    )


async def _listener(route: ApiRoute, reader: Reader, gateway: Manifest, namespace: str) -> Mapping[str, Any] | None:
    """An HTTPS listener that takes routes of this namespace and every one of these host names."""
    labels = await reader.namespace_labels(route.namespace)
    for listener in gateway["spec"]["listeners"]:
        allowed = ((listener.get("allowedRoutes") or {}).get("namespaces")) or {}
        try:
            selector = LabelSelector.model_validate(allowed["selector"]) if allowed.get("selector") else None
        except ValidationError:
            continue
        consent = AllowedNamespaces.model_construct(from_=allowed.get("from", "Same"), selector=selector)
        fits = all(_within(host, listener.get("hostname")) for host in route.spec.hostnames)
        if listener["protocol"] == "HTTPS" and fits and consent.permit(namespace, route.namespace, labels):
            return dict(listener)
    return None


def _within(host: str, listener: str | None) -> bool:
    if not listener or host == listener:
        return True
    return listener.startswith("*.") and host.endswith(listener[1:])


async def _ca(reader: Reader, listener: Mapping[str, Any], namespace: str) -> str | None:
    for ref in (listener.get("tls") or {}).get("certificateRefs") or ():
        if ref.get("namespace", namespace) == namespace:
            data = await reader.secret(ref["name"], namespace) or {}
            if pem := data.get("ca.crt") or data.get("tls.crt"):
                return pem.decode(errors="replace")
    return None


async def _connection(route: ApiRoute, reader: Reader, namespace: str, name: str) -> Connection:
    found = await reader.get(API_VERSION, "ServiceConnection", name, namespace)
    if found is None:
        return Connection(exists=False)
    spec = found["spec"]
    try:
        consent = AllowedNamespaces.model_validate(spec.get("allowedNamespaces") or {})
    except ValidationError:
        return Connection(exists=True)
    labels = await reader.namespace_labels(route.namespace) if namespace != route.namespace else {}
    if not consent.permit(namespace, route.namespace, labels):
        return Connection(exists=True)
    secret = await reader.secret(f"{name}-binding", namespace)
    binding = None
    if secret is not None:
        try:
            binding = Binding.parse(secret)
        except (KeyError, UnicodeDecodeError):
            binding = None
    type_ = "http" if spec.get("http") else "other"
    return Connection(True, True, type_, binding, bool(spec.get("allowInsecure")))


async def _older(route: ApiRoute, reader: Reader) -> tuple[Key | None, str]:
    """The oldest other route that is in the way, and where."""
    own = Key("ApiRoute", route.namespace, route.name)
    me = Claimant(route.metadata.creation_timestamp or datetime.now(UTC), own)
    environment = reader.environment
    gateways = [place_of_gateway(route)]
    default = f"{environment.namespace}/{environment.gateway}"
    if gateways[0] in ("", default):
        gateways = ["", default]
    for gateway in gateways:
        for host in route.spec.hostnames:
            for version in route.spec.versions:
                claim = place(gateway, host, route.path_of(version), version)
                for claimant in reader.claimants(claim):
                    if claimant < me and version.lifecycle != "Draft":
                        return claimant.key, f"{host}{route.path_of(version)}"
            for above in _hosts_above(host):
                for prefix in _prefixes(route.spec.base_path):
                    owner = next(iter(reader.claimants(f"prefix|{gateway}|{above}|{prefix}")), None)
                    if owner and owner < me and not await _lets(owner.key, route, reader):
                        return owner.key, f"{above}{prefix}"
    return None, ""


def _hosts_above(host: str) -> list[str]:
    """The host name and every wildcard that covers it."""
    labels = host.split(".")
    return [host, *(f"*.{'.'.join(labels[i:])}" for i in range(1, len(labels)))]


def _prefixes(path: str) -> list[str]:
    """The path and every prefix of it by whole segments, the root included."""
    parts = [p for p in path.split("/") if p]
    return ["/", *("/" + "/".join(parts[:i]) for i in range(1, len(parts) + 1))]


async def _lets(owner: Key, route: ApiRoute, reader: Reader) -> bool:
    if owner.namespace == route.namespace:
        return True
    found = await reader.get(API_VERSION, "ApiRoute", owner.name, owner.namespace)
    if found is None:
        return True
    try:
        consent = AllowedNamespaces.model_validate(found["spec"].get("allowedNamespaces") or {})
    except ValidationError:
        return False
    return consent.permit(owner.namespace, route.namespace, await reader.namespace_labels(route.namespace))
