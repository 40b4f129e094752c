"""What counts as a difference between a live object and a planned one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_operator.engine.children import DIGEST, covers, finished

OWNER = {"kind": "ApiRoute", "metadata": {"name": "orders", "namespace": "shop", "uid": "u1"}}


@pytest.mark.parametrize(
    ("live", "desired", "same"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({}, {"a": 1}, False),
        ({"a": [{"x": 1, "defaulted": True}]}, {"a": [{"x": 1}]}, True),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": [2, 1]}, {"a": [1, 2]}, False),
        ({}, {"a": {}, "b": [], "c": None}, True),
        ({"a": "1"}, {"a": 1}, False),
        ({"a": None}, {"a": {"b": 1}}, False),
    ],
)
def test_covers(live: Any, desired: Any, same: bool) -> None:
    assert covers(live, desired) is same


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(_json)
def test_everything_covers_itself(value: Any) -> None:
    assert covers(value, value)


def test_a_finished_child_belongs_to_its_owner() -> None:
    meta = finished({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}, OWNER)["metadata"]
    assert meta["namespace"] == "shop"
    assert meta["labels"]["app.kubernetes.io/managed-by"] == "integration-operator"
    assert meta["labels"]["integration.threehorizons.io/name"] == "orders"
    assert meta["ownerReferences"][0]["uid"] == "u1"


def test_a_field_that_is_no_longer_planned_shows_in_the_digest() -> None:
    child = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}}
    before = finished(child, OWNER)
    after = finished({**child, "data": {"a": "1"}}, OWNER)
    assert before["metadata"]["annotations"][DIGEST] != after["metadata"]["annotations"][DIGEST]
    assert not covers(before, after)


def test_finishing_is_repeatable() -> None:
    child = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": {"mine": "yes"}}}
    assert finished(child, OWNER) == finished(child, OWNER)
