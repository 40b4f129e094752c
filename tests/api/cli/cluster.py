"""An API server with our kinds, Gateway API's and Envoy Gateway's, and the plug-in run by kubectl against it."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import yaml

from dev.apiserver import ApiServer
from dev.controlplane import free_ports
from dev.crds import gateway_crds
from dev.processes import wait_until
from dev.versions import KUBECTL, ROOT
from integration_operator import registry
from integration_operator.core.addresses import AddressRules
from integration_operator.core.crd import crd
from integration_operator.engine import handlers
from integration_operator.engine.cluster import Cluster
from integration_operator.engine.engine import Engine
from integration_operator.main import running
from integration_operator.registry.drivers import DRIVERS
from integration_operator.settings import Settings
from tests.api.kube import AuditedApiServer, until
from tests.unit.cli.support import Ended

SYSTEM = "integration-system"
CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"
LOOPBACK = ("127.0.0.0/8", "::1/128")


class Server(AuditedApiServer):
    """Records what is applied, whole."""

    def __init__(self) -> None:
        super().__init__()
        rules = [{"level": "Request", "verbs": ["create", "patch"]}, {"level": "None"}]
        policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": rules}
        (self.home / "audit-policy.json").write_text(json.dumps(policy))

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl as the administrator; its words where it fails."""
        done = subprocess.run(
            [KUBECTL, f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def apply(self, *manifests: Any) -> None:
        """Apply manifests, with their status where they have one."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
        for manifest in manifests:
            if "status" in manifest:
                meta = manifest["metadata"]
                place = ["-n", meta["namespace"]] if "namespace" in meta else []
                patch = json.dumps({"status": manifest["status"]})
                kind = f"{manifest['kind'].lower()}.{manifest['apiVersion'].rpartition('/')[0]}".rstrip(".")
                self.kubectl(*place, "patch", kind, meta["name"], "--subresource=status", "--type=merge", "-p", patch)

    def plugin(self, *arguments: str | Path, kubeconfig: Path | None = None, stdin: str | None = None) -> Ended:
        """`kubectl integrations …`, found by kubectl on the PATH."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            [KUBECTL, "integrations", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env={**os.environ, "PATH": path, "KUBECONFIG": str(kubeconfig or self.kubeconfig)},
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def account(self, place: str, name: str, *rights: tuple[str, str, str]) -> Path:
        """The kubeconfig of a new service account that may do (verbs, groups, resources), and nothing else."""
        self.kubectl("-n", place, "create", "serviceaccount", name)
        rules = [
            {"verbs": verbs.split(","), "apiGroups": groups.split(","), "resources": resources.split(",")}
            for verbs, groups, resources in rights
        ]
        rbac, meta = "rbac.authorization.k8s.io", {"name": f"{place}-{name}"}
        subjects = [{"kind": "ServiceAccount", "name": name, "namespace": place}]
        role = {"apiGroup": rbac, "kind": "ClusterRole", "name": meta["name"]}
        self.apply(
            {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": meta, "rules": rules},
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": meta,
                "roleRef": role,
                "subjects": subjects,
            },
        )
        config = yaml.safe_load(self.kubeconfig.read_text())
        token = self.kubectl("-n", place, "create", "token", name).strip()
        config["users"][0]["user"] = {"token": token}
        path = self.home / f"{meta['name']}.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    def install(self) -> None:
        """All CRDs, the operator's namespace, and a Gateway as Envoy Gateway would have it."""
        self.apply(*(crd(kind) for kind in registry.KINDS), *gateway_crds())
        self.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        wait_until(self._serves_all, 60, "every kind is served")
        self.apply(namespace(SYSTEM), *gateway())

    def _serves_all(self) -> bool:
        """A new kind is announced a moment before it can be listed."""
        names = self.kubectl("get", "crd", "-o", "name").replace("customresourcedefinition.apiextensions.k8s.io/", "")
        command = [KUBECTL, f"--kubeconfig={self.kubeconfig}", "get", ",".join(names.split()), "-A"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def namespace(name: str, **labels: str) -> dict[str, Any]:
    """A Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def secret(place: str, name: str, **texts: str) -> dict[str, Any]:
    """A Secret of texts."""
    data = {k: b64encode(v.encode()).decode() for k, v in texts.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": place}, "data": data}


def gateway() -> list[dict[str, Any]]:
    """The operator's own Gateway, with the status that its controller would write: none runs here."""
    listener = {
        "name": "https",
        "protocol": "HTTPS",
        "port": 443,
        "tls": {"certificateRefs": [{"name": "gateway-tls"}]},
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    good = {"status": "True", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}
    conditions = [{**good, "type": type_, "reason": type_} for type_ in ("Accepted", "Programmed")]
    return [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": "integration-operator"},
            "spec": {"controllerName": CONTROLLER},
            "status": {"conditions": conditions[:1]},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "public", "namespace": SYSTEM},
            "spec": {"gatewayClassName": "integration-operator", "listeners": [listener]},
            "status": {"conditions": conditions},
        },
    ]


@contextlib.asynccontextmanager
async def operating(server: ApiServer) -> AsyncIterator[Engine]:
    """The product's operator with all its kinds and drivers, in this process; loopback stands for the outside."""
    (port,) = free_ports(1)
    rules = AddressRules.of(allow=LOOPBACK)
    settings = Settings(addresses=rules, identity=f"test-{port}", host="127.0.0.1", port=port)
    cluster = await Cluster.connect(str(server.kubeconfig))
    stop = asyncio.Event()
    async with running(cluster, settings, registry.KINDS, DRIVERS) as engine:
        watching = asyncio.create_task(handlers.watch(engine, cluster, registry.KINDS, settings, stop))
        try:
            await until(lambda: engine.known.is_set(), "the operator knows all objects")
            yield engine
        finally:
            stop.set()
            await watching
