"""Does NATS let us in? A connection and one round trip."""

import asyncio
import binascii
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import nats.errors
import nkeys
from nats.aio.client import Client

from integration_operator.core.addresses import Outbound
from integration_operator.core.plan import Outcome
from integration_operator.drivers.connection import Target
from integration_operator.drivers.probes.dial import (
    Reason,
    Unconnected,
    attempt,
    failed,
)
from integration_operator.drivers.probes.relay import LOOPBACK, relayed
from integration_operator.drivers.probes.tls import NamedContext, Tls, tls_of

CLOSING_SECONDS = 0.2

ANSWERS = {
    "authorization violation": (Reason.AUTHENTICATION_FAILED, "refuses the credentials"),
    "authentication timeout": (Reason.AUTHENTICATION_FAILED, "refuses the credentials"),
    "authentication expired": (Reason.AUTHENTICATION_FAILED, "says that the credentials have expired"),
    "authentication revoked": (Reason.AUTHENTICATION_FAILED, "says that the credentials were revoked"),
    "maximum connections": (Reason.SERVER_UNAVAILABLE, "has too many connections"),
    "secure connection": (Reason.NO_TLS, "speaks TLS only"),
}
"""What its `-ERR` says (NATS client protocol), in lower case."""


class NatsProbe:
    """Driver `nats`."""

    name = "nats"

    def __init__(self, rules: Outbound) -> None:
        self._rules = rules

    async def probe(self, target: Any, timeout: timedelta) -> Outcome:
        """See drivers.base.Probe."""
        assert isinstance(target, Target)
        host = target.binding.host
        return await attempt(lambda tls: self._ask(target, tls, timeout), tls_of(target.binding), host, timeout)

    async def _ask(self, target: Target, tls: Tls, timeout: timedelta) -> Outcome:
        binding, context = target.binding, await tls.context()
        async with relayed(binding.host, int(binding.port), self._rules) as port:
            return await self._log_in(target, context, port, math.ceil(timeout.total_seconds()))

    async def _log_in(self, target: Target, context: NamedContext, port: int, seconds: int) -> Outcome:
        client = Client()
        try:
            await client.connect(
                f"nats://{LOOPBACK}:{port}",
                error_cb=_raise,
                name="integration-operator-probe",
                allow_reconnect=False,
                # It then waits for the server's word on the credentials, which else is lost when the server hangs up.
                verbose=True,
                connect_timeout=seconds,
                tls=context,
                **_credentials(target, context),
            )
            if target.encrypted and not context.used:
                raise _no_tls(target)
            await client.flush(seconds)
        except nats.errors.Error as error:
            return _answer(error, target)
        finally:
            # After a failed handshake the client waits for ever for a transport that is closed already.
            with suppress(TimeoutError):
                await asyncio.wait_for(client.close(), CLOSING_SECONDS)
        return Outcome(True, Reason.CONNECTED)


def _credentials(target: Target, context: NamedContext) -> dict[str, Any]:
    """What the client is given to prove who we are."""
    binding = target.binding

    def only_encrypted(text: str) -> Callable[[], str]:
        def give() -> str:
            # The client would send it in plain text wherever the server's greeting does not ask for TLS.
            if target.encrypted and not context.used:
                raise _no_tls(target)
            return text

        return give

    if binding.nkey_seed:
        # What it sends is a signature, never the seed.
        return {"nkeys_seed_str": _seed(binding.nkey_seed)}
    if binding.password is not None:
        return {"user": only_encrypted(binding.username or ""), "password": only_encrypted(binding.password)}
    if binding.token is not None:
        return {"token": only_encrypted(binding.token)}
    return {}


def _seed(text: str) -> str:
    try:
        nkeys.from_seed(bytearray(text.strip().encode())).wipe()
    except (nkeys.NkeysError, binascii.Error, ValueError) as error:
        raise Unconnected(Reason.UNUSABLE_CREDENTIALS, "the nkey seed is none: it begins with SU") from error
    return text


def _no_tls(target: Target) -> Unconnected:
    return Unconnected(Reason.NO_TLS, f"{target.binding.host} does not offer TLS: turn it on there")


async def _raise(error: Exception) -> None:
    """The client would try again and again; one attempt is what a probe is."""
    raise error


def _answer(error: nats.errors.Error, target: Target) -> Outcome:
    host, text = target.binding.host, str(error).lower()
    for part, (reason, message) in ANSWERS.items():
        if part in text:
            return failed(reason, f"{host} {message}")
    raise error
