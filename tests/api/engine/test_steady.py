"""A steady state costs no write, and what people change by hand is put right."""

from typing import Any

from integration_operator.engine import metrics
from integration_operator.engine.children import MANAGED_BY
from tests.api.conftest import Operating, Operator
from tests.api.engine.widgets import widget
from tests.api.kube import Kube, until


def passes() -> float:
    """Reconciles that ended well, so far."""
    return metrics.reconciles.labels("Widget", "done")._value.get()


def counted_writes() -> float:
    """Writes that the operator itself counted."""
    return sum(s.value for m in metrics.api_writes.collect() for s in m.samples if s.name.endswith("_total"))


async def everything_again(kube: Kube, op: Operator, names: list[str]) -> None:
    """Give the operator a reason to reconcile each object anew, and wait until it has."""
    before = passes()
    for name in names:
        await kube.patch("Widget", name, {"metadata": {"annotations": {"again": str(before)}}})
    await until(lambda: passes() >= before + len(names), "a pass for each object")
    await op.quiet()


async def test_children_and_status_follow_the_spec(kube: Kube, operator: Operating) -> None:
    async with operator():
        await kube.create(widget("one", text="hello", copies=2, policy=True))
        found = await kube.ready("one", reason="Made")
        assert found["status"]["copies"] == 2
        child = await kube.get("ConfigMap", "one-1")
        assert child
        assert child["data"]["text"] == "hello"
        assert child["metadata"]["ownerReferences"][0]["uid"] == found["metadata"]["uid"]
        assert await kube.get("NetworkPolicy", "one")
        await kube.spec("one", text="changed", copies=1, policy=False)
        await kube.says("one-0", "changed")
        await kube.says("one-1", None)
        await kube.ready("one")
        assert await kube.get("NetworkPolicy", "one") is None


async def test_a_steady_state_writes_nothing(kube: Kube, operator: Operating) -> None:
    names = [f"w{i}" for i in range(10)]
    async with operator() as op:
        await kube.secret("token", token="t1")
        await kube.create(
            *(widget(n, text="x", copies=2, policy=True, secret="token", probe=n, external=n) for n in names)
        )
        for name in names:
            await kube.ready(name)
        await op.quiet()
        before, counted = kube.writes(), counted_writes()
        await everything_again(kube, op, names)
        assert kube.writes() == before
        assert counted_writes() == counted


async def test_a_restart_writes_nothing(kube: Kube, operator: Operating) -> None:
    names = [f"w{i}" for i in range(10)]
    async with operator() as first:
        await kube.create(*(widget(n, text="x", copies=2, policy=True, external=n, probe=n) for n in names))
        for name in names:
            await kube.ready(name)
        await first.quiet()
    before, done = kube.writes(), passes()
    async with operator(memory=first.memory) as second:
        await until(lambda: passes() >= done + len(names), "a pass for each object")
        await until(lambda: set(second.scripted.asked) == set(names), "a probe for each object")
        await second.quiet()
        assert kube.writes() == before


async def test_each_write_of_a_child_is_made_once(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("one", text="x", copies=3))
        await kube.ready("one")
        await op.quiet()
        assert sorted(kube.writes()) == [
            ("patch", "configmaps", "one-0"),
            ("patch", "configmaps", "one-1"),
            ("patch", "configmaps", "one-2"),
            ("patch", "widgets/status", "one"),
        ]


async def test_a_child_edited_by_hand_is_healed(kube: Kube, operator: Operating) -> None:
    async with operator():
        await kube.create(widget("one", text="right", policy=True))
        await kube.ready("one")
        await kube.patch("ConfigMap", "one-0", {"data": {"text": "wrong"}})
        await kube.says("one-0", "right")
        await kube.patch("NetworkPolicy", "one", {"spec": {"ingress": None}})

        async def healed() -> Any:
            found = await kube.get("NetworkPolicy", "one")
            return found and found["spec"].get("ingress") == [{"ports": [{"port": 80, "protocol": "TCP"}]}]

        await until(healed, "the policy is as planned")


async def test_a_child_deleted_by_hand_is_made_again(kube: Kube, operator: Operating) -> None:
    async with operator():
        await kube.create(widget("one", text="right"))
        await kube.ready("one")
        await kube.delete("ConfigMap", "one-0")
        await kube.says("one-0", "right")


async def test_a_child_whose_labels_were_taken_is_still_ours(kube: Kube, operator: Operating) -> None:
    async with operator():
        await kube.create(widget("one", text="right", policy=True))
        await kube.ready("one")
        for kind, name in (("ConfigMap", "one-0"), ("NetworkPolicy", "one")):
            await kube.patch(kind, name, {"metadata": {"labels": None}})

            async def labelled(kind: str = kind, name: str = name) -> bool:
                found = await kube.get(kind, name)
                return bool(found) and MANAGED_BY in found["metadata"].get("labels", {})

            await until(labelled, f"{kind} has its labels again")
        await kube.ready("one")


async def test_a_status_written_by_hand_is_put_right(kube: Kube, operator: Operating) -> None:
    async with operator():
        await kube.create(widget("one", text="x"))
        await kube.ready("one", reason="Made")
        await kube.patch("Widget", "one", {"status": {"copies": 99, "conditions": []}}, sub="/status")
        found = await kube.ready("one", reason="Made")
        assert found["status"]["copies"] == 1


async def test_an_object_of_somebody_elses_with_a_childs_name_is_left_alone(kube: Kube, operator: Operating) -> None:
    async with operator():
        await kube.create({"kind": "ConfigMap", "metadata": {"name": "one-0"}, "data": {"text": "mine"}})
        await kube.create(widget("one", text="yours"))
        await kube.ready("one", "False", "NameTaken")
        assert await kube.text("one-0") == "mine"
        await kube.delete("ConfigMap", "one-0")
        await kube.says("one-0", "yours")
        await kube.ready("one")
