"""etcd, kube-apiserver and, for a whole cluster, controller-manager and scheduler: as processes of this machine."""

import json
import random
import socket
import ssl
import urllib.request
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dev.pki import Authority, service_account_keys
from dev.processes import Failed, Processes, wait_until
from dev.versions import ETCD_BIN, KUBE_BIN


@dataclass(frozen=True)
class Addresses:
    """Where a control plane listens, and what ranges its cluster uses."""

    api_port: int
    etcd_port: int
    etcd_peer_port: int
    advertise: str = "127.0.0.1"
    services: str = "10.96.0.0/16"

    @property
    def service_ip(self) -> str:
        """The address of the `kubernetes` Service: the first of the range."""
        return self.services.rsplit(".", 1)[0] + ".1"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, below those that the kernel gives to clients: a restart finds them free."""
    sockets: list[socket.socket] = []
    while len(sockets) < count:
        with suppress(OSError):
            sockets.append(socket.create_server(("127.0.0.1", random.randint(20000, 32000))))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class ControlPlane:
    """One control plane in a directory of its own. `bind_all` lets nodes reach it."""

    def __init__(
        self, home: Path, addresses: Addresses, bind_all: bool = False, apiserver_flags: Sequence[str] = ()
    ) -> None:
        self.home, self.addresses, self._bind_all = home, addresses, bind_all
        self._apiserver_flags = apiserver_flags
        self.processes = Processes(home)
        self.kubeconfig = home / "kubeconfig"
        self.pki = Authority(home / "pki")

    @property
    def url(self) -> str:
        """Where this machine reaches the API server."""
        return self.url_for("127.0.0.1")

    def url_for(self, host: str) -> str:
        """Where the API server is reached by another address of this machine."""
        return f"https://{host}:{self.addresses.api_port}"

    def start_api(self) -> None:
        """etcd and kube-apiserver, until the latter is ready; writes the administrator's kubeconfig."""
        self._start_etcd()
        self.start_apiserver()
        self.write_kubeconfig(self.kubeconfig, "admin", "kubernetes-admin", "system:masters")

    def start_controllers(self) -> None:
        """kube-controller-manager and kube-scheduler."""
        home, pki = self.home, self.pki.home
        for name, user in (
            ("kube-controller-manager", "system:kube-controller-manager"),
            ("kube-scheduler", "system:kube-scheduler"),
        ):
            self.write_kubeconfig(home / f"{name}.kubeconfig", name, user)
        private, _ = service_account_keys(pki)
        common = ["--bind-address=127.0.0.1", "--leader-elect=false", "--secure-port=0"]
        config = home / "kube-controller-manager.kubeconfig"
        self.processes.start(
            "kube-controller-manager",
            [
                KUBE_BIN / "kube-controller-manager",
                *common,
                f"--kubeconfig={config}",
                f"--authentication-kubeconfig={config}",
                f"--authorization-kubeconfig={config}",
                "--use-service-account-credentials=true",
                f"--service-account-private-key-file={private}",
                f"--root-ca-file={self.pki.ca}",
                "--node-monitor-grace-period=20s",
            ],
        )
        config = home / "kube-scheduler.kubeconfig"
        self.processes.start(
            "kube-scheduler",
            [
                KUBE_BIN / "kube-scheduler",
                *common,
                f"--kubeconfig={config}",
                f"--authentication-kubeconfig={config}",
                f"--authorization-kubeconfig={config}",
            ],
        )

    def stop(self) -> None:
        """End all four, the API server before etcd."""
        for name in ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"):
            self.processes.stop(name)

    def ready(self) -> bool:
        """Whether the API server says so."""
        handler = urllib.request.HTTPSHandler(context=self.client_context())
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({}), handler).open(
                f"{self.url}/readyz", timeout=2
            ) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def client_context(self) -> ssl.SSLContext:
        """TLS as the administrator."""
        context = ssl.create_default_context(cafile=str(self.pki.ca))
        context.load_cert_chain(
            *self.pki.issue("admin", "kubernetes-admin", organization="system:masters", client=True)
        )
        return context

    def write_kubeconfig(self, path: Path, file: str, user: str, group: str | None = None, server: str = "") -> None:
        """A kubeconfig with a client certificate."""
        crt, key = self.pki.issue(file, user, organization=group, client=True)
        cluster = {"server": server or self.url, "certificate-authority-data": _base64(self.pki.ca)}
        identity = {"client-certificate-data": _base64(crt), "client-key-data": _base64(key)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "local", "cluster": cluster}],
            "users": [{"name": user, "user": identity}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": user}}],
            "current-context": "local",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=1))

    def _start_etcd(self) -> None:
        addresses = self.addresses
        client, peer = f"http://127.0.0.1:{addresses.etcd_port}", f"http://127.0.0.1:{addresses.etcd_peer_port}"
        # No fsync: right for tests, wrong for anything else.
        self.processes.start(
            "etcd",
            [
                ETCD_BIN,
                "--name=default",
                f"--data-dir={self.home / 'etcd'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
        )

    def start_apiserver(self) -> None:
        """kube-apiserver alone, until it is ready (etcd runs)."""
        addresses, pki = self.addresses, self.pki
        names = [f"kubernetes{suffix}" for suffix in ("", ".default", ".default.svc", ".default.svc.cluster.local")]
        hosts = [*names, "localhost", "127.0.0.1", addresses.service_ip, addresses.advertise]
        crt, key = pki.issue("apiserver", "kube-apiserver", hosts=dict.fromkeys(hosts))
        kubelet_crt, kubelet_key = pki.issue("kubelet-client", "apiserver", organization="system:masters", client=True)
        private, public = service_account_keys(pki.home)
        alone = [] if self._bind_all else ["--endpoint-reconciler-type=none"]
        self.processes.start(
            "kube-apiserver",
            [
                KUBE_BIN / "kube-apiserver",
                f"--etcd-servers=http://127.0.0.1:{addresses.etcd_port}",
                f"--bind-address={'0.0.0.0' if self._bind_all else '127.0.0.1'}",
                f"--secure-port={addresses.api_port}",
                f"--advertise-address={addresses.advertise}",
                *alone,
                f"--tls-cert-file={crt}",
                f"--tls-private-key-file={key}",
                f"--client-ca-file={pki.ca}",
                "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                f"--service-account-key-file={public}",
                f"--service-account-signing-key-file={private}",
                "--authorization-mode=Node,RBAC",
                f"--service-cluster-ip-range={addresses.services}",
                "--allow-privileged=true",
                "--enable-admission-plugins=NodeRestriction",
                f"--kubelet-client-certificate={kubelet_crt}",
                f"--kubelet-client-key={kubelet_key}",
                "--kubelet-preferred-address-types=InternalIP",
                "--profiling=false",
                *self._apiserver_flags,
            ],
        )
        try:
            wait_until(lambda: self.ready() or self._died(), 90, "kube-apiserver ready")
        except Failed as error:
            raise Failed(f"{error}; its log ends: {self.processes.tail('kube-apiserver')}") from None

    def _died(self) -> bool:
        for name in ("etcd", "kube-apiserver"):
            if not self.processes.alive(name):
                raise Failed(f"{name} ended; its log ends: {self.processes.tail(name)}")
        return False


def _base64(path: Path) -> str:
    return b64encode(path.read_bytes()).decode()
