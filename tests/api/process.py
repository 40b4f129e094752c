"""Replicas of the real operator: processes of their own, as the chart's pods are."""

import json
from typing import Any

from dev.bench.process import OperatorProcess
from tests.api.kube import AuditedApiServer, Kube


class Replica(OperatorProcess):
    """`python -m integration_operator.main`, known to the API server by a user name of its own."""

    def __init__(self, server: AuditedApiServer, kube: Kube, name: str, **settings: str) -> None:
        self.user = f"{name}-{kube.namespace}"
        self._server = server
        kubeconfig = server.home / f"{self.user}.kubeconfig"
        server.write_kubeconfig(kubeconfig, self.user, "system:masters")
        own = {"IDENTITY": self.user, "NAMESPACE": kube.namespace, "WATCH_NAMESPACES": kube.namespace}
        super().__init__(kubeconfig, server.home / f"{self.user}.log", settings={**own, **settings})

    def __enter__(self) -> "Replica":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def code(self) -> int:
        """Wait for its end."""
        assert self._process is not None
        return self._process.wait(20)

    def lines(self) -> list[dict[str, Any]]:
        """Its log, which is JSON to the last line."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def writes(self) -> list[dict[str, Any]]:
        """What the API server recorded of it, but for the lease."""
        return [
            event
            for event in self._server.written()
            if event["user"]["username"] == self.user and event["objectRef"]["resource"] != "leases"
        ]


async def holder(kube: Kube) -> str | None:
    """Who holds the lease."""
    lease = await kube.get("Lease", "integration-operator")
    return (lease["spec"].get("holderIdentity") or None) if lease else None


def connection(name: str, **spec: Any) -> dict[str, Any]:
    """A connection that is judged without a network: loopback is denied."""
    return {
        "apiVersion": "integration.threehorizons.io/v1alpha1",
        "kind": "ServiceConnection",
        "metadata": {"name": name},
        "spec": {"nats": {"host": "127.0.0.1"}, **spec},
    }
