"""TLS as all probes speak it: 1.2 or later, certificate and name checked; what users give is checked beforehand."""

import asyncio
import ssl
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache

from integration_operator.core.binding import Binding
from integration_operator.drivers.pem import CA_LIMIT, CHAIN_LIMIT, Unusable, certificates, private_key

_LOADERS = ThreadPoolExecutor(2, "tls")
"""Reading certificates takes milliseconds, and a hundred of them in a row would be felt: so not in the event loop."""


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

    async def context(self) -> NamedContext:
        """TLS 1.2 or later, certificate and name checked; Unusable where the material can't be."""
        loading = _trust(self.ca, self.certificate, self.key, self.public_too, self.newest)
        # Others wait for the same: who gives up does not end it for them.
        trust = await asyncio.shield(asyncio.wrap_future(loading))
        if isinstance(trust, str):
            raise Unusable(trust)
        context = NamedContext(ssl.PROTOCOL_TLS_CLIENT)
        context.server_name = self.server_name.rstrip(".")
        context.trust = trust
        return context


def tls_of(binding: Binding) -> Tls:
    """The TLS of a binding."""
    return Tls(binding.server_name or binding.host, binding.ca_crt, binding.tls_crt, binding.tls_key)


@lru_cache(maxsize=128)
def _trust(
    ca: str | None, certificate: str | None, key: str | None, public_too: bool, newest: ssl.TLSVersion
) -> Future[ssl.SSLContext | str]:
    """What is given is loaded once, be it good, or (then a text says why) not."""
    return _LOADERS.submit(_load, ca, certificate, key, public_too, newest)


def _load(
    ca: str | None, certificate: str | None, key: str | None, public_too: bool, newest: ssl.TLSVersion
) -> ssl.SSLContext | str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, newest
    if ca is None or public_too:
        context.load_default_certs()
    try:
        if ca is not None:
            _trust_also(context, ca)
        if certificate and key:
            _show(context, certificate, key)
    except Unusable as error:
        return str(error)
    return context


def _trust_also(context: ssl.SSLContext, ca: str) -> None:
    """Trust what is given, be it a root, an intermediate, or the very certificate of the other side."""
    try:
        context.load_verify_locations(cadata=certificates(ca, "the CA", CA_LIMIT))
    except (ssl.SSLError, ValueError):
        raise Unusable("the CA has a certificate that can't be read: write PEM, as it was issued") from None
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def _show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Say who we are. Python loads a key only from a file: one that is gone again before anything else happens."""
    checked = certificates(certificate, "the client certificate", CHAIN_LIMIT), private_key(key)
    with tempfile.NamedTemporaryFile("w", dir=_memory()) as pair:
        pair.writelines(checked)
        pair.flush()
        try:
            context.load_cert_chain(pair.name, password="")
        except (ssl.SSLError, ValueError):
            raise Unusable("the client certificate and key don't fit: write the two that belong together") from None


def _memory() -> str | None:
    """A file system in memory, where there is one."""
    return "/dev/shm" if _writable("/dev/shm") else None  # noqa: S108


def _writable(path: str) -> bool:
    try:
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError:
        return False
