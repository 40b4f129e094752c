"""Host names to addresses, for all who connect: one resolver for the process, which no slow name can hold up.

It asks as the system would (`/etc/hosts`, and the servers, search list and ndots of `/etc/resolv.conf`), but with no
pool of threads behind it: there, a few names that hang keep all others waiting.
"""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address

from aiodns import DNSResolver
from aiodns.error import ARES_EBADNAME, ARES_ENODATA, ARES_ENOTFOUND, DNSError

SECONDS = 5.0
"""The longest that a name may take."""
TRY_SECONDS, TRIES = 2.0, 2
"""How long one server is waited for, and how often each is asked."""
AT_ONCE = 256
"""Names that are asked for at one time: more than there are probes."""


class UnknownName(Exception):
    """There is no such name, or it has no address."""


class NoAnswer(Exception):
    """The resolver failed or did not answer: whether there is such a name is not known."""


class Names:
    """Belongs to the loop that it was made in. `servers` (address or address:port) are those of the system if None."""

    def __init__(self, servers: Sequence[str] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self._resolver = DNSResolver(servers, self.loop, timeout=TRY_SECONDS, tries=TRIES)
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def addresses(self, host: str) -> list[str]:
        """All addresses of a host, IPv4 first; an address is its own. Raises UnknownName or NoAnswer."""
        try:
            return [str(ip_address(host.strip("[]")))]
        except ValueError:
            if not host.isascii():
                raise UnknownName(f"{host!r} is no host name") from None
        try:
            async with asyncio.timeout(SECONDS), self._turns:
                found = await self._resolver.getaddrinfo(host, socket.AF_UNSPEC, type=socket.SOCK_STREAM)
        except DNSError as error:
            code, text = error.args
            known = code in (ARES_ENOTFOUND, ARES_ENODATA, ARES_EBADNAME)
            raise (UnknownName if known else NoAnswer)(f"{host}: {text}") from None
        except TimeoutError:
            raise NoAnswer(f"{host}: no answer within {SECONDS:g}s") from None
        return sorted({node.addr[0].decode() for node in found.nodes}, key=lambda a: (":" in a, a))

    async def close(self) -> None:
        """Before the loop ends: who still waits is told that there is no answer."""
        await self._resolver.close()


_latest: Names | None = None


async def addresses(host: str) -> list[str]:
    """As Names.addresses, by the resolver of this process."""
    global _latest
    if _latest is None or _latest.loop is not asyncio.get_running_loop():
        _latest = Names()
    return await _latest.addresses(host)


async def close() -> None:
    """The resolver of this process; who asks later gets another."""
    global _latest
    closing, _latest = _latest, None
    if closing is not None:
        await closing.close()
