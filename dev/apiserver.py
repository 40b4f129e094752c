"""A real API server alone (etcd and kube-apiserver), for tests of what needs no node: up in a few seconds."""

import shutil
import ssl
import tempfile
from pathlib import Path

from dev.build import ensure
from dev.controlplane import Addresses, ControlPlane, free_ports
from dev.processes import Startable


class ApiServer(Startable):
    """`with ApiServer() as api:` has an empty API server with `api.kubeconfig`, gone without a trace afterwards."""

    def __init__(self, *flags: str) -> None:
        """`flags` are further ones of kube-apiserver; `{home}` in them stands for the server's directory."""
        self.home = Path(tempfile.mkdtemp(prefix="apiserver-"))
        api, etcd, peer = free_ports(3)
        self._plane = ControlPlane(
            self.home, Addresses(api, etcd, peer), apiserver_flags=[flag.format(home=self.home) for flag in flags]
        )
        self.url = self._plane.url
        self.kubeconfig = self._plane.kubeconfig
        self.processes = self._plane.processes

    def start(self) -> None:
        """etcd and kube-apiserver, built where they are not there yet."""
        ensure("kube-apiserver", "kubectl", "etcd")
        self._plane.start_api()

    def client_context(self) -> ssl.SSLContext:
        """TLS as the administrator."""
        return self._plane.client_context()

    def write_kubeconfig(self, path: Path, user: str, group: str | None = None) -> None:
        """A kubeconfig for another user."""
        self._plane.write_kubeconfig(path, user, user, group)

    def stop(self) -> None:
        """End the processes and remove the data."""
        self._plane.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def stop_apiserver(self, hard: bool = False) -> None:
        """Take the API server away; etcd keeps its data."""
        self.processes.stop("kube-apiserver", hard=hard)

    def start_apiserver(self) -> None:
        """Bring the API server back on the same address with the same data."""
        self._plane.start_apiserver()
