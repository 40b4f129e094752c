"""Does a route work? A request through the gateway for each version, on a new connection."""

import asyncio
import secrets
import time
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

import httpx

from integration_operator.core.addresses import Outbound
from integration_operator.core.plan import Outcome
from integration_operator.drivers.gateway import ProbeHost, ProbeRequest, RouteProbe
from integration_operator.drivers.pem import Unusable
from integration_operator.drivers.probes import dial
from integration_operator.drivers.probes.dial import classify
from integration_operator.drivers.probes.tls import Tls

ANSWERED = "x-envoy-upstream-service-time"
"""Header that Envoy sets on what a backend answered, and on nothing that it made itself."""

PATIENCE_SECONDS = 1.5
"""How long a gateway may take from accepting a configuration to serving it, before that is called a failure."""

AGAIN_SECONDS = 0.05


class Reason(StrEnum):
    """Why a route does or does not work, beside those of connecting (probes/dial.py): add freely, never rename."""

    SERVING = "Serving"
    """Every version was answered by its backend, or with 410 where it is retired."""
    NOT_ROUTED = "NotRouted"
    """The gateway does not know the host name and path."""
    OTHER_ANSWERED = "AnsweredByAnother"
    """Not this configuration answered: the gateway has not taken it, or another route has its place."""
    NOT_GONE = "NotGone"
    """A retired version is answered with something else than 410."""
    UNEXPECTED_STATUS = "UnexpectedStatus"
    """The status is none of probe.expectedStatuses."""
    BACKEND_UNAVAILABLE = "BackendUnavailable"
    """The gateway got no answer from the backend."""
    CREDENTIAL_REFUSED = "CredentialRefused"
    """The backend did not take the credential of its ServiceConnection."""
    GATEWAY_ANSWERED = "GatewayAnswered"
    """The gateway itself answered, and not with what was to be expected."""


class RouteProbing:
    """Driver `route`. Any answer that the gateway did not make itself counts, unless statuses are named."""

    name = "route"

    def __init__(self, rules: Outbound) -> None:
        """The gateway is the platform's own: outbound rules are for addresses that users choose."""

    async def probe(self, target: Any, timeout: timedelta) -> Outcome:
        """See drivers.base.Probe; the first version that does not work decides."""
        assert isinstance(target, RouteProbe)
        patience = time.monotonic() + PATIENCE_SECONDS
        for host in target.hosts:
            try:
                context = await Tls(host.host, ca=host.ca).context()
            except Unusable as error:
                return classify(error, host.host)
            async with httpx.AsyncClient(
                verify=context,
                timeout=timeout.total_seconds(),
                trust_env=False,
                limits=httpx.Limits(max_keepalive_connections=0),
            ) as client:
                for request in host.requests:
                    bad = await self._ask(client, target, host, request)
                    while bad and bad.reason in _PASSING and time.monotonic() < patience:
                        await asyncio.sleep(AGAIN_SECONDS)
                        bad = await self._ask(client, target, host, request)
                    if bad:
                        return bad
        return Outcome(True, Reason.SERVING)

    async def _ask(
        self, client: httpx.AsyncClient, target: RouteProbe, host: ProbeHost, request: ProbeRequest
    ) -> Outcome | None:
        """What is wrong; None where all is well."""
        nonce = secrets.token_hex(8)
        headers = {"Host": host.host, "User-Agent": "integration-operator-probe", "Accept": "*/*"}
        if request.header:
            headers[request.header[0]] = request.header[1]
        if request.mark:
            headers[request.mark.ask] = nonce
        try:
            async with client.stream(
                request.method,
                f"https://{target.address}:{host.port}{request.path}",
                params=dict([request.query]) if request.query else None,
                headers=headers,
                extensions={"sni_hostname": host.host},
            ) as response:
                return judge(target.decisive, host.host, request, response.status_code, response.headers, nonce)
        except (httpx.HTTPError, OSError) as error:
            return _unanswered(classify(error, f"the gateway for {host.host}"), host.host)


def _unanswered(outcome: Outcome, host: str) -> Outcome:
    """What stands in the way to the gateway, with what helps there."""
    hints = {
        dial.Reason.TLS_NAME_MISMATCH: f"the Gateway's certificate is not for {host}: see its listener",
        dial.Reason.TLS_UNTRUSTED: "the Gateway's certificate is not that of its listener's Secret",
    }
    return replace(outcome, message=hints.get(dial.Reason(outcome.reason), outcome.message))


_PASSING = {Reason.NOT_ROUTED, Reason.OTHER_ANSWERED, Reason.NOT_GONE}
"""What is to be seen for a moment, until the gateway serves what it has accepted."""


def judge(
    decisive: bool, host: str, request: ProbeRequest, status: int, headers: httpx.Headers, nonce: str
) -> Outcome | None:
    """What is wrong with an answer; None where it is as it should be."""
    version = f"version {request.version}"
    if request.mark and headers.get(request.mark.answer) != nonce:
        if status == 404:
            return Outcome(False, Reason.NOT_ROUTED, f"the gateway does not know {host}{request.path}")
        return Outcome(
            False,
            Reason.OTHER_ANSWERED,
            f"{version}: {host}{request.path} is answered with {status} by another configuration:"
            " the gateway has not taken this one, or another route has its place",
        )
    if status == 429 and ANSWERED not in headers:
        return None  # its own rate limit: a busy route is not a broken one
    if request.gone:
        return None if status == 410 else Outcome(False, Reason.NOT_GONE, f"{version} answers {status}, not 410")
    if request.expected and status in request.expected:
        return None
    if request.credential and status == 401:
        return Outcome(False, Reason.CREDENTIAL_REFUSED, f"{version}: its backend does not take the credential (401)")
    if status >= 500 and ANSWERED not in headers:
        message = f"{version}: the gateway answers {status}: it gets no answer from the backend"
        return Outcome(False, Reason.BACKEND_UNAVAILABLE, message)
    if request.expected:
        expected = ", ".join(map(str, request.expected))
        return Outcome(False, Reason.UNEXPECTED_STATUS, f"{version} answers {status}, expected {expected}")
    if ANSWERED in headers:
        return None
    if status == 404 and not request.mark:
        return Outcome(False, Reason.NOT_ROUTED, f"the gateway does not know {host}{request.path}")
    if decisive:
        return Outcome(False, Reason.GATEWAY_ANSWERED, f"{version}: the gateway itself answers {status}")
    return None
