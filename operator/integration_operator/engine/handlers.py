"""The only importer of kopf: it carries the watches on our own kinds, and nothing else.

No change handlers, timers or daemons: those keep annotations and finalizers on every object (docs/decisions/0001).
"""

from collections.abc import Iterable
from typing import Any, cast

import kopf

from integration_operator.core.kind import Kind
from integration_operator.core.model import GROUP, VERSION
from integration_operator.engine.cluster import Cluster
from integration_operator.engine.engine import Engine
from integration_operator.settings import Settings


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

    def seen(type: str | None, body: kopf.Body, **_: Any) -> None:
        engine.seen(type, body._src if isinstance(body._src, dict) else dict(body))

    for kind in kinds:
        kopf.on.event(GROUP, VERSION, kind.plural, id=kind.name, registry=handlers)(seen)
    return handlers


def operator_settings() -> kopf.OperatorSettings:
    """kopf with all that we don't use turned off."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.queueing.idle_timeout = 0.1
    settings.process.ultimate_exiting_timeout = 60
    # A watch must outlive any outage of the API server: after the short ones, try every 10 s for an hour.
    settings.networking.error_backoffs = (0.2, 0.5, 1, 2, 5, *[10] * 360)
    settings.networking.request_timeout = 60
    return settings


async def watch(engine: Engine, cluster: Cluster, kinds: Iterable[Kind[Any, Any]], settings: Settings) -> None:
    """Run kopf until the process is told to stop (SIGTERM, SIGINT) or the watch fails for good."""
    await kopf.operator(
        registry=registry(engine, cluster, kinds),
        settings=operator_settings(),
        clusterwide=not settings.watch_namespaces,
        namespaces=settings.watch_namespaces,
        standalone=True,
        identity=cast(Any, settings.identity),  # kopf would ask for the user's name, which a container may not have
    )
