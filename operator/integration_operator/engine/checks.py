"""Runs the checks that plans ask for, beside the reconciles, and remembers what they settled on."""

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from integration_operator.core.plan import Check, Outcome
from integration_operator.core.ports import Key
from integration_operator.drivers.base import Probe
from integration_operator.engine import metrics
from integration_operator.engine.queue import KeyedQueue

log = logging.getLogger(__name__)

GRACE_SECONDS = 2.0
"""A probe keeps its own time; this much later it is ended."""

WIDTH = 16
"""How many probes of one namespace and driver may be under way: systems that hang delay those of others little."""

FIRST_AGAIN_SECONDS = 1.0
"""How soon a bad outcome is asked about again, at first."""


@dataclass
class _Entry:
    uid: str
    check: Check
    settled: Outcome | None = None
    bad: int = 0
    hurry: bool = True
    last: float | None = None
    """Monotonic seconds of the last probe of this target."""


class Checks:
    """`changed(key)` is called when the settled outcome of one of the key's checks changed."""

    def __init__(self, probes: Mapping[str, Probe], changed: Callable[[Key], None], workers: int = 128) -> None:
        self._probes, self._changed, self._workers = probes, changed, workers
        self._entries: dict[Key, dict[str, _Entry]] = {}
        self._queue: KeyedQueue[tuple[Key, str]] = KeyedQueue(lane=self._lane, width=WIDTH)
        metrics.checks_waiting.set_function(lambda: self._queue.depth)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to probe."""
        self._tasks = [asyncio.create_task(self._work(), name=f"check {i}") for i in range(self._workers)]

    async def stop(self) -> None:
        """End all probes; what they settled on is forgotten."""
        self._queue.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._entries.clear()

    def outcome(self, key: Key, name: str) -> Outcome | None:
        """What the check settled on, None before its first probe."""
        entry = self._entries.get(key, {}).get(name)
        return entry.settled if entry else None

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self.want(key, "", ())

    def want(self, key: Key, uid: str, checks: Iterable[Check]) -> None:
        """Replace the checks of an object by those of its newest plan."""
        before, after = self._entries.pop(key, {}), {}
        for check in checks:
            entry = before.pop(check.name, None)
            if entry is None or entry.uid != uid:
                entry = _Entry(uid, check)
                self._time(key, entry)
            elif (entry.check.driver, entry.check.target) != (check.driver, check.target):
                entry.check, entry.last, entry.bad = check, None, 0
                self._time(key, entry)
            elif entry.check != check:
                entry.check = check
                self._time(key, entry)
            after[check.name] = entry
        for name in before:
            self._queue.forget((key, name))
        if after:
            self._entries[key] = after

    def _time(self, key: Key, entry: _Entry) -> None:
        if entry.last is not None:
            # What is bad is asked again soon, then less and less often, so that it heals quickly.
            interval = entry.check.interval.total_seconds()
            soon = FIRST_AGAIN_SECONDS * 2.0 ** min(entry.bad - 1, 16)
            wait = min(interval, soon) if entry.bad and entry.hurry else interval
            delay = entry.last + wait - time.monotonic()
        elif entry.settled is None and entry.check.first_at is not None:
            delay = (entry.check.first_at - datetime.now(UTC)).total_seconds()
        else:
            delay = 0.0
        self._queue.schedule((key, entry.check.name), delay)

    def _lane(self, item: tuple[Key, str]) -> tuple[str, str]:
        """Each driver has its own: tokens are renewed while the systems that they are for hang."""
        key, name = item
        entry = self._entries.get(key, {}).get(name)
        return key.namespace, entry.check.driver if entry else ""

    async def _work(self) -> None:
        while True:
            item, _ = await self._queue.get()
            try:
                await self._probe(*item)
            finally:
                self._queue.done(item)

    async def _probe(self, key: Key, name: str) -> None:
        entry = self._entries.get(key, {}).get(name)
        if entry is None:
            return
        check = entry.check
        began = time.monotonic()
        outcome = await self._ask(key, check)
        metrics.check_seconds.labels(check.driver).observe(time.monotonic() - began)
        metrics.checks.labels(check.driver, outcome.reason).inc()
        if self._entries.get(key, {}).get(name) is not entry or entry.check.target != check.target:
            return  # the plan changed meanwhile: a newer probe is on its way
        first = entry.last is None
        entry.last = time.monotonic()
        entry.bad = 0 if outcome.ok else entry.bad + 1
        entry.hurry = outcome.hurry
        self._time(key, entry)
        settled = entry.settled
        if settled and settled.ok and not outcome.ok and not first and entry.bad < check.failure_threshold:
            return
        entry.settled = replace(outcome, at=datetime.now(UTC), target=check.target)
        if settled is None or first or _differs(settled, outcome):
            self._changed(key)

    async def _ask(self, key: Key, check: Check) -> Outcome:
        limit = check.timeout.total_seconds() + GRACE_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                return await self._probe_with(key, check)
        return Outcome(False, "Timeout", f"no answer within {check.timeout.total_seconds():g}s")

    async def _probe_with(self, key: Key, check: Check) -> Outcome:
        try:
            return await self._probes[check.driver].probe(check.target, check.timeout)
        except TimeoutError:
            raise
        except Exception as error:
            # Neither text nor traceback: what a client raises may carry what it was given.
            at = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {at.filename}:{at.lineno}"
            log.error("a bug: the probe %s of %s failed, others are untouched: %s", check.driver, key, where)
            return Outcome(None, "ProbeFailed", f"the operator's own probe {check.driver} failed: see its log")


def _differs(one: Outcome, other: Outcome) -> bool:
    return (one.ok, one.reason, one.message, one.data) != (other.ok, other.reason, other.message, other.data)
