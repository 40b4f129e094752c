"""What `kubectl integrations doctor` says of objects that can't go: such ones take a minute to come about."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integration_operator.cli.examine.certificates import covered
from integration_operator.cli.examine.finding import Level
from integration_operator.cli.examine.objects import judged
from integration_operator.core.model import API_VERSION, GROUP

REFUSED = {"type": "Released", "status": "False", "reason": "Unavailable", "message": "the broker does not answer"}


def going(ago: timedelta, *finalizers: str, conditions: Any = ()) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "ServiceConnection",
        "metadata": {
            "name": "billing",
            "namespace": "shop",
            "generation": 1,
            "deletionTimestamp": (datetime.now(UTC) - ago).isoformat(),
            "finalizers": list(finalizers),
        },
        "status": {"conditions": list(conditions)},
    }


def test_one_that_is_stuck_is_named_with_why_and_how_to_let_go() -> None:
    stuck = going(timedelta(minutes=5), f"{GROUP}/external", conditions=[REFUSED])
    (finding,) = judged(stuck, served=True)
    assert finding.level is Level.PROBLEM
    assert finding.what.startswith("ServiceConnection shop/billing: can't go since ")
    assert finding.what.endswith("Unavailable: the broker does not answer")
    assert finding.do == (
        "to leave what it has outside as it is: "
        f"kubectl -n shop annotate serviceconnection billing {GROUP}/abandon-external=true"
    )


def test_without_an_operator_the_finalizer_is_taken_off_by_hand() -> None:
    (finding,) = judged(going(timedelta(minutes=5), f"{GROUP}/external"), served=False)
    assert finding.do == (
        "no operator is there to do it: kubectl -n shop patch serviceconnection billing --type=merge"
        """ -p '{"metadata":{"finalizers":null}}'"""
    )


def test_one_that_just_began_to_go_or_waits_for_somebody_else_is_no_trouble_of_ours() -> None:
    assert list(judged(going(timedelta(seconds=5), f"{GROUP}/external"), served=True)) == []
    assert list(judged(going(timedelta(minutes=5), "example.com/theirs"), served=True)) == []


@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("api.example.com", True),
        ("a.b.example.com", False),
        ("example.com", False),
        ("*.example.com", True),
        ("*.b.example.com", False),
        ("exact.example.net", True),
        ("other.example.net", False),
    ],
)
def test_which_hosts_a_certificate_is_good_for(host: str, good: bool) -> None:
    assert covered(host, {"*.example.com", "exact.example.net"}) is good
