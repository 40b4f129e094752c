"""What the probes that speak HTTP have in common, against a server that means ill."""

import gzip
from datetime import timedelta

import pytest
from aiohttp import web

from integration_operator.core.addresses import AddressRules
from integration_operator.drivers.probes.web import beginning, request

LIMIT = 4096
RULES = AddressRules.of(allow=["127.0.0.0/8"])


async def answered(body: bytes, **headers: str) -> tuple[bytes, str]:
    """What is taken of an answer, and which encodings were asked for."""
    asked = []

    async def answer(incoming: web.Request) -> web.Response:
        asked.append(incoming.headers.get("Accept-Encoding", ""))
        return web.Response(body=body, headers=headers)

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        seconds = timedelta(seconds=10)
        async with request("GET", url, rules=RULES, context=None, timeout=seconds, headers={}) as response:
            return await beginning(response, LIMIT), asked[0]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("size", [100_000, 50_000_000])
async def test_only_the_beginning_of_a_body_is_taken(size: int) -> None:
    assert await answered(b"x" * size) == (b"x" * LIMIT, "identity")


@pytest.mark.parametrize("layers", [1, 2])
async def test_what_is_packed_is_not_unpacked(layers: int) -> None:
    bomb = b"\0" * 50_000_000
    for _ in range(layers):
        bomb = gzip.compress(bomb)
    encoding = ", ".join(["gzip"] * layers)
    assert await answered(bomb, **{"Content-Encoding": encoding}) == (b"", "identity")
