"""Who has which place on a gateway: the oldest, and below a prefix the namespace of the oldest."""

from dataclasses import dataclass
from datetime import UTC, datetime

from integration_operator.core.model import AllowedNamespaces
from integration_operator.core.ports import Claimant, Key, Reader
from integration_operator.drivers.gateway import Match
from integration_operator.kinds.api_route.gateways import GATEWAY_API, listeners
from integration_operator.kinds.api_route.model import ApiRoute, gateway_claim, place_claim
from integration_operator.kinds.api_route.versions import Version


@dataclass(frozen=True)
class Conflict:
    """A place that an older ApiRoute has, or that lies below its prefix without its consent."""

    owner: Key
    host: str
    match: Match
    prefix: str = ""
    """The prefix that is the owner's; empty where it has the very place."""


Owners = dict[str, Key | None]
"""Of what was asked about in one look, by claim."""


async def look_conflicts(route: ApiRoute, reader: Reader) -> tuple[Conflict, ...]:
    """Every place of a route that is not its own to take."""
    found = []
    owners: Owners = {}
    for host in route.spec.hostnames:
        for version in route.spec.versions:
            if version.lifecycle != "Draft" and (conflict := await _conflict(route, host, version, reader, owners)):
                found.append(conflict)
    return tuple(found)


def match_of(route: ApiRoute, version: Version) -> Match:
    """What tells a version on the gateway."""
    match = version.match
    return Match(
        path=route.path_of(version),
        header=(match.header.name, match.header.value) if match and match.header else None,
        query=(match.query.name, match.query.value) if match and match.query else None,
    )


async def _conflict(route: ApiRoute, host: str, version: Version, reader: Reader, owners: Owners) -> Conflict | None:
    path, match, gateway = route.path_of(version), match_of(route, version), gateway_claim(route, reader.environment)
    if owner := await _oldest(route, place_claim(gateway, host, path, version), reader, owners):
        return Conflict(owner, host, match)
    for above in _hosts_above(host):
        for prefix in _prefixes(path):
            owner = await _oldest(route, f"prefix|{gateway}|{above}|{prefix}", reader, owners)
            if owner and not await _lets(owner, route, reader):
                return Conflict(owner, host, match, f"{above}{prefix}")
    return None


async def _oldest(route: ApiRoute, claim: str, reader: Reader, owners: Owners) -> Key | None:
    """The oldest who claims this, if it is older than the route; versions ask about the same prefixes."""
    if claim not in owners:
        owners[claim] = await _older(route, claim, reader)
    return owners[claim]


async def _older(route: ApiRoute, claim: str, reader: Reader) -> Key | None:
    """One whom the Gateway does not admit has no claim."""
    if not (claimants := reader.claimants(claim)):
        return None
    me = Claimant(route.metadata.creation_timestamp or datetime.now(UTC), Key("ApiRoute", route.namespace, route.name))
    for claimant in claimants:
        if claimant >= me:
            return None
        if await _admitted(claimant.key, reader):
            return claimant.key
    return None


async def _admitted(key: Key, reader: Reader) -> bool:
    """Whether listeners take and allow all host names of a route: else it would hold a place that it can't serve."""
    other = await reader.resource(ApiRoute, key.name, key.namespace)
    if other is None:
        return False
    environment = reader.environment
    namespace, name = other.gateway(environment.gateway, environment.namespace)
    gateway = await reader.get(GATEWAY_API, "Gateway", name, namespace)
    if gateway is None:
        return False
    found = await listeners(gateway, other, reader)
    wildcards = environment.wildcard_hostnames
    return all(any(it.serves(host) and it.allows(host, wildcards) for it in found) for host in other.spec.hostnames)


def _hosts_above(host: str) -> list[str]:
    """The host name and every wildcard that covers it."""
    labels = host.split(".")
    first = 2 if labels[0] == "*" else 1
    return [host, *(f"*.{'.'.join(labels[i:])}" for i in range(first, len(labels)))]


def _prefixes(path: str) -> list[str]:
    """The path and every prefix of it by whole segments, the root included."""
    parts = [p for p in path.split("/") if p]
    return ["/", *("/" + "/".join(parts[:i]) for i in range(1, len(parts) + 1))]


async def _lets(owner: Key, route: ApiRoute, reader: Reader) -> bool:
    """Whether the owner of a prefix consents to this namespace below it."""
    if owner.namespace == route.namespace:
        return True
    other = await reader.resource(ApiRoute, owner.name, owner.namespace)
    if other is None:
        return True
    consent = other.spec.allowed_namespaces or AllowedNamespaces()
    return consent.permit(owner.namespace, route.namespace, await reader.namespace_labels(route.namespace))
