"""Does PostgreSQL let us in? A login and `SELECT 1` on a new connection."""

import ssl
from datetime import timedelta
from typing import Any, Literal

import asyncpg  # type: ignore[import-untyped]

from integration_operator.core.addresses import Outbound
from integration_operator.core.plan import Outcome
from integration_operator.drivers.connection import Target
from integration_operator.drivers.probes.dial import Reason, attempt, failed
from integration_operator.drivers.probes.relay import LOOPBACK, relayed
from integration_operator.drivers.probes.tls import Tls, tls_of

ANSWERS: dict[str, tuple[Reason, str]] = {
    "28P01": (Reason.AUTHENTICATION_FAILED, "refuses the user name or password"),
    "28000": (
        Reason.AUTHENTICATION_FAILED,
        "does not let this user in: see its pg_hba.conf, and whether it may log in",
    ),
    "42501": (Reason.PERMISSION_DENIED, "does not let this user into the database: GRANT CONNECT is missing"),
    "3D000": (Reason.NOT_FOUND, "has no such database"),
    "53300": (Reason.SERVER_UNAVAILABLE, "has too many connections"),
    "57P01": (Reason.SERVER_UNAVAILABLE, "is shutting down"),
    "57P03": (Reason.SERVER_UNAVAILABLE, "takes no connections now: it is starting or stopping"),
}
"""What it says by SQLSTATE (Appendix A of the PostgreSQL manual); its own texts may be in any language."""


class PostgresqlProbe:
    """Driver `postgresql`."""

    name = "postgresql"

    def __init__(self, rules: Outbound) -> None:
        self._rules = rules

    async def probe(self, target: Any, timeout: timedelta) -> Outcome:
        """See drivers.base.Probe."""
        assert isinstance(target, Target)
        host = target.binding.host
        return await attempt(lambda tls: self._ask(target, tls), tls_of(target.binding), host, timeout)

    async def _ask(self, target: Target, tls: Tls) -> Outcome:
        binding = target.binding
        context: ssl.SSLContext | Literal[False] = await tls.context() if target.encrypted else False
        async with relayed(binding.host, int(binding.port), self._rules) as port:
            return await self._log_in(target, context, port)

    async def _log_in(self, target: Target, context: ssl.SSLContext | Literal[False], port: int) -> Outcome:
        binding = target.binding
        try:
            connection = await asyncpg.connect(
                host=LOOPBACK,
                port=port,
                database=binding.database,
                # Whatever is None would be looked for in the environment and the home directory.
                user=binding.username or "",
                password=binding.password or "",
                ssl=context,
                target_session_attrs="any",
                server_settings={"application_name": "integration-operator"},
            )
            try:
                await connection.execute("SELECT 1")
                await connection.close()
            finally:
                connection.terminate()
        except asyncpg.ConnectionDoesNotExistError as error:
            # It hung up: what lies behind that, if anything, is the cause.
            raise (error.__cause__ or ConnectionResetError()) from None
        except asyncpg.PostgresError as error:
            return _answer(error, target)
        except ConnectionError as error:
            if "rejected SSL upgrade" in str(error):
                return failed(Reason.NO_TLS, f"{binding.host} does not offer TLS: turn it on there")
            raise
        return Outcome(True, Reason.CONNECTED)


def _answer(error: asyncpg.PostgresError, target: Target) -> Outcome:
    host, code = target.binding.host, error.sqlstate or ""
    if code == "28000" and target.encrypted and "certificate" in str(error):
        return failed(
            Reason.CLIENT_CERTIFICATE, f"{host} wants another client certificate: see tls.clientCertificateRef"
        )
    if code in ANSWERS:
        reason, message = ANSWERS[code]
        return failed(reason, f"{host} {message}")
    return failed(Reason.PROTOCOL_ERROR, f"{host} answers with error {code}")
