"""Plans of ServiceConnections: golden files."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from integration_operator.core.plan import Outcome
from integration_operator.drivers.connection import TokenRequest, issued
from integration_operator.kinds.service_connection import KIND
from tests.unit.kinds.golden import cases, check, plain_outcomes


def outcomes(case: dict[str, Any]) -> Mapping[str, Outcome]:
    """The outcomes of a case; `token` in Token's data is made with the request that stands beside it."""
    given = dict(plain_outcomes(case))
    if "Token" in given and (data := given["Token"].data):
        issued_at = data["issuedAt"]
        assert isinstance(issued_at, datetime)
        token = issued(data["value"], issued_at, data["seconds"], TokenRequest(**data["request"]))
        given["Token"] = Outcome(True, given["Token"].reason, data={"token": token})
    return given


@pytest.mark.parametrize("name", cases(__file__))
async def test_plan_is_as_the_golden_file_says(name: str) -> None:
    await check(KIND, __file__, name, outcomes)
