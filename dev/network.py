"""The addresses of one native cluster, and its links, namespaces and routes on this machine."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dev.build import locked
from dev.processes import run
from dev.versions import CACHE

CLUSTERS = CACHE / "clusters"
NODES = ("node1", "node2")


@dataclass(frozen=True)
class Network:
    """Addresses by the cluster's index, so that several clusters don't collide."""

    index: int

    @property
    def bridge(self) -> str:
        """The link that joins the nodes and this machine."""
        return f"intop{self.index}"

    @property
    def host(self) -> str:
        """This machine, as nodes and pods reach it: what listens there is outside the cluster."""
        return f"10.{200 + self.index}.0.1"

    @property
    def services(self) -> str:
        """The range of ClusterIPs."""
        return f"10.{160 + self.index}.0.0/16"

    @property
    def dns(self) -> str:
        """The ClusterIP of the cluster's DNS."""
        return f"10.{160 + self.index}.0.10"

    @property
    def pods(self) -> str:
        """The range of pod addresses."""
        return f"10.{120 + self.index}.0.0/16"

    def node(self, name: str) -> str:
        """A node's address."""
        return f"10.{200 + self.index}.0.{11 + NODES.index(name)}"

    def node_pods(self, name: str) -> str:
        """The pods of a node."""
        return f"10.{120 + self.index}.{NODES.index(name)}.0/24"

    def namespace(self, node: str) -> str:
        """The network namespace of a node."""
        return f"{self.bridge}-{node}"

    def port(self, base: int) -> int:
        """A port of this machine for this cluster alone."""
        return base + 10 * self.index

    def up(self) -> None:
        """The bridge, and for each node a namespace, a link, and routes to its pods; services go through the first."""
        if not _there("link", "show", self.bridge):
            run(["ip", "link", "add", self.bridge, "type", "bridge"])
            run(["ip", "address", "add", f"{self.host}/24", "dev", self.bridge])
        run(["ip", "link", "set", self.bridge, "up"])
        for node in NODES:
            self._node_up(node)
        _sysctl("net/ipv4/ip_forward", "1")
        run(["ip", "route", "replace", self.services, "via", self.node(NODES[0])])

    def _node_up(self, node: str) -> None:
        namespace, link = self.namespace(node), f"{self.bridge}{node}"[-15:]
        if not Path(f"/run/netns/{namespace}").exists():
            run(["ip", "netns", "add", namespace])
        if not _there("-n", namespace, "link", "show", "eth0"):
            run(["ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace])
        run(["ip", "link", "set", link, "master", self.bridge, "up"])
        inside = ["ip", "-n", namespace]
        run([*inside, "link", "set", "lo", "up"])
        run([*inside, "address", "replace", f"{self.node(node)}/24", "dev", "eth0"])
        run([*inside, "link", "set", "eth0", "up"])
        run([*inside, "route", "replace", "default", "via", self.host])
        enter = ["nsenter", f"--net=/run/netns/{namespace}"]
        # Bridged traffic between pods of one node passes the same rules as routed traffic.
        settings = ("net.ipv4.ip_forward=1", "net.bridge.bridge-nf-call-iptables=1")
        run([*enter, "sysctl", "-qw", *settings])
        run(["ip", "route", "replace", self.node_pods(node), "via", self.node(node)])

    def down(self) -> None:
        """Remove all of it; routes go with their links."""
        for node in NODES:
            subprocess.run(["ip", "netns", "del", self.namespace(node)], capture_output=True, check=False)
            link = f"{self.bridge}{node}"[-15:]
            subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True, check=False)


def allocate(name: str) -> Network:
    """The network of a cluster of this name: the first that no cluster of anybody here has, kept until `release`."""
    with locked("clusters"):
        taken = _taken()
        if name not in taken:
            free = (i for i in range(32) if i not in taken.values())
            taken[name] = next(i for i in free if not _there("link", "show", Network(i).bridge))
            _keep(taken)
        return Network(taken[name])


def release(name: str) -> None:
    """Let another cluster have the network."""
    with locked("clusters"):
        taken = _taken()
        if taken.pop(name, None) is not None:
            _keep(taken)


def _taken() -> dict[str, int]:
    file = CLUSTERS / "networks.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}


def _keep(taken: dict[str, int]) -> None:
    CLUSTERS.mkdir(parents=True, exist_ok=True)
    (CLUSTERS / "networks.json").write_text(json.dumps(taken))


def _there(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0


def _sysctl(name: str, value: str) -> None:
    Path(f"/proc/sys/{name}").write_text(value)
