"""Status: times change only with a judgement, and a patch says no more than what changed."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from integration_operator.core.plan import Condition
from integration_operator.engine import status

EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def test_transition_time_stays_while_the_judgement_stays() -> None:
    first = status.merge({}, {}, [Condition("Ready", True, "Connected")], 1, EARLY)
    second = status.merge(first, {}, [Condition("Ready", True, "Serving", "other words")], 2, LATE)
    assert second["conditions"][0]["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert second["conditions"][0]["observedGeneration"] == 2


def test_transition_time_moves_when_the_judgement_changes() -> None:
    first = status.merge({}, {}, [Condition("Ready", True, "Connected")], 1, EARLY)
    second = status.merge(first, {}, [Condition("Ready", None, "Timeout")], 1, LATE)
    assert second["conditions"][0]["lastTransitionTime"] == "2026-01-02T00:00:00Z"
    assert second["conditions"][0]["status"] == "Unknown"


def test_the_default_condition_of_the_crd_gets_a_real_time_once() -> None:
    default = {
        "conditions": [{"type": "Ready", "status": "Unknown", "reason": "Pending", "lastTransitionTime": status.EPOCH}]
    }
    pending = [Condition("Ready", None, "Pending")]
    first = status.merge(default, {}, pending, 1, EARLY)
    assert first["conditions"][0]["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert status.merge(first, {}, pending, 1, LATE) == first


def test_a_condition_that_is_no_longer_given_goes() -> None:
    first = status.merge({}, {}, [Condition("Old", True, "Yes"), Condition("Ready", True, "Yes")], 1, EARLY)
    second = status.merge(first, {}, [Condition("Ready", True, "Yes")], 1, LATE)
    assert [c["type"] for c in second["conditions"]] == ["Ready"]


def test_what_was_found_stands_until_it_can_be_found_again() -> None:
    found = [Condition("Reachable", True, "Connected"), Condition("Ready", True, "Connected")]
    awaiting = [Condition("Reachable", None, "Pending"), Condition("Ready", None, "Pending")]
    before = status.merge({}, {}, found, 1, EARLY)
    assert status.merge(before, {}, awaiting, 1, LATE, awaited=True) == before
    assert status.merge(before, {}, awaiting, 1, LATE)["conditions"][0]["reason"] == "Pending"
    assert status.merge(before, {}, awaiting, 2, LATE, awaited=True)["conditions"][0]["reason"] == "Pending"
    worse = [Condition("Reachable", None, "Pending"), Condition("Ready", False, "RefNotFound")]
    after = status.merge(before, {}, worse, 1, LATE, awaited=True)
    assert [c["reason"] for c in after["conditions"]] == ["Connected", "RefNotFound"]


def test_that_it_could_not_be_told_why_stands_too_until_it_is_known_again() -> None:
    untold = [Condition("JWKSFetchValid", None, "DiscoveryFailed"), Condition("Ready", False, "Timeout")]
    before = status.merge({}, {}, untold, 1, EARLY)
    awaiting = [Condition("JWKSFetchValid", None, "Pending"), Condition("Ready", None, "Pending")]
    assert status.merge(before, {}, awaiting, 1, LATE, awaited=True) == before
    other = [Condition("JWKSFetchValid", None, "Unreachable"), Condition("Ready", None, "Unreachable")]
    after = status.merge(before, {}, other, 1, LATE, awaited=True)
    assert [c["reason"] for c in after["conditions"]] == ["Unreachable", "Timeout"]


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


_names = st.sampled_from(["a", "b", "c"])
_leaves = st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
_statuses = st.dictionaries(_names, _leaves | st.dictionaries(_names, _leaves, max_size=3), max_size=3)


@given(_statuses, _statuses)
def test_a_patch_makes_the_old_status_the_new_one(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert _merged(old, status.patch(old, new)) == new


@given(_statuses)
def test_equal_statuses_need_no_patch(same: dict[str, Any]) -> None:
    assert status.patch(same, same) == {}
