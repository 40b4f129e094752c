"""Stand-ins for certificates and keys that nobody has seen: plans take them apart, so they must be some."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from integration_operator.core.model import Resource
from integration_operator.kinds.service_connection.model import ServiceConnection


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM without the last line break."""

    certificate: str
    key: str = field(repr=False)


def made(words: str) -> Pair:
    """A pair that nothing trusts and no other equals."""
    key, now = Ed25519PrivateKey.generate(), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words[:64])])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, None)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(certificate.public_bytes(Encoding.PEM).decode().strip(), private.decode().strip())


def entries(resource: Resource[Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """What a connection takes for certificates and keys: which of them, and key, kind, namespace, name of the entry."""
    tls = resource.spec.tls if isinstance(resource, ServiceConnection) else None
    if tls and (ca := tls.ca_ref):
        yield "certificate", ca.key, ca.kind, resource.namespace, ca.name
    if tls and (client := tls.client_certificate_ref):
        yield "certificate", "tls.crt", "Secret", resource.namespace, client.name
        yield "key", "tls.key", "Secret", resource.namespace, client.name
