"""What tests of the API layer do to an API server: plain requests as its administrator, and what it recorded."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from dev.apiserver import ApiServer
from integration_operator.core.model import MANAGER
from integration_operator.engine.cluster import Cluster

T = TypeVar("T")

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "verbs": ["create", "update", "patch", "delete"]}, {"level": "None"}],
}
PATHS = {
    "Widget": "/apis/integration.threehorizons.io/v1alpha1/namespaces/{}/widgets",
    "ServiceConnection": "/apis/integration.threehorizons.io/v1alpha1/namespaces/{}/serviceconnections",
    "ApiRoute": "/apis/integration.threehorizons.io/v1alpha1/namespaces/{}/apiroutes",
    "IdentityFederation": "/apis/integration.threehorizons.io/v1alpha1/namespaces/{}/identityfederations",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
    "Event": "/apis/events.k8s.io/v1/namespaces/{}/events",
}
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class AuditedApiServer(ApiServer):
    """An API server that records every write."""

    def __init__(self) -> None:
        super().__init__("--audit-policy-file={home}/audit-policy.json", "--audit-log-path={home}/audit.jsonl")
        self.record = self.home / "audit.jsonl"
        (self.home / "audit-policy.json").write_text(json.dumps(POLICY))

    def written(self) -> Iterator[dict[str, Any]]:
        """Every write so far, oldest first."""
        for line in self.record.read_text().splitlines():
            yield json.loads(line)


async def until(check: Callable[[], Awaitable[T] | T], what: str, seconds: float = 20.0) -> T:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = check()
        found = await answer if isinstance(answer, Awaitable) else answer
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(0.03)


def condition_of(found: dict[str, Any], type_: str) -> dict[str, Any]:
    """A condition of an object as it was read; empty where it has none."""
    conditions = (found.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == type_), {})


class Kube:
    """One namespace of an API server."""

    def __init__(self, server: AuditedApiServer, namespace: str) -> None:
        self.server, self.namespace = server, namespace
        self.http = httpx.AsyncClient(base_url=server.url, verify=server.client_context(), timeout=10, trust_env=False)

    async def __aenter__(self) -> "Kube":
        await self.post("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            for kind in ("Widget", "ServiceConnection", "ApiRoute", "IdentityFederation"):
                for found in await self.every(kind):
                    if found["metadata"].get("finalizers"):
                        await self.patch(kind, found["metadata"]["name"], {"metadata": {"finalizers": None}})
                    await self.delete(kind, found["metadata"]["name"])
        finally:
            await self.http.aclose()

    def path(self, kind: str, name: str | None = None) -> str:
        root = PATHS[kind].format(self.namespace)
        return f"{root}/{name}" if name else root

    async def post(self, path: str, body: Any) -> Any:
        return self._good(await self.http.post(path, json=body))

    async def create(self, *objects: dict[str, Any]) -> None:
        for obj in objects:
            await self.post(self.path(obj["kind"]), obj)

    async def get(self, kind: str, name: str) -> dict[str, Any] | None:
        answer = await self.http.get(self.path(kind, name))
        return None if answer.status_code == 404 else self._good(answer)

    async def every(self, kind: str) -> list[dict[str, Any]]:
        answer = await self.http.get(self.path(kind))
        return [] if answer.status_code == 404 else self._good(answer)["items"]

    async def patch(self, kind: str, name: str, patch: Any, sub: str = "") -> dict[str, Any]:
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = await self.http.patch(self.path(kind, name) + sub, json=patch, headers=headers)
        return self._good(answer)

    async def spec(self, name: str, **spec: Any) -> dict[str, Any]:
        """Change a widget's spec."""
        return await self.patch("Widget", name, {"spec": spec})

    async def delete(self, kind: str, name: str) -> None:
        answer = await self.http.delete(self.path(kind, name))
        assert answer.status_code in (200, 202, 404), answer.text

    async def secret(self, name: str, **data: str) -> None:
        """Create a Secret, or change it."""
        body = {"kind": "Secret", "metadata": {"name": name}, "stringData": data}
        if (await self.http.post(self.path("Secret"), json=body)).status_code == 409:
            await self.patch("Secret", name, {"stringData": data})

    async def condition(self, name: str, type_: str = "Ready", kind: str = "Widget") -> dict[str, Any]:
        """A condition of an object; empty where it has none."""
        return condition_of(await self.get(kind, name) or {}, type_)

    async def ready(self, name: str, status: str = "True", reason: str | None = None) -> dict[str, Any]:
        """Wait for a verdict on the object's present generation."""

        async def holds() -> dict[str, Any] | None:
            found = await self.get("Widget", name)
            if found is None:
                return None
            ready = condition_of(found, "Ready")
            current = ready.get("observedGeneration") == found["metadata"]["generation"]
            right = ready.get("status") == status and reason in (None, ready.get("reason"))
            return found if current and right else None

        return await until(holds, f"{name} Ready={status} {reason or ''}")

    async def text(self, name: str) -> str | None:
        """What a widget's child says; None where there is none."""
        found = await self.get("ConfigMap", name)
        return found["data"].get("text") if found else None

    async def says(self, name: str, text: str | None) -> None:
        """Wait until a widget's child says this (or is gone)."""

        async def holds() -> bool:
            return await self.text(name) == text

        await until(holds, f"ConfigMap {name} says {text!r}")

    def writes(self, *, leases: bool = False) -> list[tuple[str, str, str]]:
        """(verb, resource, name) of every write of the operator's in this namespace, as the API server recorded it."""
        found = []
        for event in self.server.written():
            ref = event.get("objectRef") or {}
            agent = event.get("userAgent", "").split("/")[0]
            if agent == MANAGER and ref.get("namespace") == self.namespace and (leases or ref["resource"] != "leases"):
                resource = "/".join(filter(None, (ref["resource"], ref.get("subresource"))))
                found.append((event["verb"], resource, ref.get("name", "")))
        return found

    @staticmethod
    def _good(answer: httpx.Response) -> Any:
        assert answer.status_code < 400, f"{answer.request.method} {answer.request.url}: {answer.text}"
        return answer.json()


