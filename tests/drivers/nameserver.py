"""A DNS server on loopback (RFC 1035, as much as a resolver needs) that answers well, badly or not at all."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from struct import pack
from typing import cast

from integration_operator.drivers.names import Names

FAILURE, NO_NAME, REFUSED = 2, 3, 5
A, AAAA = 1, 28

Answers = Mapping[str, list[str] | int | None]
"""By name: its addresses, a response code, or None for silence. Other names do not exist."""


class _Server(asyncio.DatagramProtocol):
    def __init__(self, answers: Answers) -> None:
        self.answers, self.asked = answers, set[str]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        name, end = _name(data)
        self.asked.add(name)
        kind, question = int.from_bytes(data[end : end + 2]), data[12 : end + 4]
        answer = self.answers.get(name, NO_NAME)
        if answer is None:
            return
        code, found = (answer, []) if isinstance(answer, int) else (0, list(map(ip_address, answer)))
        records = [a.packed for a in found if kind == (A if a.version == 4 else AAAA)]
        head = data[:2] + pack("!HHHHH", 0x8180 | code, 1, len(records), 0, 0)
        body = b"".join(b"\xc0\x0c" + pack("!HHIH", kind, 1, 60, len(r)) + r for r in records)
        self.transport.sendto(head + question + body, addr)


def _name(data: bytes) -> tuple[str, int]:
    """The name that is asked for, and where it ends."""
    labels, at = [], 12
    while size := data[at]:
        labels.append(data[at + 1 : at + 1 + size].decode().lower())
        at += 1 + size
    return ".".join(labels), at + 1


@asynccontextmanager
async def nameserver(answers: Answers, port: int = 0) -> AsyncIterator[tuple[Names, set[str]]]:
    """(a resolver that asks it, names that it was asked for)."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: _Server(answers), local_addr=("127.0.0.1", port))
    names = Names([f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"])
    try:
        yield names, server.asked
    finally:
        await names.close()
        transport.close()
