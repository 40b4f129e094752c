"""What stands in for things that are not known is filled in from what the cluster has."""

from datetime import UTC, datetime
from typing import Any

import pytest

from integration_operator.cli.preview.diff import filled
from integration_operator.cli.preview.placeholders import Placeholders
from integration_operator.cli.preview.preview import Nothing, Preview
from integration_operator.core.ports import Environment


def backend(*endpoints: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "Backend", "spec": {"endpoints": list(endpoints)}}


def at(address: str, port: int = 443) -> dict[str, Any]:
    return {"ip": {"address": address, "port": port}}


@pytest.mark.parametrize(
    ("live", "same"),
    [
        ([at("192.0.2.1")], True),
        ([at("192.0.2.1"), at("192.0.2.2")], True),
        ([at("192.0.2.1", 80)], False),
        ([at("192.0.2.1"), at("192.0.2.2", 80)], False),
        ([at("192.0.2.1"), {"fqdn": {"hostname": "a.example.com", "port": 443}}], False),
    ],
)
def test_one_stand_in_is_as_many_addresses_as_a_name_has(live: list[dict[str, Any]], same: bool) -> None:
    preview = Preview(Environment(), Nothing(), Placeholders(), datetime.now(UTC))
    planned = backend(at(preview.placeholders.address("a.example.com")))
    assert (filled(planned, backend(*live), preview.placeholders) == backend(*live)) is same
