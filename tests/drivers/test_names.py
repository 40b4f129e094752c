"""Names to addresses, as a real resolver library asks a real server, be that good or bad."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from integration_operator.core.plan import Outcome
from integration_operator.drivers import names
from integration_operator.drivers.names import NoAnswer, UnknownName
from integration_operator.drivers.probes.http import HttpProbe
from tests.drivers.nameserver import FAILURE, REFUSED, nameserver
from tests.drivers.targets import RULES, ask, target

ANSWERS = {
    "both.test": ["2001:db8::7", "192.0.2.9", "192.0.2.7"],
    "six.test": ["2001:db8::7"],
    "none.test": [],
    "broken.test": FAILURE,
    "refused.test": REFUSED,
}


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("both.test", ["192.0.2.7", "192.0.2.9", "2001:db8::7"]),
        ("both.test.", ["192.0.2.7", "192.0.2.9", "2001:db8::7"]),
        ("six.test", ["2001:db8::7"]),
        ("198.51.100.1", ["198.51.100.1"]),
        ("[2001:DB8::1]", ["2001:db8::1"]),
        ("none.test", UnknownName),
        ("missing.test", UnknownName),
        ("a..b", UnknownName),
        ("x" * 64 + ".test", UnknownName),
        ("n\u00e4me.test", UnknownName),
        ("127.1", UnknownName),
        ("broken.test", NoAnswer),
        ("refused.test", NoAnswer),
    ],
)
async def test_each_answer_has_its_meaning(host: str, found: list[str] | type[Exception]) -> None:
    async with nameserver(ANSWERS) as (resolver, _):
        asking = resolver.addresses(host)
        if isinstance(found, list):
            assert await asking == found
        else:
            with pytest.raises(found):
                await asking


async def test_names_that_hang_keep_no_other_waiting() -> None:
    """A pool of threads, as the system's resolver has, would be full long before."""
    hanging = [f"hangs-{n}.test" for n in range(names.AT_ONCE - 1)]
    async with nameserver({**dict.fromkeys(hanging), "good.test": ["192.0.2.7"]}) as (resolver, asked):
        waiting = [asyncio.create_task(resolver.addresses(name)) for name in hanging]
        async with asyncio.timeout(30):
            while not asked >= set(hanging):  # noqa: ASYNC110 - the server has no event for this
                await asyncio.sleep(0.005)
        assert await resolver.addresses("good.test") == ["192.0.2.7"]
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)


async def test_silence_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "SECONDS", 0.2)
    async with nameserver({"silent.test": None}) as (resolver, _):
        with pytest.raises(NoAnswer):
            await resolver.addresses("silent.test")


@pytest.mark.parametrize(("host", "reason"), [("missing.test", "DNSNotFound"), ("broken.test", "DNSFailed")])
async def test_a_probe_tells_what_is_missing_from_what_can_not_be_told(
    monkeypatch: pytest.MonkeyPatch, host: str, reason: str
) -> None:
    async with nameserver(ANSWERS) as (resolver, _):
        monkeypatch.setattr(names, "_latest", resolver)
        outcome: Outcome = await ask(HttpProbe(RULES), target("http", host, 443, None))
        assert (outcome.ok, outcome.reason, outcome.hurry) == (False, reason, True)


ASKING = """
import asyncio, json, sys, uvloop
from integration_operator.drivers import names
from tests.drivers.nameserver import nameserver

async def main():
    answers = {"db.shop.svc.cluster.test": ["192.0.2.7"], "out.example.test": ["192.0.2.8"]}
    async with nameserver(answers, 53) as (_, asked):
        found = {host: await names.addresses(host) for host in sys.argv[1:]}
        await names.close()
        print(json.dumps([found, sorted(asked)]))

uvloop.run(main())
"""


def test_it_asks_as_the_system_does(tmp_path: Path) -> None:
    """With files of its own, in namespaces of its own, and the event loop that the operator runs on."""
    files = {
        "hosts": "127.0.0.1 localhost\n192.0.2.1 written.example.test written\n",
        "resolv.conf": "nameserver 127.0.0.1\nsearch shop.svc.cluster.test svc.cluster.test\noptions ndots:5\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    binds = " && ".join(f"mount --bind {tmp_path / name} /etc/{name}" for name in files)
    script = f'{binds} && ip link set lo up && exec "$@"'
    hosts = ["written", "written.example.test", "db", "db.shop", "out.example.test"]
    inside = ["unshare", "--map-root-user", "--mount", "--net", "sh", "-c", script, "sh"]
    ran = subprocess.run(
        [*inside, sys.executable, "-c", ASKING, *hosts],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": "operator:."},
        cwd=Path(__file__).parents[2],
    )
    assert ran.returncode == 0, ran.stderr
    found, asked = json.loads(ran.stdout)
    assert found == {
        "written": ["192.0.2.1"],
        "written.example.test": ["192.0.2.1"],
        "db": ["192.0.2.7"],
        "db.shop": ["192.0.2.7"],
        "out.example.test": ["192.0.2.8"],
    }
    assert "out.example.test.shop.svc.cluster.test" in asked, "ndots:5 asks the search list first"
    assert not any(name.startswith("written") for name in asked)
