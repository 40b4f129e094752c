"""The API server goes and comes, refuses and forgets: nothing is lost, and nothing is written twice."""

import asyncio
import time
from collections import Counter

import httpx
import pytest
from aiohttp import web

from integration_operator.core.ports import Key
from integration_operator.engine import engine
from tests.api.conftest import Operating, Operator
from tests.api.engine.widgets import GADGET, GADGET_CRD, WIDGET, widget
from tests.api.kube import AuditedApiServer, Kube, install, served, until
from tests.api.proxy import Proxy, status

LONG = 60.0


@pytest.fixture(autouse=True)
def counted_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "COUNT_SECONDS", 2.0)


async def restart(server: AuditedApiServer, *, hard: bool = True) -> None:
    await asyncio.to_thread(server.stop_apiserver, hard)
    await asyncio.to_thread(server.start_apiserver)
    await served(server)


async def forgotten(op: Operator, key: Key, seconds: float = LONG) -> None:
    await until(lambda: op.engine.objects.uid(key) is None, f"{key} is forgotten", seconds)


async def test_the_api_server_is_killed_and_started_again(
    server: AuditedApiServer, kube: Kube, operator: Operating
) -> None:
    async with operator() as op:
        await kube.create(widget("one", text="before", policy=True))
        await kube.ready("one")
        await op.quiet()
        before = kube.writes()
        await restart(server)
        await kube.create(widget("two", text="after"))
        await kube.spec("one", text="after")
        for name in ("one", "two"):

            async def healed(name: str = name) -> bool:
                return await kube.text(f"{name}-0") == "after"

            await until(healed, f"{name} is reconciled", LONG)
            await kube.ready(name)
        await op.quiet()
        again = Counter(kube.writes()) - Counter(before)
        assert again[("patch", "configmaps", "one-0")] == 1
        assert ("patch", "networkpolicies", "one") not in again, "what did not change is not written again"


async def test_what_happens_while_the_operator_sees_nothing(kube: Kube, operator: Operating, proxy: Proxy) -> None:
    async with operator(url=proxy.url) as op:
        await kube.create(
            widget("changed", text="old"), widget("deleted", text="x"), widget("kept", text="x", copies=2)
        )
        for name in ("changed", "deleted", "kept"):
            await kube.ready(name)
        await proxy.cut()
        await kube.create(widget("created", text="new"))
        await kube.spec("changed", text="new")
        await kube.delete("Widget", "deleted")
        await kube.patch("ConfigMap", "kept-0", {"data": {"text": "edited"}})
        await kube.delete("ConfigMap", "kept-1")
        proxy.mend()

        async def healed() -> bool:
            texts = [await kube.text(f"{n}-0") for n in ("created", "changed", "kept")]
            return texts == ["new", "new", "x"] and await kube.text("kept-1") == "x"

        await until(healed, "all is as planned", LONG)
        await forgotten(op, Key("Widget", kube.namespace, "deleted"))


async def test_a_long_outage_costs_leadership_and_nothing_else(kube: Kube, operator: Operating, proxy: Proxy) -> None:
    async with operator(url=proxy.url, lease_seconds=4, renew_seconds=3, retry_seconds=1) as op:
        await kube.create(widget("one", text="old"))
        await kube.ready("one")
        await proxy.cut()
        await until(lambda: not op.engine.leadership.leads, "leadership is given up")
        await kube.spec("one", text="new")
        assert await kube.text("one-0") == "old"
        proxy.mend()
        await until(lambda: op.engine.leadership.leads, "it leads again", LONG)

        async def healed() -> bool:
            return await kube.text("one-0") == "new"

        await until(healed, "the change is applied", LONG)


async def test_410_gone_with_everything_deleted_meanwhile(
    server: AuditedApiServer, kube: Kube, operator: Operating, proxy: Proxy
) -> None:
    """After a restart the API server's watch cache begins anew: older versions are gone, really."""
    async with operator(url=proxy.url) as op:
        await kube.create(widget("one", text="old"), widget("two", text="x"))
        await kube.ready("one")
        await kube.ready("two")
        await proxy.cut()
        await kube.delete("Widget", "two")
        await kube.delete("ConfigMap", "two-0")
        await kube.spec("one", text="new")
        await restart(server)
        proxy.mend()

        async def healed() -> bool:
            return await kube.text("one-0") == "new"

        await until(healed, "the change is applied", LONG)
        await forgotten(op, Key("Widget", kube.namespace, "two"))
        assert proxy.gone > 0
        assert await kube.get("ConfigMap", "two-0") is None, "nobody made it again"


async def test_the_last_object_of_a_kind_goes_unseen(
    server: AuditedApiServer, kube: Kube, operator: Operating, proxy: Proxy
) -> None:
    """A listing that is empty brings no event at all."""
    async with operator(url=proxy.url, watch_namespaces=(kube.namespace,)) as op:
        await kube.create(widget("one", text="x"))
        await kube.ready("one")
        await proxy.cut()
        await kube.delete("Widget", "one")
        await restart(server)
        proxy.mend()
        await forgotten(op, Key("Widget", kube.namespace, "one"))


