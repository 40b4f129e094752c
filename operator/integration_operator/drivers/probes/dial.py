"""What all probes share: addresses checked before connecting, and a stable reason for each way to fail."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum

from aiohappyeyeballs import AddrInfoType, start_connection

from integration_operator.core.addresses import Outbound
from integration_operator.core.plan import Outcome
from integration_operator.drivers import names
from integration_operator.drivers.pem import Unusable
from integration_operator.drivers.probes.tls import Tls

HEAD_START_SECONDS = 0.25
"""How long an address is waited for before the next one is tried, too (RFC 8305)."""
MOST_ADDRESSES = 8


class Reason(StrEnum):
    """Why an outside system does or does not work: add freely, never rename."""

    CONNECTED = "Connected"
    """It answered, and took the credentials."""
    ISSUED = "TokenIssued"
    """The token endpoint gave a token."""
    DNS_NOT_FOUND = "DNSNotFound"
    """The host name has no address: correct it, or ask who runs the DNS zone."""
    DNS_FAILED = "DNSFailed"
    """No resolver answered, or it failed, so nothing is known of the host name: see the DNS of the cluster."""
    ADDRESS_DENIED = "AddressDenied"
    """The host name leads to an address that the operator's outbound rules deny."""
    CONNECTION_REFUSED = "ConnectionRefused"
    """Nothing listens on the port."""
    UNREACHABLE = "NetworkUnreachable"
    """There is no way to the address: a route or a firewall."""
    CONNECTION_RESET = "ConnectionReset"
    """The other side ended the connection before it answered."""
    TIMEOUT = "Timeout"
    """No answer in time."""
    TLS_UNTRUSTED = "TLSUntrusted"
    """The certificate is not signed by a trusted authority: set tls.caRef."""
    TLS_NAME_MISMATCH = "TLSNameMismatch"
    """The certificate is for another name: correct the host, or set tls.serverName."""
    CERTIFICATE_EXPIRED = "CertificateExpired"
    """The server's certificate has expired (or is not valid yet)."""
    CLIENT_CERTIFICATE = "ClientCertificateRefused"
    """The server did not take the client certificate, or wants one: see tls.clientCertificateRef."""
    NO_TLS = "TLSNotOffered"
    """The server speaks plain text only: turn TLS on there, or see tls.mode."""
    TLS_FAILED = "TLSFailed"
    """The TLS handshake failed: perhaps the port does not speak TLS."""
    TLS_MATERIAL = "InvalidCertificate"
    """The CA, certificate or key that was given can't be read."""
    UNUSABLE_CREDENTIALS = "InvalidCredentials"
    """What was given as a credential can't be one: a seed that is none, a line break inside a token."""
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    """The credentials were refused."""
    PERMISSION_DENIED = "PermissionDenied"
    """The credentials are good but may not do this."""
    NOT_FOUND = "DatabaseNotFound"
    """The server has no such database."""
    SERVER_UNAVAILABLE = "ServerUnavailable"
    """The server says that it can't serve now: it starts or stops, or has too many connections."""
    SCOPE_REFUSED = "ScopeRefused"
    """The token endpoint does not grant these scopes to this client."""
    TOKEN_REQUEST_REFUSED = "TokenRequestRefused"  # noqa: S105 - a reason, no password
    """The token endpoint does not take such a request: its error code is in the message."""
    UNEXPECTED_STATUS = "UnexpectedStatus"
    """The server answered with a status that does not count as working."""
    REDIRECTED = "RedirectRefused"
    """The server redirects elsewhere, which is never followed: use the address that it names."""
    PROTOCOL_ERROR = "ProtocolError"
    """The other side does not speak the protocol."""


def failed(reason: Reason, message: str) -> Outcome:
    """A bad outcome. A credential that was refused is not tried again and again: accounts get locked."""
    return Outcome(False, reason, message, hurry=reason is not Reason.AUTHENTICATION_FAILED)


