"""Egress policies for the consumers of a connection: this connection and DNS, and nothing else."""

from ipaddress import ip_address
from typing import Any

from integration_operator.core.plan import Manifest
from integration_operator.kinds.service_connection.look import World
from integration_operator.kinds.service_connection.model import ServiceConnection

DNS = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def policies(connection: ServiceConnection, world: World) -> list[Manifest]:
    """One NetworkPolicy for each consumer; none where there is no address to allow, so that nothing is cut off."""
    rule = _to_service(connection, world.service) if world.service else _to_addresses(connection, world)
    if rule is None:
        return []
    # A cluster's DNS may listen on another port behind its Service, so DNS is allowed to pods on any port of theirs.
    dns_pods = {
        "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
    }
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": f"{connection.name[:240]}-egress-{number}"},
            "spec": {
                "podSelector": consumer.pod_selector.model_dump(by_alias=True, exclude_defaults=True),
                "policyTypes": ["Egress"],
                "egress": [DNS, dns_pods, rule],
            },
        }
        for number, consumer in enumerate(connection.spec.consumers)
    ]


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
