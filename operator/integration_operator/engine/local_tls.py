"""Keeps the certificate of the operator's own Gateway where nobody brings one: made, and renewed before it ends.

Not the chart, since what a template makes up differs each time: under Argo CD nothing would ever be in sync.
The authority outlives the certificates that it signs, so that callers who trust it go on doing so.
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from integration_operator.core.errors import IntegrationError
from integration_operator.core.model import MANAGER
from integration_operator.core.plan import Manifest
from integration_operator.core.ports import Key
from integration_operator.engine import audit
from integration_operator.engine.apply import NEW
from integration_operator.engine.certificates import Pair, authority, good, good_authority, signed
from integration_operator.engine.cluster import Cluster
from integration_operator.engine.lease import Leadership
from integration_operator.engine.writer import Writer
from integration_operator.settings import Settings

log = structlog.get_logger("local-tls")

GATEWAY_API = "gateway.networking.k8s.io/v1"
LABELS = {"app.kubernetes.io/managed-by": MANAGER}
LOOK_SECONDS = 60.0
"""How often the Secrets are looked at."""
WAIT_SECONDS = 1.0
"""How soon again while another replica leads, or the Gateway is not there yet."""


class LocalTls:
    """`settings.local_certificate` names the Secret; its authority is in another, with `-ca` behind the name."""

    def __init__(self, cluster: Cluster, settings: Settings, leadership: Leadership) -> None:
        self._cluster, self._settings, self._leadership = cluster, settings, leadership
        self._writer = Writer(cluster, leadership.may_write, settings.identity)
        self._namespace = settings.environment.namespace

    async def keep(self) -> None:
        """Look at times, until cancelled."""
        while True:
            done = False
            try:
                done = self._leadership.leads and await self.ensure(datetime.now(UTC))
            except IntegrationError as error:
                log.warning("the local certificate could not be kept", reason=error.reason, detail=str(error))
            except Exception:
                log.exception("a bug: the local certificate could not be kept")
                done = True
            await asyncio.sleep(LOOK_SECONDS if done else WAIT_SECONDS)

    async def ensure(self, now: datetime) -> bool:
        """Make or renew what is due; False where there is no Gateway yet that it could belong to."""
        name = self._settings.environment.gateway
        gateway = await self._cluster.get(GATEWAY_API, "Gateway", self._namespace, name)
        if gateway is None:
            return False
        secret, names = self._settings.local_certificate, self._settings.local_certificate_names
        kept = await self._secret(f"{secret}-ca")
        serving = await self._secret(secret)
        if not (_ours(kept) and _ours(serving)):
            log.warning("the Secret is not the operator's: it is left as it is", secret=secret)
            return True
        issuer = _pair(kept)
        if issuer is None or not good_authority(issuer, now):
            issuer = authority(now)
            await self._apply(gateway, f"{secret}-ca", kept, issuer.data())
        if not good(_pair(serving), issuer, names, now):
            data = {**signed(issuer, names, now).data(), "ca.crt": issuer.data()["tls.crt"]}
            await self._apply(gateway, secret, serving, data)
        return True

    async def _secret(self, name: str) -> Manifest | None:
        found: Manifest | None = await self._cluster.get("v1", "Secret", self._namespace, name)
        return found

    async def _apply(self, gateway: Manifest, name: str, before: Manifest | None, data: Mapping[str, bytes]) -> None:
        """Write over just what was seen; it goes when the Gateway goes."""
        meta = gateway["metadata"]
        owner = {"apiVersion": GATEWAY_API, "kind": "Gateway", "name": meta["name"], "uid": meta["uid"]}
        version = {"resourceVersion": before["metadata"]["resourceVersion"]} if before else NEW
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "labels": LABELS,
                "ownerReferences": [owner],
                **version,
            },
            "data": {key: b64encode(value).decode() for key, value in data.items()},
        }
        with audit.recorded("apply", f"Secret/{name}", Key("Gateway", self._namespace, meta["name"]), gateway):
            await self._writer.apply(secret)


def _ours(secret: Manifest | None) -> bool:
    return secret is None or LABELS.items() <= (secret["metadata"].get("labels") or {}).items()


def _pair(secret: Manifest | None) -> Pair | None:
    data: Mapping[str, Any] = (secret or {}).get("data") or {}
    return Pair.parse({key: b64decode(value) for key, value in data.items()})
