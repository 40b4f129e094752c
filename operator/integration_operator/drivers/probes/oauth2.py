"""Fetches a token by OAuth 2.0 client credentials (RFC 6749, section 4.4)."""

import json
import math
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, urlsplit

from integration_operator.core.addresses import Outbound
from integration_operator.core.plan import Outcome
from integration_operator.drivers.connection import TokenRequest, issued
from integration_operator.drivers.probes.dial import Reason, attempt, failed
from integration_operator.drivers.probes.tls import Tls
from integration_operator.drivers.probes.web import beginning, redirected, request, usable

LIMIT = 65536
"""The most bytes that an answer may have."""
UNSAID_SECONDS = 300.0
"""How long a token is taken to hold where the server does not say."""
LONGEST_SECONDS = 30 * 86400.0
"""A token is renewed at the latest as if it held so long."""

ERRORS = {
    "invalid_client": Reason.AUTHENTICATION_FAILED,
    "unauthorized_client": Reason.PERMISSION_DENIED,
    "access_denied": Reason.PERMISSION_DENIED,
    "invalid_scope": Reason.SCOPE_REFUSED,
    "invalid_request": Reason.TOKEN_REQUEST_REFUSED,
    "invalid_grant": Reason.TOKEN_REQUEST_REFUSED,
    "invalid_target": Reason.TOKEN_REQUEST_REFUSED,
    "unsupported_grant_type": Reason.TOKEN_REQUEST_REFUSED,
    "temporarily_unavailable": Reason.SERVER_UNAVAILABLE,
    "server_error": Reason.SERVER_UNAVAILABLE,
}
"""Error codes of RFC 6749 and RFC 8707; only these are repeated, never a description that the server wrote."""


class OAuth2Probe:
    """Driver `oauth2`: its good outcome holds the token, as `data["token"]`."""

    name = "oauth2"

    def __init__(self, rules: Outbound) -> None:
        self._rules = rules

    async def probe(self, target: Any, timeout: timedelta) -> Outcome:
        """See drivers.base.Probe."""
        assert isinstance(target, TokenRequest)
        # The authority that is given is the system's; the token endpoint is often a public one.
        tls = Tls(_host(target), ca=target.ca, public_too=True)
        return await attempt(lambda tls: self._ask(target, tls, timeout), tls, _host(target), timeout)

    async def _ask(self, target: TokenRequest, tls: Tls, timeout: timedelta) -> Outcome:
        form, headers = _form(target)
        asked = datetime.now(UTC)
        asking = request(
            "POST",
            target.url,
            rules=self._rules,
            context=await tls.context() if target.url.startswith("https://") else None,
            timeout=timeout,
            headers={"Accept": "application/json", **headers},
            form=form,
        )
        async with asking as response:
            if 300 <= response.status_code < 400:
                return redirected(_host(target), response).outcome
            answer = _parse(await beginning(response, LIMIT))
            return _judge(target, response.status_code, answer, asked)


def _host(target: TokenRequest) -> str:
    return urlsplit(target.url).hostname or ""


def _form(target: TokenRequest) -> tuple[dict[str, str], dict[str, str]]:
    """The form and headers of the request. Basic takes id and secret form-encoded (RFC 6749, section 2.3.1)."""
    form = {"grant_type": "client_credentials"}
    if target.scopes:
        form["scope"] = " ".join(target.scopes)
    if target.audience:
        form["audience"] = target.audience
    if target.method == "client_secret_post":
        return {**form, "client_id": target.client_id, "client_secret": target.client_secret}, {}
    pair = f"{quote_plus(target.client_id)}:{quote_plus(target.client_secret)}"
    return form, {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _parse(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _judge(target: TokenRequest, status: int, answer: dict[str, Any], asked: datetime) -> Outcome:
    host, token = _host(target), answer.get("access_token")
    if status == 200 and isinstance(token, str) and token:
        if str(answer.get("token_type", "")).lower() != "bearer":
            return failed(Reason.PROTOCOL_ERROR, f"{host} gave a token that is no bearer token")
        seconds = _seconds(answer.get("expires_in"))
        if seconds is None:
            return failed(Reason.PROTOCOL_ERROR, f"{host} gave a token with an expires_in that is no time to come")
        return Outcome(True, Reason.ISSUED, data={"token": issued(usable(token), asked, seconds, target)})
    code = answer.get("error")
    code = code if isinstance(code, str) and code in ERRORS else ""
    if status == 401:
        # Whatever the code is: Keycloak says unauthorized_client where only the secret is wrong.
        return failed(Reason.AUTHENTICATION_FAILED, f"{host} gives no token: it refuses the client ({code or 401})")
    if code:
        return failed(ERRORS[code], f"{host} gives no token: {code}")
    if status == 403:
        return failed(Reason.PERMISSION_DENIED, f"{host} gives no token to this client (403)")
    if status == 429 or status >= 500:
        return failed(Reason.SERVER_UNAVAILABLE, f"{host} answers {status}")
    return failed(Reason.PROTOCOL_ERROR, f"{host} answers {status} with no token: is this a token endpoint?")


def _seconds(value: Any) -> float | None:
    """Life of a token in seconds, where it can be one; some servers write the number as text."""
    if value is None:
        return UNSAID_SECONDS
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return min(seconds, LONGEST_SECONDS) if math.isfinite(seconds) and seconds >= 1 else None
