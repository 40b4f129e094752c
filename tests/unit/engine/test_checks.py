"""Probes that hang take nothing from others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from integration_operator.core.plan import Check, Outcome
from integration_operator.core.ports import Key
from integration_operator.engine.checks import WIDTH, Checks
from tests.api.kube import until

HOUR = timedelta(hours=1)


class Hanging:
    """A probe whose targets answer only when they are let."""

    def __init__(self, name: str) -> None:
        self.name, self.go = name, asyncio.Event()
        self.under_way: Counter[str] = Counter()
        self.most = 0
        self.answered: set[str] = set()

    async def probe(self, target: Any, timeout: timedelta) -> Outcome:
        team = target.partition("/")[0]
        self.under_way[team] += 1
        self.most = max(self.most, self.under_way[team])
        try:
            if "hangs" in target:
                await self.go.wait()
        finally:
            self.under_way[team] -= 1
        self.answered.add(target)
        return Outcome(True, "Connected")


@pytest.fixture
async def system() -> Hanging:
    return Hanging("http")


@pytest.fixture
async def tokens() -> Hanging:
    return Hanging("oauth2")


@pytest.fixture
async def checks(system: Hanging, tokens: Hanging) -> AsyncIterator[Checks]:
    checks = Checks({"http": system, "oauth2": tokens}, lambda _: None)
    checks.start()
    yield checks
    await checks.stop()


def want(checks: Checks, team: str, name: str, *drivers: str, target: str = "") -> None:
    key = Key("ServiceConnection", team, name)
    asked = [Check(driver, driver, f"{team}/{target or name}", HOUR, timeout=HOUR) for driver in drivers]
    checks.want(key, f"{team}-{name}", asked)


async def test_a_thousand_that_hang_delay_neither_another_namespace_nor_their_own_tokens(
    checks: Checks, system: Hanging, tokens: Hanging
) -> None:
    for i in range(1000):
        want(checks, "noisy", f"hangs{i}", "http")
    await until(lambda: system.under_way["noisy"] == WIDTH, "as many as may hang")
    for i in range(50):
        want(checks, "quiet", f"works{i}", "http")
        want(checks, "noisy", f"token{i}", "oauth2")
    await until(lambda: len(system.answered) == len(tokens.answered) == 50, "all others are answered")
    assert system.under_way["noisy"] == WIDTH
    assert system.most == WIDTH
    system.go.set()
    await until(lambda: len(system.answered) == 1050, "in the end every one had its turn")
    assert system.most == WIDTH


async def test_what_is_no_longer_wanted_makes_place(checks: Checks, system: Hanging) -> None:
    for i in range(100):
        want(checks, "noisy", f"hangs{i}", "http")
    await until(lambda: system.under_way["noisy"] == WIDTH, "as many as may hang")
    for i in range(100):
        checks.forget(Key("ServiceConnection", "noisy", f"hangs{i}"))
    want(checks, "noisy", "works", "http")
    system.go.set()
    await until(lambda: "noisy/works" in system.answered, "the one that is wanted is asked")
    assert len(system.answered) == WIDTH + 1, "none of those that waited is asked in vain"
