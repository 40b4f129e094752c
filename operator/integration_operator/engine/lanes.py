"""Items in order of arrival, but only so many of a lane at once: who brings too many waits for himself alone."""

import asyncio
import math
from collections import defaultdict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Lanes(Generic[T]):
    """At most `width` items of a lane are under way (ready or taken); the others wait beside, first come first."""

    def __init__(self, lane: Callable[[T], Hashable], width: float = math.inf) -> None:
        self._lane, self._width = lane, width
        self._ready: asyncio.Queue[T] = asyncio.Queue()
        self._under_way: dict[T, Hashable] = {}
        self._used: defaultdict[Hashable, int] = defaultdict(int)
        self._beside: defaultdict[Hashable, deque[T]] = defaultdict(deque)

    def put(self, item: T) -> None:
        """An item that is in no lane yet."""
        lane = self._lane(item)
        if self._used[lane] < self._width:
            self._used[lane] += 1
            self._admit(item, lane)
        else:
            self._beside[lane].append(item)

    async def get(self) -> T:
        """The next item; its place in the lane is free again after `done`."""
        return await self._ready.get()

    def done(self, item: T) -> None:
        """Give the place of an item that was taken to the next of its lane."""
        lane = self._under_way.pop(item)
        if beside := self._beside.get(lane):
            self._admit(beside.popleft(), lane)
        else:
            self._leave(lane)

    def clear(self) -> None:
        """Drop all that was not taken."""
        self._beside.clear()
        while not self._ready.empty():
            self._leave(self._under_way.pop(self._ready.get_nowait()))

    def _admit(self, item: T, lane: Hashable) -> None:
        self._under_way[item] = lane
        self._ready.put_nowait(item)

    def _leave(self, lane: Hashable) -> None:
        self._beside.pop(lane, None)
        self._used[lane] -= 1
        if not self._used[lane]:
            del self._used[lane]
