"""The one cluster that all end-to-end tests share: each works in a namespace, and on host names, of its own."""

import json
import os
import ssl
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
import yaml

from dev import clusters, outside, stack
from dev.build import locked
from dev.processes import Failed

API = "integration.threehorizons.io/v1alpha1"


class Client:
    """kubectl and a few looks, against the shared cluster."""

    def __init__(self, cluster: clusters.Cluster) -> None:
        self.cluster = cluster
        self.kubeconfig = cluster.kubeconfig

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl; Failed with its words where it fails."""
        return self.cluster.kubectl(*arguments, stdin=stdin)

    def apply(self, namespace: str, *manifests: Mapping[str, Any] | str) -> None:
        """Apply manifests (mappings, or YAML text) in a namespace."""
        documents = [m if isinstance(m, str) else yaml.safe_dump(dict(m)) for m in manifests]
        self.kubectl("-n", namespace, "apply", "-f", "-", stdin="\n---\n".join(documents))

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """An object, None where it is not there."""
        text = self.kubectl("-n", namespace, "get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def connects(self, namespace: str, pod: str, host: str, port: int) -> bool:
        """Whether a pod resolves a name and gets a TCP connection to it."""
        code = f"import socket; socket.create_connection(({host!r}, {port}), 2).close(); print('open')"
        try:
            return self.kubectl("-n", namespace, "exec", pod, "--", "python3", "-c", code).strip() == "open"
        except Failed:
            return False

    def condition(self, kind: str, namespace: str, name: str, type_: str = "Ready") -> dict[str, str]:
        """A condition of the object's present generation; empty while there is none."""
        found = self.get(kind, namespace, name) or {}
        generation = (found.get("metadata") or {}).get("generation")
        for condition in (found.get("status") or {}).get("conditions") or ():
            if condition["type"] == type_ and condition.get("observedGeneration") == generation:
                return dict(condition)
        return {}

    def until(self, what: str, check: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Ask until the answer is true; that answer."""
        deadline = time.monotonic() + seconds
        while not (answer := check()):
            assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
            time.sleep(0.2)
        return answer

    def until_condition(
        self,
        kind: str,
        namespace: str,
        name: str,
        status: str,
        reason: str | None = None,
        type_: str = "Ready",
        seconds: float = 90.0,
    ) -> dict[str, str]:
        """Wait for a condition; its last state is in the failure."""
        deadline = time.monotonic() + seconds
        while True:
            now = self.condition(kind, namespace, name, type_)
            if now.get("status") == status and (reason is None or now.get("reason") == reason):
                return now
            if time.monotonic() > deadline:
                whole = (self.get(kind, namespace, name) or {}).get("status")
                wanted = f"{type_}={status} {reason or ''}"
                raise AssertionError(f"{kind} {namespace}/{name}: not {wanted} within {seconds:.0f} s, but {whole}")
            time.sleep(0.2)


class Gateway:
    """The operator's Gateway, as a caller outside the cluster reaches it."""

    def __init__(self, entrance: stack.Entrance) -> None:
        self.entrance = entrance
        self._tls = ssl.create_default_context(cadata=entrance.ca)

    def client(self, **options: Any) -> httpx.Client:
        """A client that trusts the Gateway's CA; each request names its host by `ask`."""
        return httpx.Client(verify=self._tls, trust_env=False, timeout=10, **options)

    def ask(
        self, host: str, path: str = "/", method: str = "GET", client: httpx.Client | None = None, **more: Any
    ) -> httpx.Response:
        """One request over TLS for a host name (as SNI and Host), on a new connection unless a client is given."""
        headers = {"Host": host, **more.pop("headers", {})}
        url = f"https://{self.entrance.address}:{self.entrance.port}{path}"
        if client is not None:
            return client.request(method, url, headers=headers, extensions={"sni_hostname": host}, **more)
        with self.client() as one:
            return one.request(method, url, headers=headers, extensions={"sni_hostname": host}, **more)


@pytest.fixture(scope="session")
def client() -> Client:
    """The shared cluster: `make test-e2e` brings it up; by hand it is that of CLUSTER_NAME."""
    return Client(clusters.choose(os.environ.get("CLUSTER_NAME", "dev")))


@pytest.fixture(scope="session")
def gateway(client: Client) -> Gateway:
    """The operator's Gateway."""
    return Gateway(stack.entrance(client.cluster))


@pytest.fixture(scope="session")
def systems(client: Client) -> outside.Outside:
    """The outside systems, up; whoever comes first starts them, `make test-e2e` ends them."""
    with locked("outside"):
        found = outside.of(os.environ.get("CLUSTER_NAME", "dev"))
        found.start()
    return found


@pytest.fixture
def namespace(client: Client) -> Iterator[str]:
    """A namespace of this test alone; its end is not waited for."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    client.kubectl("create", "namespace", name)
    yield name
    try:
        client.kubectl("delete", "namespace", name, "--wait=false")
    except (Failed, subprocess.SubprocessError):
        return


@pytest.fixture
def host(namespace: str) -> str:
    """A host name of this test alone, covered by the Gateway's certificate."""
    return f"{namespace}.example.com"


ECHO_CONTAINER: dict[str, Any] = {
    "name": "echo",
    "image": "localhost/echo:1",
    "imagePullPolicy": "IfNotPresent",
    "ports": [{"containerPort": 8080}],
    "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
}


def echo(name: str, replicas: int = 1) -> list[dict[str, Any]]:
    """A backend that answers what it was asked: Deployment and Service (port 8080) of one name."""
    labels = {"app": name}
    container = {**ECHO_CONTAINER, "env": [{"name": "ECHO_NAME", "value": name}]}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": labels, "ports": [{"port": 8080}]},
    }
    return [deployment, service]


def looking_pod(name: str) -> dict[str, Any]:
    """A pod to look around from, by `Client.connects`: the operator's image has Python."""
    container = {
        "name": "main",
        "image": "localhost/integration-operator:dev",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", "import signal; signal.pause()"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }


def connection(name: str, **spec: Any) -> dict[str, Any]:
    """A ServiceConnection that is probed every second."""
    check = {"interval": "1s", "timeout": "1s", "failureThreshold": 2}
    return {
        "apiVersion": API,
        "kind": "ServiceConnection",
        "metadata": {"name": name},
        "spec": {"healthCheck": check, **spec},
    }


def api_route(name: str, host: str, **spec: Any) -> dict[str, Any]:
    """An ApiRoute with sane parts where the test says nothing."""
    versions = [{"name": "v1", "backends": [{"serviceRef": {"name": "echo", "port": 8080}}]}]
    base = {"hostnames": [host], "basePath": "/api", "auth": {"anonymous": True}, "versions": versions}
    return {"apiVersion": API, "kind": "ApiRoute", "metadata": {"name": name}, "spec": {**base, **spec}}
