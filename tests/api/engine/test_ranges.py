"""What the cluster calls its own is denied, and stays so while it changes and while it can't be read."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiohttp import web

from integration_operator.core.addresses import AddressRules
from integration_operator.core.plan import Outcome
from integration_operator.engine import metrics, ranges
from integration_operator.engine.cluster import Cluster
from integration_operator.engine.ranges import SOURCES, read
from tests.api.conftest import Operating, Operator
from tests.api.engine.widgets import widget
from tests.api.kube import AuditedApiServer, Kube, connect, until
from tests.api.proxy import Proxy, status

NODES = "/api/v1/nodes"


@contextlib.asynccontextmanager
async def node(kube: Kube, address: str, *pods: str) -> AsyncIterator[str]:
    """A node, as its kubelet would announce it."""
    name = f"node-{uuid.uuid4().hex[:6]}"
    spec: dict[str, Any] = {"podCIDR": pods[0], "podCIDRs": pods} if pods else {}
    await kube.post(NODES, {"metadata": {"name": name}, "spec": spec})
    addresses = [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]
    headers = {"Content-Type": "application/merge-patch+json"}
    await kube.http.patch(f"{NODES}/{name}/status", json={"status": {"addresses": addresses}}, headers=headers)
    try:
        yield name
    finally:
        await kube.http.delete(f"{NODES}/{name}")


@contextlib.asynccontextmanager
async def endpoints(kube: Kube, *addresses: str) -> AsyncIterator[None]:
    """Of the API server: the one of these tests listens on loopback, of which it tells nobody."""
    name = f"kubernetes-{uuid.uuid4().hex[:6]}"
    labels = {"kubernetes.io/service-name": "kubernetes"}
    one = {"metadata": {"name": name, "labels": labels}, "addressType": "IPv4"}
    await kube.post(ranges.ENDPOINTS, {**one, "endpoints": [{"addresses": [a]} for a in addresses], "ports": []})
    try:
        yield
    finally:
        await kube.http.delete(f"{ranges.ENDPOINTS}/{name}")


async def test_each_source_is_read_from_a_real_api_server(server: AuditedApiServer, kube: Kube) -> None:
    cluster = await connect(server)
    try:
        async with node(kube, "192.0.2.7", "10.91.0.0/24", "fd91::/64"), endpoints(kube, "192.0.2.100", "192.0.2.101"):
            found = {source: await read(cluster, source) for source in SOURCES}
    finally:
        await cluster.close()
    texts = {source: {str(n) for n in one.networks} for source, one in found.items()}
    service = await kube.http.get("/api/v1/namespaces/default/services/kubernetes")
    (services,) = texts["Services"]
    assert AddressRules.of(deny=[services]).permit(service.json()["spec"]["clusterIP"]) is False
    assert texts["API server's endpoints"] >= {"192.0.2.100/32", "192.0.2.101/32"}
    assert texts["nodes and their pods"] >= {"192.0.2.7/32", "10.91.0.0/24", "fd91::/64"}
    assert not found["Services"].unknown
    assert not found["API server's endpoints"].unknown


async def test_a_node_that_tells_no_pod_ranges_is_told_of(server: AuditedApiServer, kube: Kube) -> None:
    cluster = await connect(server)
    try:
        async with node(kube, "192.0.2.8"):
            found = await read(cluster, "nodes and their pods")
    finally:
        await cluster.close()
    assert "1 nodes don't tell" in found.unknown
    assert "192.0.2.8/32" in {str(n) for n in found.networks}


async def test_who_may_not_read_them_is_told_so(server: AuditedApiServer) -> None:
    path = server.home / "nobody.kubeconfig"
    server.write_kubeconfig(path, "nobody")
    cluster = await Cluster.connect(str(path))
    try:
        found = {source: await read(cluster, source) for source in SOURCES if source != "API server's Service"}
    finally:
        await cluster.close()
    assert all("cannot list" in one.unknown and not one.networks for one in found.values())


def permitted(op: Operator, address: str) -> bool:
    """As the engine's own drivers would ask."""
    return op.scripted.rules.permit(address)


async def test_a_node_that_comes_is_denied_and_one_that_goes_is_not(
    kube: Kube, operator: Operating, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "REFRESH_SECONDS", 0.2)
    async with operator(deny_cluster=True, addresses=AddressRules.of(allow=["192.0.2.10/32"])) as op:
        assert permitted(op, "192.0.2.9")
        async with node(kube, "192.0.2.9", "10.92.0.0/24"):
            await until(lambda: not permitted(op, "192.0.2.9"), "its address is denied")
            assert not permitted(op, "10.92.0.17")
            assert not permitted(op, "::ffff:10.92.0.17")
            async with node(kube, "192.0.2.10", "10.93.0.0/24"):
                await until(lambda: not permitted(op, "10.93.0.1"), "the other's pods are denied")
                assert permitted(op, "192.0.2.10"), "what the platform allows wins"
        await until(lambda: permitted(op, "192.0.2.9"), "the address is nobody's any more")


async def test_no_connection_is_made_before_they_are_known(
    kube: Kube, operator: Operating, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "FIRST_AGAIN_SECONDS", 0.1)
    asked = []

    def fault(request: web.Request) -> web.Response | None:
        if request.path != NODES:
            return None
        asked.append(request.path)
        return status(500, "etcdserver: request timed out")

    proxy.fault = fault
    await kube.create(widget("one", probe="system"))
    async with node(kube, "192.0.2.11", "10.94.0.0/24"), operator(url=proxy.url, deny_cluster=True) as op:
        op.scripted.answers["system"] = Outcome(True, "Connected")
        await until(lambda: len(asked) >= 3 and op.engine.known.is_set(), "it tries again and again")
        async with httpx.AsyncClient(base_url=op.url, trust_env=False) as http:
            assert (await http.get("/healthz")).status_code == 200
        assert op.scripted.asked == []
        proxy.fault = lambda _: None
        await kube.ready("one")
        assert not permitted(op, "10.94.0.1")


async def test_what_can_not_be_read_any_more_stays_denied(
    kube: Kube, operator: Operating, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "REFRESH_SECONDS", 0.2)
    monkeypatch.setattr(ranges, "FIRST_AGAIN_SECONDS", 0.1)
    async with node(kube, "192.0.2.12", "10.95.0.0/24"), operator(url=proxy.url, deny_cluster=True) as op:
        await until(lambda: not permitted(op, "10.95.0.1"), "its pods are denied")
        for code in (500, 403):
            asked: list[str] = []

            def fault(request: web.Request, code: int = code, asked: list[str] = asked) -> web.Response | None:
                if request.path != NODES:
                    return None
                asked.append(request.path)
                return status(code, "nodes is forbidden: cannot list")

            proxy.fault = fault
            await until(lambda asked=asked: len(asked) >= 3, "it was read again in vain")
            assert not permitted(op, "10.95.0.1")
        unknown = metrics.unknown_networks.labels("nodes and their pods")
        assert unknown._value.get() == 1
        proxy.fault = lambda _: None
        await until(lambda: unknown._value.get() == 0, "all is known again")
