"""Objects that go: with something outside, with their namespace, and to come again under the same name."""

from integration_operator.engine.reconcile import ABANDON, FINALIZER
from tests.api.conftest import Operating
from tests.api.engine.widgets import Memory, widget
from tests.api.kube import Kube, until


async def gone(kube: Kube, name: str) -> None:
    async def absent() -> bool:
        return await kube.get("Widget", name) is None

    await until(absent, f"{name} is gone")


async def test_a_finalizer_only_where_something_outside_exists(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("plain", text="x"), widget("outside", text="x", external="topic"))
        plain, outside = await kube.ready("plain"), await kube.ready("outside")
        assert "finalizers" not in plain["metadata"]
        assert outside["metadata"]["finalizers"] == [FINALIZER]
        assert op.memory.things == {"topic": "x"}
        await kube.delete("Widget", "plain")
        await gone(kube, "plain")
        await kube.delete("Widget", "outside")
        await gone(kube, "outside")
        assert op.memory.things == {}


async def test_a_finalizer_of_somebody_elses_is_kept(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        body = widget("one", external="topic")
        body["metadata"]["finalizers"] = ["example.com/theirs"]
        await kube.create(body)
        await kube.ready("one")
        await kube.delete("Widget", "one")

        async def released() -> bool:
            found = await kube.get("Widget", "one")
            return bool(found) and found["metadata"]["finalizers"] == ["example.com/theirs"]

        await until(released, "only the other finalizer is left")
        assert op.memory.things == {}


async def test_an_unreachable_system_holds_the_object_until_it_answers(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("one", external="topic"))
        await kube.ready("one")
        op.memory.reachable = False
        await kube.delete("Widget", "one")

        async def held() -> dict[str, object]:
            found = await kube.condition("one", "Released")
            return found if found.get("status") == "False" else {}

        condition = await until(held, "Released is False")
        assert condition["reason"] == "Unavailable"
        assert f"{ABANDON}=true" in str(condition["message"])
        assert (await kube.condition("one"))["status"] == "False"
        op.memory.reachable = True
        await gone(kube, "one")
        assert op.memory.things == {}


async def test_the_annotation_lets_an_object_go(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("one", external="topic"))
        await kube.ready("one")
        op.memory.reachable = False
        await kube.delete("Widget", "one")
        await kube.patch("Widget", "one", {"metadata": {"annotations": {ABANDON: "true"}}})
        await gone(kube, "one")
        assert op.memory.things == {"topic": ""}, "nobody could remove it"


async def test_an_object_that_became_invalid_says_so_and_can_be_let_go(kube: Kube, operator: Operating) -> None:
    async with operator():
        await kube.create(widget("one", external="topic"))
        await kube.ready("one")
        await kube.spec("one", copies="many")
        await kube.ready("one", "False", "Invalid")
        await kube.delete("Widget", "one")

        async def held() -> bool:
            return (await kube.condition("one", "Released")).get("reason") == "Invalid"

        await until(held, "Released is False")
        await kube.patch("Widget", "one", {"metadata": {"annotations": {ABANDON: "true"}}})
        await gone(kube, "one")


async def test_a_blocked_object_takes_with_it_what_is_on_record(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("a", claim="place"))
        await kube.ready("a")
        await kube.create(widget("b", external="topic"))
        await kube.ready("b")
        await kube.spec("b", claim="place", external=None)
        await kube.ready("b", "False", "Conflicted")
        assert op.memory.things == {"topic": ""}, "a blocked object keeps what it has"
        await kube.delete("Widget", "b")
        await gone(kube, "b")
        assert op.memory.things == {}


async def test_a_blocked_object_without_a_record_is_not_let_go_of_blindly(kube: Kube, operator: Operating) -> None:
    memory = Memory()
    async with operator(memory=memory):
        await kube.create(widget("a", claim="place"))
        await kube.ready("a")
        await kube.create(widget("b", external="topic"))
        await kube.ready("b")
    await kube.patch("Widget", "b", {"status": None}, sub="/status")  # as after a restore: backups have no status
    await kube.spec("b", claim="place", external=None)
    await kube.delete("Widget", "b")
    async with operator(memory=memory):

        async def held() -> bool:
            return (await kube.condition("b", "Released")).get("status") == "False"

        await until(held, "Released is False")
        assert memory.things == {"topic": ""}


async def test_a_namespace_that_is_deleted_is_not_held_up(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        names = [f"w{i}" for i in range(6)]
        await kube.create(*(widget(n, text="x", external=n) for n in names))
        for name in names:
            await kube.ready(name)
        await kube.http.delete(f"/api/v1/namespaces/{kube.namespace}")
        # What the namespace controller does, which a bare API server lacks: children go first, then the rest.
        for kind in ("ConfigMap", "Widget"):
            for found in await kube.every(kind):
                await kube.delete(kind, found["metadata"]["name"])
        for name in names:
            await gone(kube, name)
        assert op.memory.things == {}
        await op.quiet()
        assert await kube.every("ConfigMap") == []


async def test_the_same_name_again_while_the_operator_is_up(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        uids = set()
        for text in ("first", "second", "third"):
            await kube.create(widget("one", text=text, external="topic", probe="system"))
            found = await kube.ready("one")
            uids.add(uid := found["metadata"]["uid"])
            await kube.says("one-0", text)
            child = await kube.get("ConfigMap", "one-0")
            assert child
            assert [r["uid"] for r in child["metadata"]["ownerReferences"]] == [uid]
            assert op.memory.things == {"topic": text}
            asked = len(op.scripted.asked)
            assert asked >= len(uids), "each was probed anew"
            await kube.delete("Widget", "one")
            await gone(kube, "one")
            assert op.memory.things == {}
        assert len(uids) == 3


async def test_the_same_name_again_at_once(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        for i in range(20):
            await kube.create(widget("one", text=str(i)))
            if i < 19:
                await kube.delete("Widget", "one")
        found = await kube.ready("one")
        await kube.says("one-0", "19")
        child = await kube.get("ConfigMap", "one-0")
        assert child
        assert [r["uid"] for r in child["metadata"]["ownerReferences"]] == [found["metadata"]["uid"]]
        await op.quiet()
        (key,) = op.engine.objects.keys("Widget")
        assert op.engine.objects.uid(key) == found["metadata"]["uid"]


async def test_the_same_name_again_while_the_operator_is_down(kube: Kube, operator: Operating) -> None:
    memory = Memory()
    async with operator(memory=memory):
        await kube.create(widget("one", text="old", copies=2))
        old = await kube.ready("one")
    await kube.delete("Widget", "one")
    await kube.create(widget("one", text="new", external="topic"))
    async with operator(memory=memory):
        new = await kube.ready("one")
        assert new["metadata"]["uid"] != old["metadata"]["uid"]
        await kube.says("one-0", "new")
        await kube.says("one-1", None)
        child = await kube.get("ConfigMap", "one-0")
        assert child
        assert [r["uid"] for r in child["metadata"]["ownerReferences"]] == [new["metadata"]["uid"]]
        assert memory.things == {"topic": "new"}
