"""A real cluster without Docker: control plane and two nodes as processes, images and volumes of its own."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dev import build, images, network
from dev.controlplane import Addresses, ControlPlane
from dev.network import NODES
from dev.node import Node
from dev.processes import Failed, run, wait_until
from dev.versions import KUBECTL, ROOT

PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "ip": "iproute2",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "mmdebstrap": "mmdebstrap",
    "buildah": "buildah",
}
"""Programs and the Debian packages that bring them; the bridge plug-ins come beside them."""
MANIFESTS = ROOT / "dev" / "manifests"


class Steps:
    """Says what is being done, and what it took."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def do(self, what: str, action: Callable[[], object]) -> None:
        """One step."""
        began = time.monotonic()
        action()
        print(f"  {what:<44} {time.monotonic() - began:6.1f} s", file=sys.stderr, flush=True)

    def total(self, what: str) -> None:
        """The end."""
        print(f"{what} in {time.monotonic() - self._began:.0f} s", file=sys.stderr, flush=True)


class Native:
    """The native cluster of a name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.home = network.CLUSTERS / name
        self.network = network.allocate(name)
        addresses = Addresses(
            self.network.port(16443),
            self.network.port(12379),
            self.network.port(12380),
            self.network.host,
            self.network.services,
        )
        self.plane = ControlPlane(self.home, addresses, bind_all=True)
        self.kubeconfig = self.plane.kubeconfig
        self.nodes = [Node(self.plane, self.network, node) for node in NODES]

    @staticmethod
    def possible() -> str | None:
        """Why it can't run here, None where it can."""
        if sys.platform != "linux":
            return "it needs Linux"
        if os.geteuid() != 0:
            return "it needs root"
        if shutil.which("apt-get") is None and not all(shutil.which(p) for p in PACKAGES):
            return f"it needs {', '.join(PACKAGES)}"
        return None

    def up(self) -> None:
        """Bring it up, or what is missing of it."""
        steps = Steps()
        steps.do("Debian packages", _packages)
        steps.do("Kubernetes binaries", lambda: build.ensure(*build.KUBERNETES_PARTS, "etcd", "coredns", "pause"))
        needed = images.build(images.NODE)
        steps.do("links, routes and namespaces", self.network.up)
        steps.do("API server", self.plane.start_api)
        self.plane.start_controllers()
        with ThreadPoolExecutor() as pool:
            steps.do("nodes", lambda: list(pool.map(lambda node: node.up(needed), self.nodes)))
        steps.do("cluster DNS and storage", self._manifests)
        steps.do("nodes ready", self._nodes_ready)
        steps.do(
            "DNS ready",
            lambda: self.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=60s"),
        )
        if down := [f"{n} of {place}" for place, parts in self.status().items() for n, up in parts.items() if not up]:
            raise Failed(f"not running: {', '.join(down)}; see the logs below {self.home}")
        steps.total(f"cluster {self.name} is up")

    def load(self, names: Iterable[str]) -> None:
        """Build images and bring them to every node."""
        built = images.build(names)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: node.load(built), self.nodes))

    def down(self) -> None:
        """End everything and remove it."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: node.down(), self.nodes))
        self.plane.stop()
        self.network.down()
        shutil.rmtree(self.home)
        network.release(self.name)

    def status(self) -> dict[str, dict[str, bool]]:
        """Which processes run, by place."""
        alive = self.plane.processes.alive
        names = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
        return {"control plane": {n: alive(n) for n in names}, **{node.name: node.status() for node in self.nodes}}

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl with the administrator's rights."""
        return run([KUBECTL, f"--kubeconfig={self.kubeconfig}", *arguments], input=stdin)

    def _manifests(self) -> None:
        dns = (MANIFESTS / "coredns.yaml").read_text().replace("HOST", self.network.host)
        self.kubectl(
            "apply", "--server-side", "-f", "-", stdin=dns.replace("clusterIP: DNS", f"clusterIP: {self.network.dns}")
        )
        self.kubectl("apply", "--server-side", "-f", str(MANIFESTS / "storage.yaml"))

    def _nodes_ready(self) -> None:
        ready = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
        wait_until(
            lambda: self.kubectl("get", "nodes", "-o", ready).split() == ["True"] * len(NODES), 60, "all nodes ready"
        )
        for name in NODES:
            # As a cluster's own controller would: from this, others know the networks of pods.
            networks = {"spec": {"podCIDR": self.network.node_pods(name), "podCIDRs": [self.network.node_pods(name)]}}
            self.kubectl("patch", "node", name, "--patch", json.dumps(networks))


def _packages() -> None:
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if not Path("/usr/lib/cni/bridge").exists():
        missing.append("containernetworking-plugins")
    if missing:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-q"], env=environment)
        run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], env=environment)


def exists(name: str) -> bool:
    """Whether a cluster of this name was brought up and not taken down."""
    return (network.CLUSTERS / name / "kubeconfig").exists()
