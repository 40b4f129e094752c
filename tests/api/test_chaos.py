"""The operator killed (-9) while its objects change, on a small scale; `make chaos` is the large one."""

from pathlib import Path

from dev.chaos.run import chaos


async def test_kills_leave_no_trace_in_the_end_state(tmp_path: Path) -> None:
    report = await chaos(kills=10, count=40, seed=7, home=tmp_path, say=print)
    assert report.kills.total() == 10
    assert report.compared["child"] > 40
    assert report.different == []
