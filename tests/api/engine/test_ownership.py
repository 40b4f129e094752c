"""Labels alone make nothing the operator's: what is somebody else's is neither deleted nor written over."""

from typing import Any

import pytest

from integration_operator.engine.children import MANAGED_BY, OWNER_KIND, OWNER_NAME
from tests.api.conftest import Operating
from tests.api.engine.widgets import widget
from tests.api.kube import Kube, until

FORGED = {MANAGED_BY: "integration-operator", OWNER_KIND: "Widget", OWNER_NAME: "one"}
CHILDREN = (("ConfigMap", "one-0"), ("Secret", "one-made"), ("NetworkPolicy", "one"))


def policy(name: str, **labels: str) -> dict[str, Any]:
    spec = {"podSelector": {}, "policyTypes": ["Ingress"]}
    return {"kind": "NetworkPolicy", "metadata": {"name": name, "labels": labels}, "spec": spec}


async def forge(kube: Kube) -> None:
    await kube.secret("precious", password="p")
    await kube.patch("Secret", "precious", {"metadata": {"labels": FORGED}})
    await kube.create(policy("precious", **FORGED))


@pytest.mark.parametrize("early", [True, False], ids=["before-the-operator", "while-it-runs"])
async def test_labels_of_a_child_get_nothing_deleted(kube: Kube, operator: Operating, early: bool) -> None:
    if early:
        await forge(kube)
    async with operator() as op:
        await kube.create(widget("one", text="x", copies=2, policy=True))
        await kube.ready("one")
        if not early:
            await forge(kube)
        await kube.spec("one", copies=1, policy=False)
        await kube.says("one-1", None)
        await kube.ready("one")
        await op.quiet()
        assert await kube.get("Secret", "precious")
        assert await kube.get("NetworkPolicy", "precious")
        assert await kube.get("NetworkPolicy", "one") is None, "its own are pruned"


async def test_labels_of_a_child_get_nothing_written_over(kube: Kube, operator: Operating) -> None:
    await kube.secret("one-made", password="p")
    await kube.patch("Secret", "one-made", {"metadata": {"labels": FORGED}})
    await kube.create(policy("one", **FORGED))
    async with operator():
        await kube.create(widget("one", copies=0, policy=True))
        await kube.ready("one", "False", "NameTaken")
        await kube.delete("NetworkPolicy", "one")
        await kube.ready("one")
        await kube.spec("one", hidden=True)
        await kube.ready("one", "False", "NameTaken")
        found = await kube.get("Secret", "one-made")
        assert found
        assert found["data"]
        assert "ownerReferences" not in found["metadata"]


@pytest.mark.parametrize("again", [False, True], ids=["at-once", "after-a-restart"])
async def test_a_child_whose_owner_reference_was_taken_is_still_ours(
    kube: Kube, operator: Operating, again: bool
) -> None:
    async def referred() -> bool:
        found = [await kube.get(kind, name) for kind, name in CHILDREN]
        return all(child and child["metadata"].get("ownerReferences") for child in found)

    async def take_away() -> None:
        for kind, name in CHILDREN:
            await kube.patch(kind, name, {"metadata": {"ownerReferences": None}})

    async with operator():
        await kube.create(widget("one", text="x", policy=True, hidden=True))
        await kube.ready("one")
        if not again:
            await take_away()
            await until(referred, "the children have their owner again")
    if again:
        await take_away()
        async with operator():
            await until(referred, "the children have their owner again")
