"""Does an HTTP API answer, and take the credentials? One request on a new connection."""

from datetime import timedelta
from typing import Any

import httpx

from integration_operator.core.addresses import Outbound
from integration_operator.core.plan import Outcome
from integration_operator.drivers.connection import Target
from integration_operator.drivers.probes.dial import Reason, attempt, failed
from integration_operator.drivers.probes.tls import Tls, tls_of
from integration_operator.drivers.probes.web import beginning, redirected, request, usable


class HttpProbe:
    """Driver `http`. Redirects are never followed: they would carry the credentials elsewhere."""

    name = "http"

    def __init__(self, rules: Outbound) -> None:
        self._rules = rules

    async def probe(self, target: Any, timeout: timedelta) -> Outcome:
        """See drivers.base.Probe."""
        assert isinstance(target, Target)
        host = target.binding.host
        return await attempt(lambda tls: self._ask(target, tls, timeout), tls_of(target.binding), host, timeout)

    async def _ask(self, target: Target, tls: Tls, timeout: timedelta) -> Outcome:
        binding = target.binding
        asking = request(
            "GET",
            binding.uri.rstrip("/") + target.path,
            rules=self._rules,
            context=await tls.context() if target.encrypted else None,
            timeout=timeout,
            headers={binding.header: usable(binding.header_value)} if binding.header and binding.header_value else {},
        )
        async with asking as response:
            return await _judge(target, response)


async def _judge(target: Target, response: httpx.Response) -> Outcome:
    host, status = target.binding.host, response.status_code
    if status in target.expected:
        return Outcome(True, Reason.CONNECTED)
    if status == 401:
        return failed(Reason.AUTHENTICATION_FAILED, f"{host} refuses the credentials, or wants some (401)")
    if status == 403:
        return failed(Reason.PERMISSION_DENIED, f"{host} does not let these credentials do this (403)")
    if 300 <= status < 400:
        return redirected(host, response).outcome
    if status == 400:
        # Servers tell a client that lacks a certificate, or TLS, by a sentence in the page and nothing else.
        page = await beginning(response, 4096)
        if b"SSL certificate" in page:
            return failed(Reason.CLIENT_CERTIFICATE, f"{host} wants a client certificate: see tls.clientCertificateRef")
        if b"HTTPS port" in page:
            return failed(Reason.PROTOCOL_ERROR, f"{host} speaks TLS on that port: write https://")
    if target.expected:
        wanted = ", ".join(map(str, target.expected))
        return failed(Reason.UNEXPECTED_STATUS, f"{host} answers {status} at {target.path}, expected {wanted}")
    if status >= 500:
        return failed(Reason.UNEXPECTED_STATUS, f"{host} answers {status} at {target.path}")
    return Outcome(True, Reason.CONNECTED)