class Unconnected(Exception):
    """Something stands in the way of a connection; carries the outcome."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.outcome = failed(reason, message)


async def attempt(ask: Callable[[Tls], Awaitable[Outcome]], tls: Tls, host: str, timeout: timedelta) -> Outcome:
    """The outcome of one attempt, in time, whatever goes wrong: what clients raise may carry what they were given."""
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            outcome = await _outcome(ask, tls, host)
            if outcome.reason == Reason.CONNECTION_RESET:
                # With TLS 1.3 a server that refuses our certificate hangs up on what we have said already, and its
                # reason may be lost on the way; with 1.2 it says so within the handshake.
                told = await _outcome(ask, replace(tls, newest=ssl.TLSVersion.TLSv1_2), host)
                return told if told.reason == Reason.CLIENT_CERTIFICATE else outcome
            return outcome
    except TimeoutError as error:
        return classify(error, host)


async def _outcome(ask: Callable[[Tls], Awaitable[Outcome]], tls: Tls, host: str) -> Outcome:
    try:
        return await ask(tls)
    except Exception as error:
        return classify(error, host)


async def addresses_of(host: str, rules: Outbound) -> list[str]:
    """The addresses to connect to; Unconnected where none is there, or any is denied."""
    try:
        found = await names.addresses(host)
    except names.UnknownName as error:
        raise Unconnected(Reason.DNS_NOT_FOUND, f"{host} has no address") from error
    except names.NoAnswer as error:
        message = f"no resolver could say where {host} is, which may pass: see the DNS of the cluster"
        raise Unconnected(Reason.DNS_FAILED, message) from error
    if denied := [a for a in found if not rules.permit(a)]:
        raise Unconnected(Reason.ADDRESS_DENIED, f"{host} leads to {', '.join(denied)}, which outbound rules deny")
    return found


async def opened(host: str, port: int, rules: Outbound) -> socket.socket:
    """A connection to the first address that takes one: each gets a moment before the next is tried beside it."""
    found = [_address_info(address, port) for address in (await addresses_of(host, rules))[:MOST_ADDRESSES]]
    try:
        return await start_connection(found, happy_eyeballs_delay=HEAD_START_SECONDS)
    except OSError as error:
        if type(error) is OSError and error.errno is None and len(found) > 1:
            # They failed in different ways, which only the text says.
            raise Unconnected(Reason.UNREACHABLE, f"none of the addresses of {host} takes a connection") from error
        raise


def _address_info(address: str, port: int) -> AddrInfoType:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)


def classify(error: BaseException, host: str) -> Outcome:
    """The outcome that an exception stands for; it and its causes are looked at, innermost last."""
    for cause in _chain(error):
        if isinstance(cause, Unconnected):
            return cause.outcome
        if isinstance(cause, Unusable):
            return failed(Reason.TLS_MATERIAL, str(cause))
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause, host)
        if isinstance(cause, ssl.SSLError):
            return _handshake(cause, host)
        if isinstance(cause, TimeoutError):
            return failed(Reason.TIMEOUT, f"{host} did not answer in time")
        if isinstance(cause, ConnectionRefusedError):
            return failed(Reason.CONNECTION_REFUSED, f"{host} refuses connections: does it listen on that port?")
        if isinstance(cause, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
            return failed(Reason.CONNECTION_RESET, f"{host} ended the connection")
        if isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
            return failed(Reason.UNREACHABLE, f"there is no way to {host}")
    # Exceptions of clients may carry what they were given: only their kind is told.
    return failed(Reason.PROTOCOL_ERROR, f"{host} does not speak the protocol ({type(error).__name__})")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, BaseExceptionGroup):
            for inner in seen.exceptions:
                yield from _chain(inner)
        yield seen
        seen = seen.__cause__ or seen.__context__


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> Outcome:
    match error.verify_code:
        case 9 | 10:
            return failed(Reason.CERTIFICATE_EXPIRED, f"the certificate of {host} has expired or is not valid yet")
        case 62 | 64:
            return failed(
                Reason.TLS_NAME_MISMATCH, f"the certificate of {host} is for another name: set tls.serverName"
            )
        case _:
            return failed(Reason.TLS_UNTRUSTED, f"the certificate of {host} is not trusted: set tls.caRef")


_ABOUT_OURS = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "UNKNOWN_CA", "CERTIFICATE_REVOKED", "CERTIFICATE_UNKNOWN")
"""Alerts of the other side that speak of the certificate that we showed, or did not."""


def _handshake(error: ssl.SSLError, host: str) -> Outcome:
    reason = (error.reason or "").upper()
    if any(alert in reason for alert in _ABOUT_OURS):
        return failed(
            Reason.CLIENT_CERTIFICATE, f"{host} wants another client certificate: see tls.clientCertificateRef"
        )
    if "CERTIFICATE_EXPIRED" in reason:
        return failed(Reason.CLIENT_CERTIFICATE, f"{host} says that the client certificate has expired")
    return failed(Reason.TLS_FAILED, f"the TLS handshake with {host} failed: does the port speak TLS?")
