"""Which of several addresses is connected to, and what is said where none takes a connection."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from integration_operator.core.addresses import AddressRules
from integration_operator.drivers import names
from integration_operator.drivers.probes.dial import classify, opened
from tests.drivers.targets import RULES


@pytest.fixture
def listening() -> Iterator[int]:
    """The port of 127.0.0.1 that takes connections; no other address of loopback does on that port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the name resolves to."""
    found: list[str] = []

    async def addresses(host: str) -> list[str]:
        return found

    monkeypatch.setattr(names, "addresses", addresses)
    return found


async def dialled(port: int, rules: AddressRules = RULES) -> str:
    """The address that took the connection, or the reason why none did."""
    try:
        async with asyncio.timeout(60):
            with await opened("several.test", port, rules) as connection:
                return str(connection.getpeername()[0])
    except Exception as error:
        return classify(error, "several.test").reason


@pytest.mark.parametrize(
    ("addresses", "result"),
    [
        (["127.0.0.1"], "127.0.0.1"),
        (["127.0.0.2"], "ConnectionRefused"),
        (["127.0.0.2", "127.0.0.1"], "127.0.0.1"),
        (["127.0.0.2", "127.0.0.3", "::1", "127.0.0.1"], "127.0.0.1"),
        (["127.0.0.2", "127.0.0.3"], "ConnectionRefused"),
        (["127.0.0.2", "255.255.255.255"], "NetworkUnreachable"),
        (["127.0.0.1", "169.254.169.254"], "AddressDenied"),
    ],
)
async def test_one_after_the_other(listening: int, resolved: list[str], addresses: list[str], result: str) -> None:
    resolved += addresses
    rules = AddressRules.of(allow=["127.0.0.0/8", "::1/128", "255.255.255.255/32"])
    assert await dialled(listening, rules) == result


async def test_one_that_hangs_keeps_no_other_waiting(listening: int, resolved: list[str]) -> None:
    """A server whose queue is full: the kernel lets further connections wait."""
    resolved += ["127.0.0.2", "127.0.0.1"]
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.2", listening))
        full.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.2", listening))
        assert await dialled(listening) == "127.0.0.1"
