"""What the demo and the end-to-end tests stand on: a cluster, Envoy Gateway, and the operator by its own chart."""

import base64
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import yaml

from dev import addons, clusters
from dev.images import ALL
from dev.processes import Failed
from dev.versions import ROOT

NAMESPACE = "integration-system"
RELEASE = "integration-operator"
CHART = ROOT / "charts" / RELEASE


def up(name: str) -> clusters.Cluster:
    """Bring all of it up, or what is missing of it; quick where nothing changed."""
    cluster = clusters.choose(name)
    cluster.up()
    fill(cluster)
    return cluster


def fill(cluster: clusters.Cluster) -> None:
    """Envoy Gateway and the operator, in a cluster that is up."""
    _timed("Envoy Gateway", lambda: addons.install(cluster))
    _timed("the operator", lambda: install(cluster))


def install(cluster: clusters.Cluster, **more: Any) -> None:
    """Install or upgrade the operator through its chart, until it and its Gateway run; `more` are chart values."""
    cluster.load(["integration-operator", "echo"])
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({**values(cluster), **more}, file)
        file.flush()
        addons.helm(
            cluster,
            *("upgrade", "--install", RELEASE, str(CHART), "--namespace", NAMESPACE, "--create-namespace"),
            *("--values", file.name, "--wait", "--timeout", "180s"),
        )
    cluster.kubectl("-n", NAMESPACE, "wait", "gateway/public", "--for=condition=Programmed", "--timeout=120s")


def values(cluster: clusters.Cluster) -> dict[str, Any]:
    """Chart values for a local cluster."""
    image = ALL["integration-operator"]
    repository, tag = image.reference.rsplit(":", 1)
    return {
        "image": {"repository": repository, "tag": tag},
        # A new image has the old one's name: the annotation makes the pods new ones.
        "podAnnotations": {"integration-operator.dev/image": image.digest},
        "gateway": {"serviceType": "NodePort", "image": ALL["envoy"].reference},
        "outbound": {"allow": _outside(cluster)},
    }


def _outside(cluster: clusters.Cluster) -> list[str]:
    """This machine stands for the outside, although its address may be a node's or the API server's, too."""
    try:
        return [str(ip_network(cluster.host_address()))]
    except Failed:
        return []


@dataclass(frozen=True)
class Entrance:
    """Where this machine reaches the operator's Gateway, and the CA of its certificate (PEM)."""

    address: str
    port: int
    ca: str

    def curl(self, host: str, path: str, ca_file: Path) -> list[str]:
        """The command that a person would type."""
        connect = f"{host}:443:{self.address}:{self.port}"
        return ["curl", "--silent", "--cacert", str(ca_file), "--connect-to", connect, f"https://{host}{path}"]


def entrance(cluster: clusters.Cluster) -> Entrance:
    """Of the Gateway `public`: its Service's NodePort, at an address that the Gateway names."""
    find = ("-A", "-l", "gateway.envoyproxy.io/owning-gateway-name=public", "-o", "json")
    services = json.loads(cluster.kubectl("get", "service", *find))["items"]
    port = next(p["nodePort"] for s in services for p in s["spec"]["ports"] if p["port"] == 443)
    gateway = json.loads(cluster.kubectl("-n", NAMESPACE, "get", "gateway", "public", "-o", "json"))
    address = gateway["status"]["addresses"][0]["value"]
    secret = json.loads(cluster.kubectl("-n", NAMESPACE, "get", "secret", f"{RELEASE}-gateway-tls", "-o", "json"))
    return Entrance(address, port, base64.b64decode(secret["data"]["ca.crt"]).decode())


def _timed(what: str, action: Callable[[], object]) -> None:
    began = time.monotonic()
    action()
    print(f"{what} is up in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
