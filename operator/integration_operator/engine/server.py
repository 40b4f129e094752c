"""Health for the kubelet, metrics for Prometheus."""

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from integration_operator.engine.engine import Engine
from integration_operator.settings import Settings


async def serve(engine: Engine, settings: Settings) -> web.AppRunner:
    """`/healthz`, `/readyz`, `/metrics`; the caller cleans the runner up."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if engine.healthy else web.Response(status=500, text="not running\n")

    async def readyz(_: web.Request) -> web.Response:
        ready = engine.known.is_set()
        return web.Response(status=200 if ready else 503, text="ok\n" if ready else "still listing objects\n")

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", exposition)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, settings.host, settings.port).start()
    return runner