async def test_a_dead_watch_loses_no_creation_and_no_deletion(kube: Kube, operator: Operating, proxy: Proxy) -> None:
    async with operator(url=proxy.url) as op:
        await kube.create(widget("old", text="x"))
        await kube.ready("old")
        proxy.freeze()
        await kube.delete("Widget", "old")
        await kube.create(widget("new", text="x"), widget("newer", text="x"))
        await forgotten(op, Key("Widget", kube.namespace, "old"))
        await until(lambda: op.engine.objects.uid(Key("Widget", kube.namespace, "new")), "it is known", LONG)
        await kube.ready("new")
        proxy.thaw()


async def test_429_is_waited_for_as_long_as_asked(kube: Kube, operator: Operating, proxy: Proxy) -> None:
    tries: list[float] = []

    def busy(request: web.Request) -> web.Response | None:
        if request.method != "PATCH" or "/configmaps/" not in request.path:
            return None
        tries.append(time.monotonic())
        return status(429, "too many requests", Retry_After="2") if len(tries) == 1 else None

    async with operator(url=proxy.url):
        proxy.fault = busy
        await kube.create(widget("one", text="x"))
        await kube.ready("one")
        assert len(tries) == 2, "it did not ask again before it was told to"
        assert await kube.text("one-0") == "x"


async def test_errors_and_conflicts_pass(kube: Kube, operator: Operating, proxy: Proxy) -> None:
    answers = [
        status(500, "etcdserver: request timed out"),
        status(503, "the server is shutting down"),
        status(409, "the object has been modified"),
        status(504, "gateway timeout"),
    ]
    seen: Counter[str] = Counter()

    def faults(request: web.Request) -> web.Response | None:
        part = request.path.rpartition("/")[2]
        what = f"{request.method} {'status' if part == 'status' else 'child'}"
        if request.method != "PATCH" or seen[what] >= len(answers):
            return None
        seen[what] += 1
        answer = answers[seen[what] - 1]
        return web.Response(status=answer.status, body=answer.body, content_type="application/json")

    async with operator(url=proxy.url):
        proxy.fault = faults
        await kube.create(widget("one", text="x"), widget("two", text="x"))
        await until(lambda: seen["PATCH status"] and seen["PATCH child"] >= len(answers), "all faults were met", LONG)
        for name in ("one", "two"):

            async def healed(name: str = name) -> bool:
                return (await kube.condition(name)).get("reason") == "Made"

            await until(healed, f"{name} is ready", LONG)


async def test_a_conflict_on_the_finalizer_is_tried_again_on_what_is_there_now(
    kube: Kube, operator: Operating, proxy: Proxy
) -> None:
    changed = False

    async def meddle() -> None:
        await kube.patch("Widget", "one", {"metadata": {"labels": {"by": "somebody"}, "finalizers": ["example.com/x"]}})

    def between(request: web.Request) -> web.Response | None:
        nonlocal changed
        if request.method == "PATCH" and request.path.endswith("/widgets/one") and not changed:
            changed = True
            return status(409, "the object has been modified")
        return None

    async with operator(url=proxy.url) as op:
        proxy.fault = between
        await kube.create(widget("one", external="topic"))
        await until(lambda: changed, "the finalizer met a conflict")
        await meddle()
        await until(lambda: op.memory.things == {"topic": ""}, "the topic exists")
        found = await kube.ready("one")
        assert "example.com/x" in found["metadata"]["finalizers"]
        assert len(found["metadata"]["finalizers"]) == 2


async def test_a_crd_that_comes_late_is_waited_for(server: AuditedApiServer, kube: Kube, operator: Operating) -> None:
    async with operator(kinds=(WIDGET, GADGET)) as op, httpx.AsyncClient(base_url=op.url, trust_env=False) as http:
        await kube.create(widget("one", text="x"))
        await until(lambda: op.engine.leadership.leads, "it leads")
        assert (await http.get("/readyz")).status_code == 503, "it can't know all objects yet"
        await install(server, GADGET_CRD)
        for text in ("first", "second"):
            body = {**widget("late", text=text), "kind": "Gadget"}
            path = kube.path("Widget").replace("widgets", "gadgets")
            if text == "first":
                await kube.post(path, body)
            else:
                headers = {"Content-Type": "application/merge-patch+json"}
                await kube.http.patch(f"{path}/late", json={"spec": {"text": text}}, headers=headers)
            await kube.says("late-0", text)
        await kube.ready("one")
        assert (await http.get("/readyz")).status_code == 200


async def test_a_stale_credential_is_renewed(kube: Kube, operator: Operating, proxy: Proxy) -> None:
    refused = 0

    def unauthorized(request: web.Request) -> web.Response | None:
        nonlocal refused
        if refused < 3:
            refused += 1
            return status(401, "Unauthorized")
        return None

    async with operator(url=proxy.url):
        await kube.create(widget("one", text="x"))
        await kube.ready("one")
        proxy.fault = unauthorized
        await proxy.cut()
        proxy.mend()
        await until(lambda: refused == 3, "it was refused", LONG)
        await kube.spec("one", text="y")

        async def healed() -> bool:
            return await kube.text("one-0") == "y"

        await until(healed, "the change is applied", LONG)
