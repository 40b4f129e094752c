"""What all probes share: addresses checked before connecting, TLS, and a stable reason for each way to fail."""

import asyncio
import errno
import socket
import ssl
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address

from integration_operator.core.addresses import Outbound
from integration_operator.core.binding import Binding
from integration_operator.core.plan import Outcome


class Reason(StrEnum):
    """Why an outside system does or does not work: add freely, never rename."""

    CONNECTED = "Connected"
    """It answered, and took the credentials."""
    ISSUED = "TokenIssued"
    """The token endpoint gave a token."""
    DNS_NOT_FOUND = "DNSNotFound"
    """The host name has no address: correct it, or ask who runs the DNS zone."""
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
    """The server speaks plain text only: turn TLS on there, or set allowInsecure."""
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


class NamedContext(ssl.SSLContext):
    """Checks the certificate for one name, whatever address was dialled: clients take the host for the name."""

    server_name: str
    trust: ssl.SSLContext
    """What all that is in common is kept in: reading the system's roots takes 20 ms and a megabyte."""
    used = False
    """Whether a connection began to encrypt."""

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """As SSLContext has it, but for `server_hostname`, which counts only where no name was given."""
        self.used = True
        return self.trust.wrap_bio(incoming, outgoing, server_side, self.server_name or server_hostname, session)


@dataclass(frozen=True)
class Tls:
    """How the other side is trusted, and who we are: PEM texts, system roots when `ca` is None."""

    server_name: str
    """Empty: the name that the client gives for each connection."""
    ca: str | None = None
    certificate: str | None = None
    key: str | None = field(default=None, repr=False)
    public_too: bool = False
    """Whether the system's roots are trusted beside `ca`."""
    newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED

    def context(self) -> NamedContext:
        """TLS 1.2 or later, certificate and name checked; Unconnected where the material can't be read."""
        context = NamedContext(ssl.PROTOCOL_TLS_CLIENT)
        context.server_name = self.server_name.rstrip(".")
        context.trust = _trust(self.ca, self.certificate, self.key, self.public_too, self.newest)
        return context


@lru_cache(maxsize=128)
def _trust(
    ca: str | None, certificate: str | None, key: str | None, public_too: bool, newest: ssl.TLSVersion
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, newest
    if ca is None or public_too:
        context.load_default_certs()
    if ca is not None:
        try:
            context.load_verify_locations(cadata=ca)
        except (ssl.SSLError, ValueError, TypeError) as error:
            raise Unconnected(Reason.TLS_MATERIAL, "the CA is not a PEM certificate") from error
        # What is given is trusted, be it a root, an intermediate, or the very certificate of the other side.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if certificate and key:
        # Python loads a key only from a file: one that is gone again before anything else happens.
        with tempfile.NamedTemporaryFile("w", dir=_memory()) as pair:
            pair.write(f"{certificate}\n{key}\n")
            pair.flush()
            try:
                context.load_cert_chain(pair.name, password="")
            except (ssl.SSLError, ValueError) as error:
                raise Unconnected(Reason.TLS_MATERIAL, "the client certificate and key don't fit") from error
    return context


def tls_of(binding: Binding) -> Tls:
    """The TLS of a binding."""
    return Tls(binding.server_name or binding.host, binding.ca_crt, binding.tls_crt, binding.tls_key)


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


def _memory() -> str | None:
    """A file system in memory, where there is one."""
    return "/dev/shm" if _writable("/dev/shm") else None  # noqa: S108


def _writable(path: str) -> bool:
    try:
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError:
        return False


async def address_of(host: str, rules: Outbound) -> str:
    """The one address to connect to: the first that is permitted; Unconnected where any is denied or none is there."""
    try:
        found = [str(ip_address(host.strip("[]")))]
    except ValueError:
        loop = asyncio.get_running_loop()
        try:
            infos = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise Unconnected(Reason.DNS_NOT_FOUND, f"{host} has no address") from error
        found = sorted({str(info[4][0]) for info in infos}, key=lambda a: (":" in a, a))
    if denied := [a for a in found if not rules.permit(a)]:
        raise Unconnected(Reason.ADDRESS_DENIED, f"{host} leads to {', '.join(denied)}, which outbound rules deny")
    return found[0]


def classify(error: BaseException, host: str) -> Outcome:
    """The outcome that an exception stands for; it and its causes are looked at, innermost last."""
    for cause in _chain(error):
        if isinstance(cause, Unconnected):
            return cause.outcome
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
