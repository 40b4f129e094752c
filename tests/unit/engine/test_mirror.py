"""A mirror of a kind, fed by a scripted list and watch."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from integration_operator.core.errors import Unavailable
from integration_operator.engine.cluster import Cluster
from integration_operator.engine.mirror import Gvk, Mirror

GVK = Gvk("example.com/v1", "Thing")
NAME = ("shop", "one")


def thing(version: int) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": "one", "uid": "u", "resourceVersion": str(version)}}


class Script:
    """An API server that says what the test tells it to."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    async def path(self, *_: Any) -> str:
        return "/things"

    async def list_pages(self, *_: Any) -> AsyncIterator[tuple[list[Any], str]]:
        yield [thing(5)], "10"

    async def watch(self, *_: Any) -> AsyncIterator[tuple[str, Any]]:
        while True:
            yield await self.events.get()


async def mirrored(script: Script, seen: list[Any], noted: list[Any] | None = None) -> Mirror:
    told = noted if noted is not None else list[Any]()
    mirror = Mirror(cast(Cluster, script), GVK, lambda *change: seen.append(change), lambda *own: told.append(own))
    mirror.start()
    await mirror.synced.wait()
    return mirror


async def after(seen: list[Any], count: int) -> None:
    async with asyncio.timeout(5):
        while len(seen) < count:  # noqa: ASYNC110 - the mirror tells by a plain call
            await asyncio.sleep(0)


async def test_an_own_write_is_news_for_others_only_and_is_not_undone_by_older_events() -> None:
    script, seen, noted = Script(), list[Any](), list[Any]()
    mirror = await mirrored(script, seen, noted)
    mirror.note(thing(14))
    assert noted == [(GVK, NAME)]
    script.events.put_nowait(("MODIFIED", thing(12)))
    script.events.put_nowait(("MODIFIED", thing(14)))
    script.events.put_nowait(("MODIFIED", thing(15)))
    await after(seen, 2)
    assert [change[3]["resourceVersion"] for change in seen] == ["5", "15"]
    await mirror.stop()


async def test_an_answer_that_comes_after_the_deletion_brings_nothing_back() -> None:
    script, seen = Script(), list[Any]()
    mirror = await mirrored(script, seen)
    script.events.put_nowait(("DELETED", thing(13)))
    await after(seen, 2)
    mirror.note(thing(12))
    assert mirror.get(NAME) is None
    await mirror.stop()


async def test_an_own_write_that_the_watch_brings_first_is_news_for_others_only() -> None:
    script, seen, noted = Script(), list[Any](), list[Any]()
    mirror = await mirrored(script, seen, noted)
    answer = asyncio.get_running_loop().create_future()
    writing = asyncio.create_task(mirror.written(NAME, answer))
    for version in (12, 14):
        script.events.put_nowait(("MODIFIED", thing(version)))
    async with asyncio.timeout(5):
        while (mirror.get(NAME) or {})["metadata"]["resourceVersion"] != "14":  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
    assert [change[3]["resourceVersion"] for change in seen] == ["5"]
    answer.set_result(thing(14))
    await writing
    assert [change[3]["resourceVersion"] for change in seen] == ["5", "12"]
    assert noted == [(GVK, NAME)]
    await mirror.stop()


async def test_what_the_watch_brings_during_a_write_that_fails_is_told() -> None:
    script, seen = Script(), list[Any]()
    mirror = await mirrored(script, seen)
    answer = asyncio.get_running_loop().create_future()
    writing = asyncio.create_task(mirror.written(NAME, answer))
    script.events.put_nowait(("MODIFIED", thing(12)))
    async with asyncio.timeout(5):
        while (mirror.get(NAME) or {})["metadata"]["resourceVersion"] != "12":  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
    answer.set_exception(Unavailable("gone"))
    with pytest.raises(Unavailable):
        await writing
    assert [change[3]["resourceVersion"] for change in seen] == ["5", "12"]
    await mirror.stop()
