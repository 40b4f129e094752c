"""The cluster's own networks: what users call outside may not lead back into them, or around NetworkPolicies."""

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import structlog

from integration_operator.core.addresses import LiveRules, Network
from integration_operator.core.errors import Forbidden, IntegrationError
from integration_operator.engine import metrics
from integration_operator.engine.cluster import Cluster, NotFound

log = structlog.get_logger("ranges")

REFRESH_SECONDS = 60.0
"""How often they are read again: nodes come and go."""
FIRST_AGAIN_SECONDS = 1.0
"""How soon after a failure, at first."""

ENDPOINTS = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
OF_API_SERVER = {"labelSelector": "kubernetes.io/service-name=kubernetes"}


@dataclass(frozen=True)
class Found:
    """Networks of one sort, and what of it could not be told: empty where all is known."""

    networks: frozenset[Network]
    unknown: str = ""


async def _service_of_api_server(_: Cluster) -> Found:
    """Where this process finds the API server; outside of a cluster, nothing."""
    if not (host := os.environ.get("KUBERNETES_SERVICE_HOST")):
        return Found(frozenset())
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return Found(frozenset(), f"{host} can't be resolved")
    return Found(_networks(str(info[4][0]) for info in found))


async def _endpoints_of_api_server(cluster: Cluster) -> Found:
    slices = [item async for item in _items(cluster, ENDPOINTS, OF_API_SERVER)]
    addresses = _networks(a for s in slices for e in s.get("endpoints") or () for a in e.get("addresses") or ())
    return Found(addresses, "" if addresses else "no EndpointSlice in the namespace default names them")


async def _services(cluster: Cluster) -> Found:
    found = [item async for item in _items(cluster, "/apis/networking.k8s.io/v1/servicecidrs")]
    return Found(_networks(cidr for item in found for cidr in item["spec"].get("cidrs") or ()))


async def _nodes(cluster: Cluster) -> Found:
    """Addresses of nodes, and with them the networks of their pods."""
    networks: set[Network] = set()
    silent = 0
    async for node in _items(cluster, "/api/v1/nodes"):
        addresses = (node.get("status") or {}).get("addresses") or ()
        networks |= _networks(a["address"] for a in addresses if a["type"] in ("InternalIP", "ExternalIP"))
        cidrs = (node.get("spec") or {}).get("podCIDRs") or ()
        networks |= _networks(cidrs)
        silent += not cidrs
    return Found(frozenset(networks), f"{silent} nodes don't tell the networks of their pods" if silent else "")


SOURCES: dict[str, Callable[[Cluster], Awaitable[Found]]] = {
    "API server's Service": _service_of_api_server,
    "API server's endpoints": _endpoints_of_api_server,
    "Services": _services,
    "nodes and their pods": _nodes,
}
"""What is the cluster's own, and how it is read."""
CLUSTER_WIDE = ("Services", "nodes and their pods")
"""Those that nobody may read who serves some namespaces only."""


async def read(cluster: Cluster, source: str) -> Found:
    """Networks of one source; what may not be read, or is not served, is unknown. Unavailable is raised."""
    try:
        return await SOURCES[source](cluster)
    except (Forbidden, NotFound) as error:
        return Found(frozenset(), str(error))


class OwnNetworks:
    """Keeps rules denying the cluster's own networks. What can't be read at the moment stays as it was."""

    def __init__(self, cluster: Cluster, rules: LiveRules, *, wanted: bool) -> None:
        self._cluster, self._rules = cluster, rules
        self._sources = tuple(SOURCES) if wanted else ()
        self._found: dict[str, Found] = {}
        self.known = asyncio.Event()
        """Set once every source has answered, if only by a refusal: no connection is made before."""

    async def run(self) -> None:
        """Read them, for ever: once a minute, and with a back-off after a failure."""
        delay = FIRST_AGAIN_SECONDS
        while True:
            failed = [source for source in self._sources if not await self._refresh(source)]
            self._rules.deny_also(network for found in self._found.values() for network in found.networks)
            if len(self._found) == len(self._sources):
                self.known.set()
            await asyncio.sleep((delay if failed else REFRESH_SECONDS) * random.uniform(0.8, 1.0))  # noqa: S311
            delay = min(delay * 2, REFRESH_SECONDS) if failed else FIRST_AGAIN_SECONDS

    async def _refresh(self, source: str) -> bool:
        try:
            found = await read(self._cluster, source)
        except IntegrationError as error:
            log.warning("not read, what was known of them stays", what=source, detail=str(error))
            return False
        except Exception:
            log.exception("a bug, or an answer that is none: what was known of them stays", what=source)
            return False
        before = self._found.get(source)
        if found.unknown and (before is None or before.unknown != found.unknown):
            log.warning("not known: name them in outbound.deny", what=source, detail=found.unknown)
        metrics.unknown_networks.labels(source).set(1 if found.unknown else 0)
        refused = bool(found.unknown) and not found.networks and before is not None
        self._found[source] = Found(before.networks, found.unknown) if refused and before else found
        return True


async def _items(cluster: Cluster, path: str, params: dict[str, str] | None = None) -> AsyncIterator[dict[str, Any]]:
    async for items, _ in cluster.list_pages(path, params or {}, metadata_only=False):
        for item in items:
            yield item


def _networks(texts: Iterable[str]) -> frozenset[IPv4Network | IPv6Network]:
    """Addresses and CIDRs as networks; what is neither (a node's host name) is left out."""
    found = set()
    for text in texts:
        try:
            found.add(ip_network(text, strict=False))
        except ValueError:
            continue
    return frozenset(found)
