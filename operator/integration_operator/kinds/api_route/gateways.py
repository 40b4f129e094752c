"""The Gateway that is asked to serve a route: its driver, its listeners, its address."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pydantic import ValidationError

from integration_operator.core.model import LabelSelector
from integration_operator.core.plan import Manifest
from integration_operator.core.ports import Reader
from integration_operator.drivers.gateway import GatewayDriver
from integration_operator.kinds.api_route.model import ApiRoute

GATEWAY_API = "gateway.networking.k8s.io/v1"


@dataclass(frozen=True)
class Listener:
    """An HTTPS listener that takes routes of this namespace."""

    name: str
    port: int = 443
    hostname: str | None = None
    """What it serves, perhaps with a wildcard; everything when None."""
    ca: str | None = None

    def serves(self, host: str) -> bool:
        """Whether this host name, or everything under this wildcard, is within what it serves."""
        name = self.hostname
        return not name or host == name or (name.startswith("*.") and host.endswith(name[1:]))

    def allows(self, host: str, wildcards: bool) -> bool:
        """Whether it may be asked for: who has a wildcard has all names below it, so that must be somebody's will."""
        return wildcards or not host.startswith("*.") or self.hostname == host


@dataclass(frozen=True)
class Gateway:
    """What is known of a Gateway, for one route."""

    exists: bool
    name: str = ""
    namespace: str = ""
    driver: GatewayDriver | None = None
    controller: str = ""
    listeners: tuple[Listener, ...] = ()
    """Those that serve at least one of the route's host names."""
    address: str | None = None
    """Where a probe reaches it: the ClusterIP of its Service."""
    own: bool = False
    """Whether it is the operator's own, whose settings are known."""
    wildcards: bool = False
    """Whether the installation allows wildcard host names on any listener."""

    def listener(self, host: str) -> Listener | None:
        """The listener that serves a host name: as Gateway API has it, the one that names it most exactly."""
        fit = [listener for listener in self.listeners if listener.serves(host)]
        return max(fit, key=lambda listener: (listener.hostname == host, len(listener.hostname or "")), default=None)

    def unserved(self, hosts: Iterable[str]) -> tuple[str, ...]:
        """The host names that no listener serves."""
        return tuple(host for host in hosts if self.listener(host) is None)

    def unallowed(self, hosts: Iterable[str]) -> tuple[str, ...]:
        """The host names that a listener serves, and that nobody may ask it for."""
        served = ((host, self.listener(host)) for host in hosts)
        return tuple(host for host, listener in served if listener and not listener.allows(host, self.wildcards))


async def look_gateway(route: ApiRoute, reader: Reader) -> Gateway:
    """Gather what is known of the Gateway of a route."""
    environment = reader.environment
    namespace, name = route.gateway(environment.gateway, environment.namespace)
    found = await reader.get(GATEWAY_API, "Gateway", name, namespace)
    if found is None:
        return Gateway(exists=False, name=name, namespace=namespace)
    gateway_class = await reader.get(GATEWAY_API, "GatewayClass", found["spec"]["gatewayClassName"])
    own = (namespace, name) == (environment.namespace, environment.gateway)
    known = environment.gateway_controller if own else ""
    controller = gateway_class["spec"]["controllerName"] if gateway_class else known
    driver = reader.driver(controller)
    gateway = Gateway(
        exists=True,
        name=name,
        namespace=namespace,
        driver=_gateway_driver(driver),
        controller=controller,
        listeners=await listeners(found, route, reader),
        own=own,
        wildcards=environment.wildcard_hostnames,
    )
    if gateway.driver is None or not gateway.listeners:
        return gateway
    address = await _address(gateway, gateway.driver, reader)
    secrets = {listener["name"]: listener for listener in found["spec"]["listeners"]}
    with_ca = [replace(it, ca=await _ca(reader, secrets[it.name], namespace)) for it in gateway.listeners]
    return replace(gateway, address=address, listeners=tuple(with_ca))


@cache
def _gateway_driver(driver: object) -> GatewayDriver | None:
    """Looks at every member of the protocol, which takes a while: once a driver is enough."""
    return driver if isinstance(driver, GatewayDriver) else None


async def listeners(gateway: Manifest, route: ApiRoute, reader: Reader) -> tuple[Listener, ...]:
    """The HTTPS listeners that take routes of this namespace and serve one of these host names."""
    labels = await reader.namespace_labels(route.namespace)
    here = gateway["metadata"].get("namespace", "")
    found = []
    for raw in gateway["spec"]["listeners"]:
        listener = Listener(raw["name"], raw["port"], raw.get("hostname"))
        fits = any(listener.serves(host) for host in route.spec.hostnames)
        if raw["protocol"] == "HTTPS" and fits and _admits(raw, here, route.namespace, labels):
            found.append(listener)
    return tuple(found)


def _admits(listener: Mapping[str, Any], own: str, namespace: str, labels: Mapping[str, str]) -> bool:
    """`allowedRoutes` as Gateway API has it: by default HTTPRoutes of the Gateway's own namespace."""
    allowed = listener.get("allowedRoutes") or {}
    kinds = allowed.get("kinds") or ()
    if kinds and not any(k["kind"] == "HTTPRoute" for k in kinds):
        return False
    namespaces = allowed.get("namespaces") or {}
    match namespaces.get("from", "Same"):
        case "All":
            return True
        case "Same":
            return own == namespace
        case "Selector":
            try:
                return LabelSelector.model_validate(namespaces.get("selector") or {}).matches(labels)
            except ValidationError:
                return False
    return False


async def _address(gateway: Gateway, driver: GatewayDriver, reader: Reader) -> str | None:
    selector = driver.service_selector(gateway.name, gateway.namespace)
    for namespace in dict.fromkeys((reader.environment.gateway_controller_namespace, gateway.namespace)):
        for service in await reader.list("v1", "Service", namespace, selector):
            if (address := service["spec"].get("clusterIP")) not in (None, "", "None"):
                return str(address)
    return None


async def _ca(reader: Reader, listener: Mapping[str, Any], namespace: str) -> str | None:
    """What must have signed the listener's certificate; the certificate itself where that is not said."""
    for ref in (listener.get("tls") or {}).get("certificateRefs") or ():
        if ref.get("namespace", namespace) == namespace:
            data = await reader.secret(ref["name"], namespace) or {}
            if pem := data.get("ca.crt") or data.get("tls.crt"):
                return pem.decode(errors="replace")
    return None
