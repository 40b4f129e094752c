"""The way that probes take: to the first address that answers, and no more comes back than a probe has use for.

Clients of databases and brokers buffer whatever a server says that it will send. So they are given a port on loopback,
and what they and the other side say is carried to and fro, up to a bound.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from integration_operator.core.addresses import Outbound
from integration_operator.drivers.probes.dial import Reason, Unconnected, opened

LOOPBACK = "127.0.0.1"
LIMIT = 1024 * 1024
"""The most bytes that the other side may send."""
CHUNK = 16384


@asynccontextmanager
async def relayed(host: str, port: int, rules: Outbound, limit: float = LIMIT) -> AsyncIterator[int]:
    """The port on LOOPBACK through which one client reaches the other side, once and as long as this lasts.

    `limit` is infinite for clients that keep to bounds of their own.
    """
    with await opened(host, port, rules) as far, socket.create_server((LOOPBACK, 0)) as listener:
        listener.setblocking(False)
        relay = _Relay(far, listener, limit)
        carrying = asyncio.create_task(relay.carry())
        try:
            async with asyncio.timeout(None) as relay.patience:
                yield listener.getsockname()[1]
        except Exception as error:
            if relay.allowance < 0:
                message = f"{host} sends more than {limit // 1024} KiB where a short answer was due"
                raise Unconnected(Reason.PROTOCOL_ERROR, message) from error
            if relay.lost:
                raise ExceptionGroup("what the client says, and why", [error, relay.lost]) from None
            raise
        finally:
            carrying.cancel()
            await asyncio.wait([carrying])


class _Relay:
    """Carries what is said. `lost` is how the connection to the other side broke, if it did."""

    patience: asyncio.Timeout
    """Ends what the client does: some would wait for the rest of what was announced."""

    def __init__(self, far: socket.socket, listener: socket.socket, limit: float) -> None:
        self.allowance = limit
        self.lost: OSError | None = None
        self._far, self._listener = far, listener

    async def carry(self) -> None:
        """Until both have said all, or either is gone."""
        near, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        with near:
            near.setblocking(False)
            self._listener.close()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._up(near))
                both.create_task(self._down(near))

    async def _up(self, near: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while said := await loop.sock_recv(near, CHUNK):
                await loop.sock_sendall(self._far, said)
            self._far.shutdown(socket.SHUT_WR)

    async def _down(self, near: socket.socket) -> None:
        """However it ends, the client first gets what was said before: an alert that tells why, perhaps."""
        loop = asyncio.get_running_loop()
        try:
            while said := await self._heard(loop):
                await loop.sock_sendall(near, said)
        except OSError:
            return  # the client has gone
        with suppress(OSError):
            near.shutdown(socket.SHUT_WR)

    async def _heard(self, loop: asyncio.AbstractEventLoop) -> bytes:
        """What the other side says next; nothing when it is done, broken, or has said too much."""
        try:
            said = await loop.sock_recv(self._far, CHUNK)
        except OSError as error:
            self.lost = error
            return b""
        self.allowance -= len(said)
        if self.allowance >= 0:
            return said
        self.patience.reschedule(loop.time())
        return b""