async def install(server: AuditedApiServer, *crds: dict[str, Any]) -> None:
    """Install CRDs and wait until the API server serves them."""
    async with httpx.AsyncClient(base_url=server.url, verify=server.client_context(), trust_env=False) as http:
        for crd in crds:
            answer = await http.post(CRDS, json=crd)
            assert answer.status_code == 201, answer.text
    await served(server)
    await _listed(server, [path for crd in crds for path in _paths(crd)])


def _paths(crd: dict[str, Any]) -> list[str]:
    """Where the objects of a CRD are listed, in each version that is served."""
    spec = crd["spec"]
    versions = [version["name"] for version in spec["versions"] if version["served"]]
    return [f"/apis/{spec['group']}/{version}/{spec['names']['plural']}" for version in versions]


async def served(server: AuditedApiServer) -> None:
    """Wait until every kind that tests use can be listed: a started API server is ready before that."""
    await _listed(server, [path.replace("/namespaces/{}", "") for path in PATHS.values()])


async def _listed(server: AuditedApiServer, paths: list[str]) -> None:
    async with httpx.AsyncClient(base_url=server.url, verify=server.client_context(), trust_env=False) as http:
        for path in paths:

            async def answers(path: str = path) -> bool:
                return (await http.get(path)).status_code == 200

            await until(answers, path)


def generated(root: Path = Path("crds")) -> list[dict[str, Any]]:
    """The CRDs of the product."""
    return [yaml.safe_load(path.read_text()) for path in sorted(root.glob("*.yaml"))]


async def connect(server: AuditedApiServer, url: str | None = None) -> Cluster:
    """The operator's own connection; through `url` (a proxy of the test) where given."""
    if url is None:
        return await Cluster.connect(str(server.kubeconfig))
    config = yaml.safe_load(server.kubeconfig.read_text())
    config["clusters"][0]["cluster"] = {"server": url}
    config["users"][0]["user"] = {}
    path = server.home / f"kubeconfig-{url.rpartition(':')[2]}"
    path.write_text(yaml.safe_dump(config))
    return await Cluster.connect(str(path))
