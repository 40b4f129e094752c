"""Egress policies for the consumers of a connection: this connection and DNS, and nothing else."""

from ipaddress import ip_address
from typing import Any

from integration_operator.core.plan import Manifest
from integration_operator.kinds.service_connection.look import World
from integration_operator.kinds.service_connection.model import ServiceConnection

DNS = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
DNS_PODS = {"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]}
"""A cluster's DNS may listen on another port behind its Service: policies see the port of the pod."""


def addressed(connection: ServiceConnection, world: World) -> dict[str, Any] | None:
    """The rule that allows this connection; None where there is no address to allow."""
    to_service = _to_service(connection, world.service) if world.service else None
    return to_service or _to_addresses(connection, world)


def policies(connection: ServiceConnection, world: World) -> list[Manifest]:
    """One NetworkPolicy for each consumer.

    Without an address those that are there stay as they are, for to remove them would open everything, and none is
    made, so that nothing is cut off. Where rules deny every address, only DNS is allowed.
    """
    rule = addressed(connection, world)
    live = {c["metadata"]["name"]: c["spec"].get("egress", []) for c in world.live if c["kind"] == "NetworkPolicy"}
    made: list[Manifest] = []
    for consumer in connection.spec.consumers:
        name = f"{connection.name}-egress-{consumer.name}"
        if rule or world.resolution.denied:
            egress = [DNS, DNS_PODS, *([rule] if rule else ())]
        elif name in live:
            egress = live[name]
        else:
            continue
        selector = consumer.pod_selector.model_dump(by_alias=True, exclude_defaults=True)
        made.append(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": name},
                "spec": {"podSelector": selector, "policyTypes": ["Egress"], "egress": egress},
            }
        )
    return made


def _to_addresses(connection: ServiceConnection, world: World) -> dict[str, Any] | None:
    if not world.resolution.addresses:
        return None
    blocks = [
        {"ipBlock": {"cidr": f"{a}/{32 if ip_address(a).version == 4 else 128}"}} for a in world.resolution.addresses
    ]
    return {"to": blocks, "ports": [{"port": connection.port, "protocol": "TCP"}]}


def _to_service(connection: ServiceConnection, service: Manifest) -> dict[str, Any] | None:
    """Policies see pods, not the address of a Service: its selector and target ports are allowed."""
    spec = service["spec"]
    ports = [p.get("targetPort", p["port"]) for p in spec.get("ports") or () if p["port"] == connection.port]
    if not spec.get("selector") or not ports:
        return None
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": service["metadata"]["namespace"]}}
    peer = {"namespaceSelector": namespace, "podSelector": {"matchLabels": spec["selector"]}}
    return {"to": [peer], "ports": [{"port": port, "protocol": "TCP"} for port in ports]}
