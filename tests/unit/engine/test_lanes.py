"""Lanes: who brings too many waits for himself alone."""

from integration_operator.engine.lanes import Lanes
from integration_operator.engine.queue import KeyedQueue


def lanes(width: int) -> Lanes[str]:
    return Lanes(lambda item: item[0], width)


async def test_items_come_out_in_order_of_arrival() -> None:
    two = lanes(2)
    for item in ("a1", "b1", "a2", "c1"):
        two.put(item)
    assert [await two.get() for _ in range(4)] == ["a1", "b1", "a2", "c1"]


async def test_a_full_lane_lets_the_others_pass() -> None:
    two = lanes(2)
    for item in (*(f"a{i}" for i in range(1000)), "b0"):
        two.put(item)
    assert [await two.get() for _ in range(3)] == ["a0", "a1", "b0"]
    two.done("a1")
    assert await two.get() == "a2", "one of a lane makes place for the next of it"


async def test_those_who_waited_beside_queue_up_behind_the_others() -> None:
    one = lanes(1)
    for item in ("a1", "a2", "b1", "c1"):
        one.put(item)
    assert await one.get() == "a1"
    one.done("a1")
    assert [await one.get() for _ in range(3)] == ["b1", "c1", "a2"]


async def test_what_was_dropped_takes_no_place() -> None:
    two = lanes(2)
    for item in ("a1", "a2", "a3"):
        two.put(item)
    assert await two.get() == "a1"
    two.clear()
    two.put("a4")
    assert await two.get() == "a4"
    two.done("a4")
    two.done("a1")
    assert not two._used
    assert not two._under_way


async def test_a_queue_hands_out_so_many_of_a_lane_and_loses_none() -> None:
    queue: KeyedQueue[str] = KeyedQueue(lane=lambda key: key[0], width=3)
    for i in range(20):
        queue.add(f"a{i}")
    seen = []
    out = [(await queue.get())[0] for _ in range(3)]
    queue.add("a0")  # comes back while it is worked on
    while out:
        key = out.pop(0)
        seen.append(key)
        queue.done(key)
        if queue.depth:
            out.append((await queue.get())[0])
        assert len(out) <= 3
    assert sorted(seen) == sorted(["a0", *(f"a{i}" for i in range(20))])
    assert queue.idle
