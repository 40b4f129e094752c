"""Which cluster: the current one, kind where Docker answers, else a native one."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from dev import images, native, network
from dev.processes import Failed, run


class Cluster(Protocol):
    """What the tool can do with any cluster."""

    kubeconfig: Path

    def up(self) -> None:
        """Bring it up, or what is missing of it."""

    def down(self) -> None:
        """Take it down."""

    def load(self, names: Iterable[str]) -> None:
        """Build images and bring them to every node."""

    def status(self) -> dict[str, dict[str, bool]]:
        """What runs, by place."""
        ...

    def host_address(self) -> str:
        """The address by which its pods reach this machine."""
        ...

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl with the rights of its kubeconfig."""
        ...


class Current:
    """The cluster of the current kubeconfig; its images and its life are somebody else's."""

    def __init__(self) -> None:
        self.kubeconfig = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")

    def up(self) -> None:
        """Only look whether it answers."""
        self.kubectl("version")

    def down(self) -> None:
        """Nothing: it was not brought up here."""

    def load(self, names: Iterable[str]) -> None:
        """Images must be where the cluster pulls from."""
        raise Failed(f"images can't be loaded into the current cluster: push {', '.join(names)} to its registry")

    def status(self) -> dict[str, dict[str, bool]]:
        """Whether it answers."""
        done = subprocess.run(["kubectl", "version"], capture_output=True, check=False)
        return {"current cluster": {"API server": done.returncode == 0}}

    def host_address(self) -> str:
        """Unknown."""
        raise Failed("the current cluster's way to this machine is not known")

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl from PATH."""
        return run(["kubectl", f"--kubeconfig={self.kubeconfig}", *arguments], input=stdin)


class Kind:
    """A kind cluster: for machines with Docker."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.kubeconfig = network.CLUSTERS / name / "kubeconfig"

    def up(self) -> None:
        """Create it unless it is there."""
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        if self._name not in run(["kind", "get", "clusters"]).split():
            run(["kind", "create", "cluster", "--name", self._name, "--kubeconfig", self.kubeconfig, "--wait", "120s"])

    def down(self) -> None:
        """Delete it."""
        run(["kind", "delete", "cluster", "--name", self._name])
        shutil.rmtree(self.kubeconfig.parent, ignore_errors=True)

    def load(self, names: Iterable[str]) -> None:
        """Build with Docker and load."""
        for image in images.build_with_docker(names):
            run(["kind", "load", "docker-image", "--name", self._name, image.reference])

    def status(self) -> dict[str, dict[str, bool]]:
        """Whether it is there."""
        return {"kind": {self._name: self._name in run(["kind", "get", "clusters"]).split()}}

    def host_address(self) -> str:
        """The gateway of kind's network."""
        template = "{{(index .IPAM.Config 0).Gateway}}"
        return run(["docker", "network", "inspect", "kind", "--format", template]).strip()

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl from PATH."""
        return run(["kubectl", f"--kubeconfig={self.kubeconfig}", *arguments], input=stdin)


class NativeCluster(native.Native):
    """The native one, as the others are used."""

    def host_address(self) -> str:
        """The bridge's address."""
        return self.network.host


def choose(name: str) -> Cluster:
    """The first that works; Failed says what is missing."""
    if os.environ.get("CLUSTER") == "current":
        return Current()
    if images.engine() and shutil.which("kind"):
        return Kind(name)
    if reason := native.Native.possible():
        raise Failed(f"no cluster can run here: no Docker with kind, and a native one can't: {reason}")
    return NativeCluster(name)


def exists(name: str) -> bool:
    """Whether a cluster of this name was brought up and not taken down."""
    return os.environ.get("CLUSTER") == "current" or (network.CLUSTERS / name).exists()
