"""What the log says of a probe that raises."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

from integration_operator.core.plan import Check, Outcome
from integration_operator.core.ports import Key
from integration_operator.engine.checks import Checks

KEY = Key("ServiceConnection", "shop", "orders")


class Raising:
    name = "raising"

    async def probe(self, target: Any, timeout: timedelta) -> Outcome:
        raise RuntimeError(f"can't log in with {target}")


async def test_type_and_place_are_logged_and_nothing_that_the_client_said(caplog: pytest.LogCaptureFixture) -> None:
    settled = asyncio.Event()
    checks = Checks({"raising": Raising()}, lambda _: settled.set(), workers=1)
    checks.start()
    with caplog.at_level(logging.DEBUG):
        checks.want(KEY, "uid", [Check("Reachable", "raising", "PASSWORD", timedelta(hours=1))])
        async with asyncio.timeout(30):
            await settled.wait()
    outcome = checks.outcome(KEY, "Reachable")
    await checks.stop()
    assert outcome
    assert (outcome.ok, outcome.reason) == (None, "ProbeFailed")
    assert "PASSWORD" not in caplog.text + outcome.message
    assert f"RuntimeError at {__file__}:" in caplog.text
