"""The keyed queue: once in the queue, one worker a key, one timer a key."""

import asyncio

from integration_operator.engine.queue import KeyedQueue


async def test_a_key_added_twice_is_handed_out_once() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.add("a")
    queue.add("a")
    assert (await queue.get())[0] == "a"
    queue.done("a")
    assert queue.idle


async def test_a_key_added_while_worked_on_waits_until_that_is_done() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.add("b")
    assert (await queue.get())[0] == "b", "the busy key is not handed to a second worker"
    queue.done("a")
    assert (await queue.get())[0] == "a"


async def test_the_newest_schedule_of_a_key_replaces_the_one_before() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.schedule("a", 3600)
    queue.schedule("a", 0)
    assert (await asyncio.wait_for(queue.get(), 1))[0] == "a"
    queue.done("a")
    queue.schedule("a", 0)
    queue.schedule("a", None)
    await asyncio.sleep(0)
    assert queue.idle


async def test_back_off_grows_up_to_its_cap_and_starts_over_after_success() -> None:
    queue: KeyedQueue[str] = KeyedQueue(base=1.0, cap=8.0)
    delays = [queue.retry("a") for _ in range(6)]
    for delay, longest in zip(delays, (1, 2, 4, 8, 8, 8), strict=True):
        assert longest / 2 <= delay <= longest
    queue.succeeded("a")
    assert queue.retry("a") <= 1.0
    queue.clear()


async def test_back_off_waits_at_least_as_long_as_the_other_side_asked() -> None:
    queue: KeyedQueue[str] = KeyedQueue(base=0.1)
    assert queue.retry("a", after=30) == 30
    queue.clear()


async def test_back_off_of_one_key_does_not_hold_another() -> None:
    queue: KeyedQueue[str] = KeyedQueue(base=60)
    queue.retry("bad")
    queue.add("good")
    assert (await asyncio.wait_for(queue.get(), 1))[0] == "good"
    queue.clear()


async def test_clear_drops_what_waits_and_every_timer() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.add("a")
    queue.schedule("b", 0)
    queue.clear()
    await asyncio.sleep(0.01)
    assert queue.depth == 0


async def test_clear_while_a_key_is_worked_on_leaves_nothing_behind() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.clear()
    queue.done("a")
    assert queue.idle, "what came before the clearing does not come back"
    queue.add("a")
    assert (await asyncio.wait_for(queue.get(), 1))[0] == "a", "what comes afterwards does, once"
    queue.done("a")
    assert queue.idle


async def test_a_key_forgotten_while_it_is_worked_on_comes_once_more_and_then_rests() -> None:
    queue: KeyedQueue[str] = KeyedQueue(base=60)
    queue.add("a")
    await queue.get()
    queue.forget("a")
    queue.add("a")  # its deletion
    queue.retry("a")
    queue.done("a")
    assert (await asyncio.wait_for(queue.get(), 1))[0] == "a"
    queue.schedule("a", None)
    queue.succeeded("a")
    queue.done("a")
    await asyncio.sleep(0.01)
    assert queue.idle
