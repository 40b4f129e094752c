"""A level-triggered queue of keys: each waits at most once, is worked on by one worker at a time, and has one timer."""

import asyncio
import math
import random
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from integration_operator.engine.lanes import Lanes

T = TypeVar("T", bound=Hashable)


class KeyedQueue(Generic[T]):
    """Keys in, keys out, in order of arrival; one that comes back while it is worked on waits until that is done."""

    def __init__(
        self,
        base: float = 0.5,
        cap: float = 300.0,
        *,
        lane: Callable[[T], Hashable] = lambda _: None,
        width: float = math.inf,
    ) -> None:
        """Back-off in seconds: the first one, and the longest. Of a lane, at most `width` keys are out at once."""
        self._base, self._cap = base, cap
        self._ready = Lanes(lane, width)
        self._waiting: dict[T, float] = {}
        self._busy: set[T] = set()
        self._timers: dict[T, asyncio.TimerHandle] = {}
        self._failures: dict[T, int] = {}

    def add(self, key: T) -> None:
        """Let the key be worked on as soon as possible."""
        if key in self._waiting:
            return
        self._waiting[key] = time.monotonic()
        if key not in self._busy:
            self._ready.put(key)

    def schedule(self, key: T, delay: float | None) -> None:
        """Set the key's one timer, in seconds from now; None takes it away."""
        if handle := self._timers.pop(key, None):
            handle.cancel()
        if delay is not None:
            self._timers[key] = asyncio.get_running_loop().call_later(max(0.0, delay), self._ring, key)

    def _ring(self, key: T) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def retry(self, key: T, after: float | None = None) -> float:
        """Schedule after an exponential back-off with jitter, at least `after` seconds; says how long."""
        count = self._failures[key] = self._failures.get(key, 0) + 1
        delay: float = min(self._cap, self._base * 2.0 ** min(count - 1, 32)) * random.uniform(0.5, 1.0)  # noqa: S311
        delay = max(delay, after or 0.0)
        self.schedule(key, delay)
        return delay

    def succeeded(self, key: T) -> None:
        """The next failure begins with the first back-off again."""
        self._failures.pop(key, None)

    def forget(self, key: T) -> None:
        """Drop timer and failures of a key that is gone."""
        self.schedule(key, None)
        self._failures.pop(key, None)

    async def get(self) -> tuple[T, float]:
        """The next key, which is busy until `done`, and the seconds that it waited."""
        key = await self._ready.get()
        self._busy.add(key)
        return key, time.monotonic() - self._waiting.pop(key)

    def done(self, key: T) -> None:
        """The worker is finished with the key."""
        self._busy.discard(key)
        self._ready.done(key)
        if key in self._waiting:
            self._ready.put(key)

    @property
    def depth(self) -> int:
        """Keys that wait now."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is worked on; timers may be set."""
        return not self._waiting and not self._busy

    def clear(self) -> None:
        """Drop every timer and waiting key, as when leadership ends."""
        for handle in self._timers.values():
            handle.cancel()
        self._timers.clear()
        self._failures.clear()
        self._ready.clear()
        self._waiting.clear()
