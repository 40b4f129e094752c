"""What the operator reads and touches: only served namespaces, Secrets only as far as it may."""

import re
from typing import Any

import pytest

from integration_operator.engine import reader, reconcile
from tests.api.conftest import Operating
from tests.api.engine.widgets import widget
from tests.api.kube import AuditedApiServer, Kube, until
from tests.api.proxy import Proxy


async def test_only_the_watched_namespaces_are_touched(
    server: AuditedApiServer, kube: Kube, operator: Operating, proxy: Proxy
) -> None:
    async with Kube(server, f"{kube.namespace}-no") as other, Kube(server, f"{kube.namespace}-too") as third:
        await other.create(widget("one", text="x"))
        names = (kube.namespace, third.namespace)
        async with operator(url=proxy.url, watch_namespaces=names) as op:
            await kube.secret("token", token="t")
            await kube.create(widget("one", text="x", secret="token", policy=True, needs="two"), widget("two"))
            await third.create(widget("one", text="x"))
            await kube.ready("one")
            await third.ready("one")
            await op.quiet()
        assert (await other.get("Widget", "one") or {}).get("status") is None
        assert await other.every("ConfigMap") == []
        discovery = re.compile(r"/(api|apis|version)(/[^/]+){0,2}/?")
        inside = tuple(f"/namespaces/{name}/" for name in names)
        beyond = {p for p in proxy.paths if not discovery.fullmatch(p) and not any(i in p for i in inside)}
        assert beyond == set()


async def test_a_namespaced_role_is_enough(server: AuditedApiServer, kube: Kube, operator: Operating) -> None:
    """No ClusterRole at all: whatever it asked for beyond its namespace would be refused."""
    group = "integration.threehorizons.io"
    read = ["get", "list", "watch"]
    rules = [
        {"apiGroups": [group], "resources": ["widgets"], "verbs": [*read, "patch"]},
        {"apiGroups": [group], "resources": ["widgets/status"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": [*read, "create", "patch", "delete"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": read},
        {
            "apiGroups": ["networking.k8s.io"],
            "resources": ["networkpolicies"],
            "verbs": [*read, "create", "patch", "delete"],
        },
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update", "patch"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["get", "create", "patch"]},
    ]
    user = f"operator-{kube.namespace}"
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{kube.namespace}"
    await kube.post(f"{rbac}/roles", {"metadata": {"name": "operator"}, "rules": rules})
    subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    ref = {"kind": "Role", "name": "operator", "apiGroup": "rbac.authorization.k8s.io"}
    await kube.post(f"{rbac}/rolebindings", {"metadata": {"name": "operator"}, "subjects": [subject], "roleRef": ref})
    path = server.home / f"{user}.kubeconfig"
    server.write_kubeconfig(path, user)
    async with operator(kubeconfig=path, watch_namespaces=(kube.namespace,)):
        await kube.secret("token", token="t")
        await kube.create(widget("one", text="x", secret="token", policy=True, external="topic"))
        await kube.ready("one")
        await kube.spec("one", policy=False)

        async def pruned() -> bool:
            return await kube.get("NetworkPolicy", "one") is None

        await until(pruned, "the policy is pruned")
        await kube.create(widget("two", needs="three"))
        await kube.ready("two", "False", "WidgetNotFound")
        await kube.create(widget("three"))
        await kube.ready("two")
        assert {e["reason"] for e in await kube.every("Event")} >= {"WidgetNotFound"}
        await kube.delete("Widget", "one")

        async def gone() -> bool:
            return await kube.get("Widget", "one") is None

        await until(gone, "the finalizer is gone")


async def test_without_a_watch_on_secrets_they_are_read_again_at_times(
    kube: Kube, operator: Operating, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "UNWATCHED_SECONDS", 0.5)
    monkeypatch.setattr(reconcile, "UNSEEN_SECONDS", 0.5)

    async def child() -> dict[str, Any]:
        return (await kube.get("Secret", "one-made") or {}).get("metadata") or {}

    async with operator(url=proxy.url, watch_secrets=False) as op:
        await kube.secret("token", token="first")
        await kube.create(widget("one", secret="token", hidden=True))
        await kube.ready("one")
        made = await child()
        await kube.secret("token", token="second")

        async def arrived() -> bool:
            found = await kube.get("ConfigMap", "one-0")
            return bool(found) and found["data"]["token"] == "second"

        await until(arrived, "the child has the second token")
        await kube.delete("Secret", "one-made")

        async def again() -> bool:
            return (await child()).get("uid", made["uid"]) != made["uid"]

        await until(again, "the deleted child is made again")
        await op.quiet()
        before = kube.writes()
        passes = len(proxy.paths)
        await until(lambda: len(proxy.paths) > passes + 4, "it looked again")
        assert kube.writes() == before
        await kube.spec("one", hidden=False)

        async def pruned() -> bool:
            return not await child()

        await until(pruned, "the child is pruned")
    lists = [p for p in proxy.paths if p.endswith("/secrets")]
    assert lists == [], "Secrets are neither listed nor watched"
