"""Plans of IdentityFederations: golden files."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from integration_operator.core.plan import Outcome
from integration_operator.drivers.identity import Keys, Provider
from integration_operator.kinds.identity_federation import KIND
from tests.unit.kinds.golden import cases, check, plain_outcomes


def outcomes(case: dict[str, Any]) -> Mapping[str, Outcome]:
    """The outcomes of a case; `keys` in the data are JWKs, and `target` is an issuer."""
    given = dict(plain_outcomes(case))
    if fetched := given.get("Keys"):
        data = dict(fetched.data)
        if "keys" in data:
            data["keys"] = Keys.of(data["keys"])
        target = Provider(fetched.target) if fetched.target else None
        given["Keys"] = replace(fetched, data=data, target=target)
    return given


@pytest.mark.parametrize("name", cases(__file__))
async def test_plan_is_as_the_golden_file_says(name: str) -> None:
    await check(KIND, __file__, name, outcomes)
