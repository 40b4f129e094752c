"""Servers that mean ill: what they say that they will send is never waited for, nor kept."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from struct import pack

import pytest

from integration_operator.drivers.base import Probe
from integration_operator.drivers.probes.nats import NatsProbe
from integration_operator.drivers.probes.postgresql import PostgresqlProbe
from integration_operator.drivers.probes.relay import LIMIT, LOOPBACK, relayed
from tests.drivers.targets import RULES, ask, target

GIGABYTE = 10**9
AT_MOST = 16 * LIMIT
"""What the kernel may hold beside it: buffers of two connections."""

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def hostile(greet: Talk) -> AsyncIterator[tuple[int, list[int]]]:
    """(port of a server that greets and then sends a gigabyte, list with the bytes that it got rid of)."""
    sent: list[int] = []

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await greet(reader, writer)
            sent.append(0)
            while sent[-1] < GIGABYTE:
                writer.write(b"x" * 65536)
                await writer.drain()
                sent[-1] += 65536

    async with serving(send) as port:
        yield port, sent


@asynccontextmanager
async def serving(talk: Talk) -> AsyncIterator[int]:
    """The port of a server that talks so; every connection has been ended by the other side, or is, at the end."""
    talking = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talking.add(asyncio.current_task())
        try:
            await talk(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*talking)


async def postgresql(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1024)
    writer.write(b"R" + pack("!II", 8, 0) + b"S" + pack("!I", GIGABYTE))


async def postgresql_error(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1024)
    writer.write(b"E" + pack("!I", 2**31 - 1) + b"M")


async def nats_greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'INFO {"server_id": "')


async def nats_message(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'INFO {"server_id": "x", "version": "2.15.1", "max_payload": 1048576, "headers": true}\r\n')
    await reader.readuntil(b"\r\n")
    writer.write(b"+OK\r\n")
    await reader.readuntil(b"PING\r\n")
    writer.write(b"PONG\r\nMSG x 1 %d\r\n" % GIGABYTE)


@pytest.mark.parametrize(
    ("probe", "type_", "greet"),
    [
        (PostgresqlProbe(RULES), "postgresql", postgresql),
        (PostgresqlProbe(RULES), "postgresql", postgresql_error),
        (NatsProbe(RULES), "nats", nats_message),
    ],
)
async def test_what_is_too_much_is_not_taken(probe: Probe, type_: str, greet: Talk) -> None:
    async with hostile(greet) as (port, sent):
        outcome = await ask(probe, target(type_, "127.0.0.1", port, None, encrypted=False))
        assert (outcome.ok, outcome.reason) == (False, "ProtocolError")
        assert "sends more than 1024 KiB" in outcome.message
    assert len(sent) == 1
    assert sent[0] < AT_MOST


async def test_a_greeting_without_end() -> None:
    async with hostile(nats_greeting) as (port, sent):
        outcome = await ask(NatsProbe(RULES), target("nats", "127.0.0.1", port, None, encrypted=False))
        assert (outcome.ok, outcome.reason) == (False, "ProtocolError")
    assert len(sent) == 1
    assert sent[0] < AT_MOST


async def test_what_is_said_goes_to_and_fro_whole() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        writer.close()
        await writer.wait_closed()

    text = bytes(range(256)) * (LIMIT // 256)
    async with serving(echo) as server, relayed("127.0.0.1", server, RULES) as port:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.write(text)
        writer.write_eof()
        assert await reader.read() == text
        writer.close()


async def test_only_one_client_is_let_through() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"INFO ")
        await reader.read()

    async with serving(greet) as server, relayed("127.0.0.1", server, RULES) as port:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        assert await reader.readexactly(5) == b"INFO "
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOOPBACK, port)
        writer.close()


async def test_a_connection_that_breaks_is_told_as_such() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        linger = pack("ii", 1, 0)  # it is reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async with serving(hang_up) as port:
        what = target("postgresql", "127.0.0.1", port, None, encrypted=False)
        assert (await ask(PostgresqlProbe(RULES), what)).reason == "ConnectionReset"
