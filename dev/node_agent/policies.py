"""NetworkPolicies to nftables, pure: all that concerns the pods of one node, as one table.

Semantics: networking.k8s.io/v1 NetworkPolicy. A pod that no policy selects for a direction is open in it; one that is
selected takes only what some policy lists. Replies, and the node itself (probes of the kubelet), always pass.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

TABLE = "networkpolicy"


@dataclass(frozen=True)
class Pod:
    """What policies may ask of a pod."""

    namespace: str
    name: str
    ip: str
    node: str
    labels: Mapping[str, str]
    ports: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(protocol, name) of its named ports to their numbers."""


def pod_of(raw: Mapping[str, Any]) -> Pod | None:
    """A pod as policies see it; None where it has no address of its own (host network, not started, ended)."""
    spec, status = raw.get("spec") or {}, raw.get("status") or {}
    if spec.get("hostNetwork") or not status.get("podIP") or status.get("phase") in ("Succeeded", "Failed"):
        return None
    named = {
        (p.get("protocol", "TCP"), p["name"]): p["containerPort"]
        for container in spec.get("containers") or ()
        for p in container.get("ports") or ()
        if p.get("name")
    }
    meta = raw["metadata"]
    return Pod(
        meta["namespace"], meta["name"], status["podIP"], spec.get("nodeName", ""), meta.get("labels") or {}, named
    )


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """A Kubernetes label selector."""
    if any(labels.get(k) != v for k, v in (selector.get("matchLabels") or {}).items()):
        return False
    for requirement in selector.get("matchExpressions") or ():
        key, values = requirement["key"], requirement.get("values") or ()
        holds = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }[requirement["operator"]]
        if not holds:
            return False
    return True


def table(
    node: str,
    policies: Iterable[Mapping[str, Any]],
    pods: Iterable[Pod],
    namespaces: Mapping[str, Mapping[str, str]],
) -> str:
    """The nft script that makes this node's table as the policies say; `namespaces` maps names to labels."""
    everything = sorted(pods, key=lambda p: (p.namespace, p.name))
    chosen = sorted(policies, key=lambda p: (p["metadata"]["namespace"], p["metadata"]["name"]))
    rules: list[str] = []
    chains: list[str] = []
    for number, pod in enumerate(p for p in everything if p.node == node):
        for direction, address in (("Ingress", "daddr"), ("Egress", "saddr")):
            mine = [p for p in chosen if _applies(p, pod, direction)]
            if not mine:
                continue
            chain = f"{direction.lower()}-{number}"
            rules.append(f"ip {address} {pod.ip} jump {chain}")
            lines = [line for p in mine for line in _allowed(p, pod, direction, everything, namespaces)]
            body = "".join(f"    {line}\n" for line in dict.fromkeys(lines))
            chains.append(f"  chain {chain} {{ # {pod.namespace}/{pod.name}\n{body}    drop\n  }}\n")
    jumps = "".join(f"    {rule}\n" for rule in rules)
    return (
        f"table ip {TABLE} {{}}\nflush table ip {TABLE}\ndelete table ip {TABLE}\n"
        f"table ip {TABLE} {{\n{''.join(chains)}"
        "  chain forward {\n"
        "    type filter hook forward priority filter + 10; policy accept;\n"
        f"    ct state established,related accept\n{jumps}  }}\n}}\n"
    )


def _applies(policy: Mapping[str, Any], pod: Pod, direction: str) -> bool:
    spec = policy["spec"]
    types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    same = policy["metadata"]["namespace"] == pod.namespace
    return same and direction in types and selects(spec.get("podSelector") or {}, pod.labels)


def _allowed(
    policy: Mapping[str, Any],
    pod: Pod,
    direction: str,
    pods: list[Pod],
    namespaces: Mapping[str, Mapping[str, str]],
) -> Iterable[str]:
    """Rules (nft, each ending in return) of one policy for one pod."""
    incoming = direction == "Ingress"
    side = "saddr" if incoming else "daddr"
    for rule in policy["spec"].get(direction.lower()) or ():
        peers = rule.get("from" if incoming else "to")
        ports = rule.get("ports")
        if not peers:
            yield from (f"{port} return".strip() for port in _ports(ports, [pod] if incoming else pods))
            continue
        for peer in peers:
            if block := peer.get("ipBlock"):
                excluded = "".join(f" ip {side} != {cidr}" for cidr in block.get("except") or () if ":" not in cidr)
                if ":" not in block["cidr"]:
                    match = f"ip {side} {block['cidr']}{excluded}"
                    yield from (f"{match} {port} return" for port in _ports(ports, [pod] if incoming else pods))
                continue
            for other in _peers(peer, policy["metadata"]["namespace"], pods, namespaces):
                for port in _ports(ports, [pod] if incoming else [other]):
                    yield f"ip {side} {other.ip} {port} return"


def _peers(
    peer: Mapping[str, Any], own: str, pods: list[Pod], namespaces: Mapping[str, Mapping[str, str]]
) -> Iterable[Pod]:
    within = peer.get("namespaceSelector")
    for pod in pods:
        if within is None:
            if pod.namespace != own:
                continue
        elif not selects(within, namespaces.get(pod.namespace, {})):
            continue
        if selects(peer.get("podSelector") or {}, pod.labels):
            yield pod


def _ports(ports: Iterable[Mapping[str, Any]] | None, targets: list[Pod]) -> Iterable[str]:
    """Port matches; an empty string for any. A named port is looked up in the pods that traffic goes to."""
    if not ports:
        return [""]
    matches = []
    for port in ports:
        protocol = port.get("protocol", "TCP")
        number = port.get("port")
        match number:
            case None:
                matches.append(f"meta l4proto {protocol.lower()}")
            case int():
                last = f"-{port['endPort']}" if port.get("endPort") else ""
                matches.append(f"{protocol.lower()} dport {number}{last}")
            case str():
                known = {target.ports.get((protocol, number)) for target in targets}
                matches.extend(f"{protocol.lower()} dport {n}" for n in sorted(n for n in known if n))
    return matches
