"""Things in outside systems: made, healed, and gone once nobody plans them, whatever happens in between."""

from typing import Any

import pytest

from integration_operator.engine import reconcile
from integration_operator.engine.reconcile import ABANDON, FINALIZER
from tests.api.conftest import Operating
from tests.api.engine.test_deletion import gone
from tests.api.engine.widgets import Memory, widget
from tests.api.kube import Kube, until


async def on_record(kube: Kube, name: str) -> list[str]:
    found = await kube.get("Widget", name)
    return [one["key"] for one in (found or {}).get("status", {}).get("external") or ()]


def finalizers(found: dict[str, Any]) -> list[str]:
    return list(found["metadata"].get("finalizers") or ())


async def test_what_changes_outside_is_healed(kube: Kube, operator: Operating, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "EXTERNAL_SECONDS", 0.2)
    async with operator() as op:
        await kube.create(widget("one", text="x", external="topic"))
        await kube.ready("one")
        op.memory.things["topic"] = "changed by hand"
        await until(lambda: op.memory.things["topic"] == "x", "the change is undone")
        del op.memory.things["topic"]
        await until(lambda: op.memory.things == {"topic": "x"}, "it is made anew")
        await op.quiet()
        before, steps = kube.writes(), len(op.memory.steps)
        observed = op.memory.observed
        await until(lambda: op.memory.observed >= observed + 3, "it is looked at again and again")
        assert len(op.memory.steps) == steps, "what is as it should be is left alone"
        assert kube.writes() == before


async def test_under_another_key_the_new_one_is_made_then_the_old_one_goes(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("one", text="x", external="old"))
        await kube.ready("one")
        assert await on_record(kube, "one") == ["old"]
        await kube.spec("one", external="new")
        await kube.ready("one")
        assert op.memory.things == {"new": "x"}
        assert op.memory.steps == [("ensure", "old"), ("ensure", "new"), ("delete", "old")]
        assert await on_record(kube, "one") == ["new"]
        await kube.delete("Widget", "one")
        await gone(kube, "one")
        assert op.memory.things == {}


async def test_what_leaves_the_plan_is_deleted_and_with_the_last_one_goes_the_finalizer(
    kube: Kube, operator: Operating
) -> None:
    async with operator() as op:
        await kube.create(widget("one", text="x", external="a", more=["b"]))
        await kube.ready("one")
        await kube.spec("one", more=[])
        found = await kube.ready("one")
        assert op.memory.things == {"a": "x"}
        assert finalizers(found) == [FINALIZER]
        await kube.spec("one", external=None)
        found = await kube.ready("one")
        assert op.memory.things == {}
        assert finalizers(found) == []
        assert "external" not in found["status"]


async def test_what_is_to_be_retained_is_let_go_of(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("one", text="x", external="a", more=["b"], retain=True))
        found = await kube.ready("one")
        assert finalizers(found) == []
        await kube.spec("one", more=[])
        await kube.ready("one")
        assert await on_record(kube, "one") == ["a"]
        await kube.spec("one", retain=False)
        assert finalizers(await kube.ready("one")) == [FINALIZER]
        await kube.spec("one", retain=True)
        assert finalizers(await kube.ready("one")) == []
        await kube.delete("Widget", "one")
        await gone(kube, "one")
        assert op.memory.things == {"a": "x", "b": "x"}
        assert not [step for step in op.memory.steps if step[0] == "delete"]


async def test_what_can_not_be_deleted_now_is_deleted_later_even_after_a_restart(
    kube: Kube, operator: Operating
) -> None:
    memory = Memory()
    async with operator(memory=memory):
        await kube.create(widget("one", text="x", external="old"))
        await kube.ready("one")
        memory.reachable = False
        await kube.spec("one", external="new")
        await kube.ready("one", "Unknown", "Unavailable")
        assert sorted(await on_record(kube, "one")) == ["new", "old"], "on record before it is tried"
    memory.reachable = True
    async with operator(memory=memory):
        await kube.ready("one")
        assert memory.things == {"new": "x"}
        assert await on_record(kube, "one") == ["new"]


async def test_a_change_while_the_operator_is_down_leaves_nothing_behind(kube: Kube, operator: Operating) -> None:
    memory = Memory()
    async with operator(memory=memory):
        await kube.create(widget("one", text="x", external="old"), widget("two", text="x", external="other"))
        await kube.ready("one")
        await kube.ready("two")
    await kube.spec("one", external="new")
    await kube.spec("two", external=None)
    await kube.delete("Widget", "two")
    async with operator(memory=memory):
        await gone(kube, "two")
        await kube.ready("one")
        assert memory.things == {"new": "x"}


async def test_the_record_outlasts_trouble_of_every_sort(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("one", text="x", external="topic"))
        await kube.ready("one")
        await kube.spec("one", copies="many")
        await kube.ready("one", "False", "Invalid")
        assert await on_record(kube, "one") == ["topic"]
        await kube.spec("one", copies=1, bug="plan")
        await kube.ready("one", "Unknown", "InternalError")
        assert await on_record(kube, "one") == ["topic"]
        await kube.spec("one", bug=None, external=None)
        await kube.ready("one")
        assert op.memory.things == {}


async def test_a_system_that_nobody_knows_any_more_is_told(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("one", text="x", external="topic", system="shop/hub"))
        await kube.ready("one")
        await kube.spec("one", external=None, lost=True)
        await kube.ready("one", "Unknown", "SystemUnknown")
        assert await on_record(kube, "one") == ["topic"]
        await kube.delete("Widget", "one")

        async def held() -> bool:
            return (await kube.condition("one", "Released")).get("reason") == "SystemUnknown"

        await until(held, "Released is False")
        await kube.patch("Widget", "one", {"metadata": {"annotations": {ABANDON: "true"}}})
        await gone(kube, "one")
        assert op.memory.things == {"topic": "x"}


async def test_a_known_system_is_reached_for_what_is_left_in_it(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("one", text="x", external="topic", system="shop/hub"))
        await kube.ready("one")
        await kube.spec("one", external=None)
        await kube.ready("one")
        assert op.memory.things == {}


async def test_what_is_anothers_is_neither_taken_nor_deleted(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("one", text="mine", external="topic"))
        await kube.ready("one")
        await kube.create(widget("two", text="also mine", external="topic"))
        await kube.ready("two", "False", "TakenOutside")
        await kube.delete("Widget", "two")
        await gone(kube, "two")
        assert op.memory.things == {"topic": "mine"}
