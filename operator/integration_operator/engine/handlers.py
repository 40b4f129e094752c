"""The only importer of kopf: it carries the watches on our own kinds, and nothing else.

No change handlers, timers or daemons: those keep annotations and finalizers on every object (docs/decisions/0001).
"""

import asyncio
import logging
import signal
from collections.abc import Iterable
from typing import Any, cast

import kopf

from integration_operator.core.kind import Kind
from integration_operator.core.model import API_VERSION, GROUP, VERSION
from integration_operator.engine.cluster import PAGE, Cluster, pause
from integration_operator.engine.engine import Engine
from integration_operator.settings import Settings

log = logging.getLogger(__name__)

AGAIN_SECONDS = 3.0
"""How soon the watches begin anew where they failed as a whole."""


def registry(engine: Engine, cluster: Cluster, kinds: Iterable[Kind[Any, Any]]) -> kopf.OperatorRegistry:
    """One line a kind: every event goes to the engine."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        configuration = cluster.configuration
        token = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        scheme, secret = (token or " ").split(" ", 1)
        return kopf.ConnectionInfo(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            insecure=not configuration.verify_ssl,
            scheme=scheme or None,
            token=secret or None,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
        )

    # Async although it awaits nothing: kopf runs plain functions in threads, and the engine belongs to the loop.
    async def seen(type: str | None, body: kopf.Body, **_: Any) -> None:
        engine.seen(type, body._src if isinstance(body._src, dict) else dict(body))

    for kind in kinds:
        kopf.on.event(GROUP, VERSION, kind.plural, id=kind.name, registry=handlers)(seen)
    return handlers


class _NoDiffs(kopf.DiffBaseStorage):
    """Change handlers compare objects with an older self; we have none, and spare the copy of every object."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> Any:
        return None  # an empty BodyEssence would be copied for each event

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        return None


def operator_settings() -> kopf.OperatorSettings:
    """kopf with all that we don't use turned off."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.watching.chunk_size = PAGE  # else all objects would be in memory at once, as parsed JSON
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.peering.standalone = True
    settings.queueing.idle_timeout = 0.1
    settings.process.ultimate_exiting_timeout = None
    # A watch must outlive any outage of the API server: after the short ones, try every 3 s for an hour.
    settings.networking.error_backoffs = (0.2, 0.5, 1, 2, *[3] * 1200)
    settings.networking.request_timeout = 60
    return settings


async def watch(
    engine: Engine, cluster: Cluster, kinds: Iterable[Kind[Any, Any]], settings: Settings, stop: asyncio.Event
) -> None:
    """Bring every event to the engine until `stop` is set; what ends kopf's watches for good only begins them anew."""
    kinds = tuple(kinds)
    asyncio.get_running_loop().set_exception_handler(_unread)
    while not stop.is_set():
        try:
            for kind in kinds:  # kopf would never look again for what is not served when it starts
                await cluster.path(API_VERSION, kind.name)
            await _watch(engine, cluster, kinds, settings, stop)
        except Exception as error:
            log.warning("the watches failed and begin anew: %s: %s", type(error).__name__, error)
            await pause(AGAIN_SECONDS, stop)


async def _watch(
    engine: Engine, cluster: Cluster, kinds: Iterable[Kind[Any, Any]], settings: Settings, stop: asyncio.Event
) -> None:
    """kopf.operator without its end, which cancels all tasks of the process: the engine's own must finish."""
    tasks = await kopf.spawn_tasks(
        registry=registry(engine, cluster, kinds),
        settings=operator_settings(),
        clusterwide=not settings.watch_namespaces,
        namespaces=settings.watch_namespaces,
        standalone=True,
        identity=cast(Any, settings.identity),  # kopf would ask for the user's name, which a container may not have
        stop_flag=stop,
    )
    _stop_on_signals(stop)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ends:
        if isinstance(error, Exception):
            raise error


def _unread(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Ended amid events, kopf leaves generators half-read, which Python complains of at the very end: no news."""
    if "asyncgen" in context:
        log.debug("closed: %s", context.get("message"))
    else:
        loop.default_exception_handler(context)


def _stop_on_signals(stop: asyncio.Event) -> None:
    """As the kubelet (SIGTERM) and a person (SIGINT) ask for it; kopf has just set its own handlers."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
