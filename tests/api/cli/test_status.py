"""`kubectl integrations status`: objects as a real operator left them."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from integration_operator.core.model import API_VERSION
from tests.api.cli.cluster import CONTROLLER, Server, namespace, operating
from tests.api.cli.test_diff import READ, route, service
from tests.api.kube import until


@asynccontextmanager
async def api() -> AsyncIterator[str]:
    """An HTTP API on loopback, and its URL."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "localhost", 0).start()
    try:
        yield f"http://localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def connection(place: str, name: str, url: str, **spec: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/part-of": "shop"}
    return {
        "apiVersion": API_VERSION,
        "kind": "ServiceConnection",
        "metadata": {"name": name, "namespace": place, "labels": labels},
        "spec": {"http": {"url": url}, "allowInsecure": True, **spec},
    }


@pytest.fixture
async def place(server: Server) -> str:
    """A namespace with a connection that works, one whose Secret is missing, and a route that its gateway refused."""
    place = f"status-{uuid.uuid4().hex[:6]}"
    missing = {"bearer": {"tokenRef": {"name": "nowhere", "key": "token"}}}
    async with api() as url:
        objects = [
            connection(place, "up", url),
            connection(place, "down", url, credentials=missing),
            service(place),
            route(place),
        ]
        await asyncio.to_thread(server.apply, namespace(place), *objects)
        async with operating(server) as engine:

            def judged() -> bool:
                reasons = {s["name"]: s["reason"] for s in server.plugin("status", "-n", place, "-o", "json").json}
                return engine.quiet and reasons == {"up": "Connected", "down": "RefNotFound", "orders": "Pending"}

            await until(lambda: asyncio.to_thread(judged), "all objects are judged", 60)
    (parent,) = json.loads(server.kubectl("-n", place, "get", "httproute", "orders", "-o", "json"))["spec"][
        "parentRefs"
    ]
    refused = {
        "type": "Accepted",
        "status": "False",
        "reason": "NoMatchingParent",
        "message": "no listener takes it",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    said = {"parentRef": parent, "controllerName": CONTROLLER, "conditions": [refused]}
    patch = json.dumps({"status": {"parents": [said]}})
    server.kubectl("-n", place, "patch", "httproute", "orders", "--subresource=status", "--type=merge", "-p", patch)
    return place


async def test_objects_with_their_conditions_and_children(server: Server, place: str) -> None:
    ended = server.plugin("status", "-n", place)
    assert ended.code == 1
    assert (
        ended.out
        == f"""\
shop
├── ServiceConnection {place}/down  Ready=False RefNotFound
│   ├── Secret nowhere does not exist
│   ├── ResolvedRefs=False RefNotFound
│   └── Accepted=True
└── ServiceConnection {place}/up  Ready=True Connected
    ├── Accepted=True, ResolvedRefs=True, CredentialsValid=True, Reachable=True
    └── Secret up-binding
ApiRoute {place}/orders  Ready=Unknown Pending
├── waiting for the gateway to take this generation
├── Programmed=Unknown Pending
├── Reachable=Unknown Pending: probed once the gateway has taken it
├── Accepted=True, ResolvedRefs=True
└── HTTPRoute orders
    └── Accepted=False NoMatchingParent: no listener takes it

1 ready, 1 not ready, 1 not known
"""
    )


async def test_one_that_is_ready_ends_well_until_a_change_that_nobody_has_judged(server: Server, place: str) -> None:
    ended = server.plugin("status", "up", "-n", place, "-k", "svcconn", "-o", "json", "--wait", "30s")
    assert ended.code == 0
    (one,) = ended.json
    assert (one["kind"], one["ready"], one["partOf"]) == ("ServiceConnection", "True", "shop")
    assert one["children"] == [{"kind": "Secret", "name": "up-binding", "problems": []}]
    everywhere = server.plugin("status", "-A", "-o", "json")
    assert (place, "up") in {(s["namespace"], s["name"]) for s in everywhere.json}

    reader = server.account(place, "reader", READ)
    partial = server.plugin("status", "up", "-n", place, kubeconfig=reader)
    assert f"ServiceConnection {place}/up" in partial.out
    assert "without the right to list ConfigMap, NetworkPolicy, Secret: these children are not shown" in partial.err

    patch = json.dumps({"spec": {"description": "changed"}})
    server.kubectl("-n", place, "patch", "svcconn", "up", "--type=merge", "-p", patch)
    stale = server.plugin("status", "up", "-n", place, "-o", "json", "--wait", "1s")
    assert stale.code == 1
    assert [(s["ready"], s["reason"]) for s in stale.json] == [("Unknown", "Stale")]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("nothing", "-n", "default"), 1, "no integration named nothing in namespace default"),
        (("-n", "nowhere"), 0, "no integration in namespace nowhere"),
        (("-k", "pod"), 1, "no kind pod: there are ApiRoute, "),
        (("--wait", "PT5S"), 1, "write a duration in Go style"),
        (("--context", "none"), 1, "no way to the cluster"),
    ],
)
def test_what_is_not_there_is_one_line(server: Server, arguments: tuple[str, ...], code: int, says: str) -> None:
    ended = server.plugin("status", *arguments)
    assert ended.code == code
    assert says in ended.err
    assert len(ended.err.splitlines()) == 1
