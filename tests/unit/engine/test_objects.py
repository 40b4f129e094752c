"""What is known of our own objects: never an older version, never one that is gone."""

from typing import Any

import pytest

from integration_operator.core.ports import Environment, Key
from integration_operator.engine.objects import Objects
from tests.api.engine.widgets import WIDGET, widget

KEY = Key("Widget", "shop", "one")


def version(number: int, uid: str = "first", **spec: Any) -> dict[str, Any]:
    body = widget("one", **spec)
    body["metadata"] |= {"namespace": "shop", "uid": uid, "resourceVersion": str(number)}
    return body


@pytest.fixture
def objects() -> Objects:
    return Objects({"Widget": WIDGET}, Environment(), lambda _: None)


def test_an_older_version_changes_nothing(objects: Objects) -> None:
    assert objects.put(version(5, text="new"))
    assert not objects.put(version(4, text="old"))
    assert (objects.get(KEY) or {})["spec"]["text"] == "new"


def test_an_answer_to_a_write_does_not_bring_back_what_is_gone(objects: Objects) -> None:
    objects.put(version(5))
    objects.remove(KEY, "first")
    assert not objects.put(version(6), own=True)
    assert objects.get(KEY) is None


def test_an_answer_to_a_write_does_not_replace_the_next_of_that_name(objects: Objects) -> None:
    objects.put(version(5))
    objects.put(version(8, uid="second", text="second"))
    assert not objects.put(version(9), own=True)
    assert objects.uid(KEY) == "second"


def test_the_deletion_of_the_one_before_does_not_remove_the_next(objects: Objects) -> None:
    objects.put(version(5))
    objects.put(version(8, uid="second"))
    assert not objects.remove(KEY, "first")
    assert objects.uid(KEY) == "second"


def test_an_object_whose_claims_fail_is_known_all_the_same(objects: Objects) -> None:
    assert objects.put(version(5, bug="claims", claim="x"))
    assert objects.uid(KEY) == "first"
    assert objects.claimants("x") == ()
