"""What the operator finds on an API server: CRDs, a Gateway that no controller serves, Services, and many ApiRoutes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from dev.crds import gateway_crds
from integration_operator.core.crd import crd
from integration_operator.core.model import API_VERSION, MANAGER
from integration_operator.drivers.gateways.envoy_gateway import EnvoyGateway
from integration_operator.engine.cluster import APPLY, Cluster, NotFound
from integration_operator.registry import KINDS

T = TypeVar("T")

CONCURRENCY = 16
"""Writes at once, of the operator (its default), the bare client and the bench alike."""
SYSTEM = "integration-system"
ROUTE_API = "gateway.networking.k8s.io/v1"


@asynccontextmanager
async def connect(kubeconfig: Path) -> AsyncIterator[Cluster]:
    """The operator's own client, as administrator."""
    cluster = await Cluster.connect(str(kubeconfig))
    try:
        yield cluster
    finally:
        await cluster.close()


async def each(items: Iterable[T], action: Callable[[T], Awaitable[object]]) -> None:
    """Do it for all of them, CONCURRENCY at once."""
    queue = iter(items)

    async def work() -> None:
        for item in queue:
            await action(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(work())


async def _apply(cluster: Cluster, manifest: dict[str, Any]) -> None:
    meta = manifest["metadata"]
    path = await cluster.path(manifest["apiVersion"], manifest["kind"], meta.get("namespace"), meta["name"])
    params = {"fieldManager": MANAGER, "force": "true"}
    await cluster.request("PATCH", path, params=params, body=manifest, content_type=APPLY)


async def install(cluster: Cluster, more: Iterable[dict[str, Any]] = ()) -> None:
    """CRDs until they are served, and the operator's own Gateway with a listener for every namespace."""
    definitions = [*map(crd, KINDS), *gateway_crds(), *more]
    await each(definitions, lambda definition: _apply(cluster, definition))
    for definition in definitions:
        await _served(cluster, definition["spec"])
    await namespace(cluster, SYSTEM)
    tls = {"certificateRefs": [{"name": "public-tls"}]}
    listener = {"name": "https", "port": 443, "protocol": "HTTPS", "tls": tls}
    listener["allowedRoutes"] = {"namespaces": {"from": "All"}}
    for kind, name, spec in (
        ("GatewayClass", "envoy", {"controllerName": EnvoyGateway.name}),
        ("Gateway", "public", {"gatewayClassName": "envoy", "listeners": [listener]}),
    ):
        meta = {"name": name, **({"namespace": SYSTEM} if kind == "Gateway" else {})}
        await _apply(cluster, {"apiVersion": ROUTE_API, "kind": kind, "metadata": meta, "spec": spec})


async def _served(cluster: Cluster, spec: dict[str, Any]) -> None:
    version = next(v["name"] for v in spec["versions"] if v["served"])
    async with asyncio.timeout(60):
        while True:
            try:
                found = await cluster.request("GET", f"/apis/{spec['group']}/{version}")
                if any(r["kind"] == spec["names"]["kind"] for r in found["resources"]):
                    return
            except NotFound:
                pass
            await asyncio.sleep(0.05)


async def namespace(cluster: Cluster, name: str) -> None:
    """A namespace."""
    await _apply(cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def service(name: str, where: str) -> dict[str, Any]:
    """A Service without pods."""
    spec = {"selector": {"app": name}, "ports": [{"port": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": where}, "spec": spec}


def route(number: int, where: str) -> dict[str, Any]:
    """An ApiRoute with two versions, one of them deprecated."""
    backends = [{"serviceRef": {"name": "orders", "port": 8080}}]
    return {
        "apiVersion": API_VERSION,
        "kind": "ApiRoute",
        "metadata": {"name": f"api-{number:05}", "namespace": where, "labels": {"app.kubernetes.io/part-of": "bench"}},
        "spec": {
            "displayName": f"API {number}",
            "owner": {"team": "checkout", "email": "checkout@example.com"},
            "hostnames": [f"{where}.example.com"],
            "basePath": f"/api-{number:05}",
            "auth": {"anonymous": True},
            "versions": [
                {
                    "name": "v1",
                    "lifecycle": "Deprecated",
                    "deprecatedAt": "2026-01-01T00:00:00Z",
                    "successor": "v2",
                    "backends": backends,
                },
                {"name": "v2", "backends": backends},
            ],
        },
    }


async def load(cluster: Cluster, count: int, where: str) -> None:
    """So many ApiRoutes in a namespace of their own, as kubectl create would make them."""
    await namespace(cluster, where)
    await _apply(cluster, service("orders", where))
    path = await cluster.path(API_VERSION, "ApiRoute", where)
    await each((route(n, where) for n in range(count)), lambda body: cluster.request("POST", path, body=body))


async def items(cluster: Cluster, api_version: str, kind: str, where: str | None = None) -> list[dict[str, Any]]:
    """All objects of a kind, with the apiVersion and kind that a list leaves out."""
    path = await cluster.path(api_version, kind, where)
    found = [item async for page, _ in cluster.list_pages(path, {}, metadata_only=False) for item in page]
    return [{"apiVersion": api_version, "kind": kind, **item} for item in found]
