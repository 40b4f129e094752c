"""A proxy before the API server, for faults that can't be had from a real one at will: answers, delays, lost links."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
from aiohttp import web

from tests.api.kube import AuditedApiServer

Fault = Callable[[web.Request], web.Response | None]


class Proxy:
    """Plain HTTP in, the administrator's TLS out. `fault` answers in the API server's place where it wants to."""

    def __init__(self, server: AuditedApiServer) -> None:
        self.fault: Fault = lambda _: None
        self.url = ""
        self._server = server
        self.paths: list[str] = []
        """Every path that was asked for."""
        self.gone = 0
        """How often a watch was told 410 Gone."""
        self._flow = asyncio.Event()
        self._flow.set()
        self._cut = False
        self._open: set[asyncio.Task[Any]] = set()

    async def cut(self) -> None:
        """Lose every connection, and refuse new ones."""
        self._cut = True
        for task in list(self._open):
            task.cancel()

    def mend(self) -> None:
        """Let connections through again."""
        self._cut = False

    def freeze(self) -> None:
        """Keep watches open, and let nothing through them: what a dead link looks like."""
        self._flow.clear()

    def thaw(self) -> None:
        self._flow.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        connector = aiohttp.TCPConnector(ssl=self._server.client_context(), limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as self._session:
            app = web.Application(client_max_size=2**24)
            app.router.add_route("*", "/{path:.*}", self._pass)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            try:
                yield self
            finally:
                await self.cut()
                await runner.cleanup()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        if self._cut:
            return self._hang_up(request)
        self.paths.append(request.path)
        if (answer := self.fault(request)) is not None:
            return answer
        self._open.add(task)
        try:
            return await self._forward(request)
        except (asyncio.CancelledError, aiohttp.ClientError, ConnectionError):
            return self._hang_up(request)
        finally:
            self._open.discard(task)

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ("host", "content-length")}
        async with self._session.request(
            request.method,
            self._server.url + request.path_qs,
            data=await request.read() or None,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as upstream:
            dropped = ("transfer-encoding", "content-length", "connection")
            kept = {k: v for k, v in upstream.headers.items() if k.lower() not in dropped}
            response = web.StreamResponse(status=upstream.status, headers=kept)
            await response.prepare(request)
            async for chunk in upstream.content.iter_any():
                if "watch" in request.query:
                    self.gone += b'"code":410' in chunk
                    await self._flow.wait()
                await response.write(chunk)
            await response.write_eof()
            return response

    @staticmethod
    def _hang_up(request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)


def status(code: int, message: str, **headers: str) -> web.Response:
    """An error as the API server writes it."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    return web.json_response(body, status=code, headers={k.replace("_", "-"): v for k, v in headers.items()})
