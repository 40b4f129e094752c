"""Does a route work? A request through the gateway for each version, on a new connection."""

import ssl
from datetime import timedelta
from enum import StrEnum
from typing import Any

import httpx

from integration_operator.core.addresses import AddressRules
from integration_operator.core.plan import Outcome
from integration_operator.drivers.gateway import ProbeRequest, RouteProbe
from integration_operator.drivers.probes.dial import Tls, Unconnected, classify

ANSWERED = "x-envoy-upstream-service-time"
"""Header that Envoy sets on what a backend answered, and on nothing that it made itself."""


class Reason(StrEnum):
    """What became of the requests: add freely, never rename. Failures on the way to the gateway are those of dial."""

    SERVING = "Serving"
    """Every version was answered as it should be."""
    NOT_ROUTED = "NotRouted"
    """The gateway does not know the route yet."""
    BACKEND_UNAVAILABLE = "BackendUnavailable"
    """The gateway answers in place of a backend that does not: see its pods."""
    GATEWAY_ANSWERED = "GatewayAnswered"
    """The gateway itself answers, where the backend should."""
    NOT_GONE = "NotGone"
    """A Retired version does not answer 410."""
    UNEXPECTED_STATUS = "UnexpectedStatus"
    """A version answers with a status that is not one of probe.expectedStatuses."""


class RouteProbing:
    """Driver `route`. Any answer that the gateway did not make itself counts, unless statuses are named."""

    name = "route"

    def __init__(self, rules: AddressRules) -> None:
        """The gateway is the platform's own: outbound rules are for addresses that users choose."""

    async def probe(self, target: Any, timeout: timedelta) -> Outcome:
        """See drivers.base.Probe; the first version that does not work decides."""
        assert isinstance(target, RouteProbe)
        try:
            context = Tls(target.host, ca=target.ca).context()
        except Unconnected as error:
            return error.outcome
        for request in target.requests:
            bad = await self._ask(target, request, context, timeout)
            if bad is not None:
                return bad
        return Outcome(True, Reason.SERVING)

    async def _ask(
        self, target: RouteProbe, request: ProbeRequest, context: ssl.SSLContext, timeout: timedelta
    ) -> Outcome | None:
        headers = {"Host": target.host, "User-Agent": "integration-operator-probe"}
        if request.header:
            headers[request.header[0]] = request.header[1]
        params = dict([request.query]) if request.query else None
        url = f"https://{target.address}:{target.port}{request.path}"
        try:
            async with (
                httpx.AsyncClient(
                    verify=context, timeout=timeout.total_seconds(), trust_env=False, follow_redirects=False
                ) as client,
                client.stream(
                    request.method, url, params=params, headers=headers, extensions={"sni_hostname": target.host}
                ) as response,
            ):
                return _judge(target, request, response)
        except (httpx.HTTPError, OSError) as error:
            found = classify(error, f"the gateway for {target.host}")
            return Outcome(None if found.reason == "Timeout" else False, found.reason, found.message)


def _judge(target: RouteProbe, request: ProbeRequest, response: httpx.Response) -> Outcome | None:
    status, version = response.status_code, f"version {request.version}"
    if request.gone:
        return None if status == 410 else Outcome(False, Reason.NOT_GONE, f"{version} should answer 410, not {status}")
    if request.expected:
        if status in request.expected:
            return None
        expected = ", ".join(map(str, request.expected))
        return Outcome(False, Reason.UNEXPECTED_STATUS, f"{version} answers {status}, expected {expected}")
    if ANSWERED in response.headers:
        return None
    if status == 404 and (target.decisive or not response.headers.get("content-type")):
        return Outcome(False, Reason.NOT_ROUTED, f"the gateway does not know {target.host}{request.path} yet")
    if status >= 500:
        return Outcome(
            False, Reason.BACKEND_UNAVAILABLE, f"{version}: the gateway answers {status}: its backend does not"
        )
    if target.decisive:
        return Outcome(False, Reason.GATEWAY_ANSWERED, f"{version}: the gateway itself answers {status}")
    return None
