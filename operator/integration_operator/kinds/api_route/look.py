"""Everything that the decision about an ApiRoute depends on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from integration_operator.core.addresses import Resolution
from integration_operator.core.binding import Binding, Unusable, binding_name
from integration_operator.core.model import API_VERSION, GROUP, AllowedNamespaces
from integration_operator.core.plan import Manifest, Outcome
from integration_operator.core.ports import Reader
from integration_operator.kinds.api_route.gateways import Gateway, look_gateway
from integration_operator.kinds.api_route.model import ApiRoute
from integration_operator.kinds.api_route.places import Conflict, look_conflicts
from integration_operator.kinds.api_route.trust import trusted

Name = tuple[str, str]
"""Namespace and name."""
Addresses = Mapping[tuple[str, str, str], tuple[str, ...]]
"""By namespace, name and host of a ServiceConnection."""


@dataclass(frozen=True)
class Service:
    """A Service that a backend refers to."""

    ports: frozenset[int]
    """Its TCP ports."""
    external: bool = False
    """Whether it only stands for a name outside (ExternalName)."""


@dataclass(frozen=True)
class Connection:
    """A ServiceConnection that a backend refers to, or that live objects still connect to."""

    exists: bool
    """Always True in another namespace: what there is and what not is told to those whom its owner lets in."""
    permitted: bool = False
    type: str = ""
    binding: Binding | None = None
    flaw: str = ""
    """Why there is no binding although a Secret of its name is there, as a sentence."""
    untrusted: str = ""
    """What is wrong with its certificates or key, as a sentence."""
    allow_insecure: bool = False
    resolution: Resolution = field(default_factory=Resolution)
    """What its host leads to; while that can't be resolved, what it led to before, by the rules of now."""
    denied: tuple[str, ...] = ()
    """What live objects connect to for it, and the rules of now deny."""


@dataclass(frozen=True)
class World:
    """All that the decision may depend on."""

    gateway: Gateway
    services: Mapping[str, Service | None] = field(default_factory=dict)
    """Each Service referred to; None where it is missing."""
    connections: Mapping[Name, Connection] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    """Places that older ApiRoutes have."""
    live: tuple[Manifest, ...] = ()
    """The children as the cluster has them, with what the gateway says of them."""
    probed: Outcome | None = None


async def look(route: ApiRoute, reader: Reader) -> World:
    """Gather the world of a route."""
    gateway = await look_gateway(route, reader)
    live = await reader.children()
    last = gateway.driver.addresses(live) if gateway.driver else {}
    backends = [b for version in route.spec.versions for b in version.backends]
    services = {b.service_ref.name for b in backends if b.service_ref}
    connections = {(r.namespace or route.namespace, r.name) for b in backends if (r := b.connection_ref)}
    if gateway.driver is not None:
        connections |= gateway.driver.connections(live)
    return World(
        gateway=gateway,
        services={name: _service(await reader.get("v1", "Service", name, route.namespace)) for name in services},
        connections={name: await _connection(route, reader, *name, last) for name in sorted(connections)},
        conflicts=await look_conflicts(route, reader),
        live=live,
        probed=reader.outcome("Reachable"),
    )


def _service(service: Manifest | None) -> Service | None:
    if service is None:
        return None
    ports = service["spec"].get("ports") or ()
    return Service(
        ports=frozenset(p["port"] for p in ports if p.get("protocol", "TCP") == "TCP"),
        external=service["spec"].get("type") == "ExternalName",
    )


async def _connection(route: ApiRoute, reader: Reader, namespace: str, name: str, last: Addresses) -> Connection:
    found = await reader.get(API_VERSION, "ServiceConnection", name, namespace)
    if found is None or found["metadata"].get("deletionTimestamp"):
        return Connection(exists=namespace != route.namespace)
    spec = found["spec"]
    try:
        consent = AllowedNamespaces.model_validate(spec.get("allowedNamespaces") or {})
    except ValidationError:
        return Connection(exists=True)
    labels = await reader.namespace_labels(route.namespace) if namespace != route.namespace else {}
    if not consent.permit(namespace, route.namespace, labels):
        return Connection(exists=True)
    binding, flaw = await _binding(found, reader)
    binding, untrusted = trusted(binding) if binding else (None, "")
    return Connection(
        exists=True,
        permitted=True,
        type="http" if spec.get("http") else "other",
        binding=binding,
        flaw=flaw,
        untrusted=untrusted,
        allow_insecure=bool(spec.get("allowInsecure")),
        resolution=await _resolution(binding.host, last.get((namespace, name, binding.host), ()), reader)
        if binding
        else Resolution(),
        denied=await _denied([a for (*of, _), found in last.items() if of == [namespace, name] for a in found], reader),
    )


async def _denied(addresses: Iterable[str], reader: Reader) -> tuple[str, ...]:
    found = [await reader.resolve(address) for address in addresses]
    return tuple(denied for one in found for denied in one.denied)


async def _resolution(host: str, last: Iterable[str], reader: Reader) -> Resolution:
    """While a name can't be resolved, what was found last goes on being served, if rules still permit it."""
    found = await reader.resolve(host)
    if not found.error:
        return found
    known = [await reader.resolve(address) for address in last]
    return Resolution(
        addresses=tuple(address for one in known for address in one.addresses),
        denied=tuple(address for one in known for address in one.denied),
        error=found.error,
    )


async def _binding(connection: Manifest, reader: Reader) -> tuple[Binding | None, str]:
    """The binding, or what is wrong with the Secret of its name: somebody else's is never used."""
    meta = connection["metadata"]
    name = binding_name(meta["name"])
    secret = await reader.get("v1", "Secret", name, meta["namespace"])
    if secret is None:
        return None, ""
    if not _owns(connection, secret):
        return None, f"Secret {name} is not its own: delete that"
    try:
        return Binding.parse(await reader.secret(name, meta["namespace"]) or {}), ""
    except Unusable as error:
        return None, f"its binding Secret {name} {error}"


def _owns(connection: Manifest, secret: Manifest) -> bool:
    """Whether a Secret was made for this very object, and not for one that had its name before."""
    uid = connection["metadata"].get("uid")
    return any(
        owner["kind"] == "ServiceConnection"
        and owner["apiVersion"].partition("/")[0] == GROUP
        and owner["uid"] == uid
        and owner.get("controller") is True
        for owner in secret["metadata"].get("ownerReferences") or ()
    )
