"""The cluster's own networks, as far as they can be read: what users call outside may not lead back into them."""

import os
from ipaddress import ip_address

import structlog

from integration_operator.core.errors import IntegrationError
from integration_operator.engine.cluster import Cluster

log = structlog.get_logger("ranges")


async def own_networks(cluster: Cluster) -> tuple[str, ...]:
    """CIDRs of the API server's Service, of all Services (ServiceCIDR), and of the nodes' pods (spec.podCIDRs)."""
    found: set[str] = set()
    if host := os.environ.get("KUBERNETES_SERVICE_HOST"):
        address = ip_address(host)
        found.add(f"{address}/{address.max_prefixlen}")
    for path, field in (("/apis/networking.k8s.io/v1/servicecidrs", "cidrs"), ("/api/v1/nodes", "podCIDRs")):
        try:
            async for items, _ in cluster.list_pages(path, {}, metadata_only=False):
                found.update(cidr for item in items for cidr in (item.get("spec") or {}).get(field) or ())
        except IntegrationError as error:
            log.warning("not known, name them in outbound.deny", what=field, detail=str(error))
    return tuple(sorted(found))
