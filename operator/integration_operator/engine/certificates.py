"""A local authority and the certificates that it signs: for a Gateway that nobody brings a certificate for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=3650)
LIFE = timedelta(days=90)
"""Of a server certificate: it is renewed when a third of this is left."""
SKEW = timedelta(hours=1)
"""How far clocks may differ."""
NAME = "integration-operator local CA"

_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def parse(cls, data: Mapping[str, bytes]) -> Self | None:
        """From the data of a Secret of type kubernetes.io/tls; None where it has no pair that belongs together."""
        try:
            certificate = x509.load_pem_x509_certificate(data.get("tls.crt", b""))
            key = serialization.load_pem_private_key(data.get("tls.key", b""), None)
        except (ValueError, TypeError):
            return None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            return None
        return cls(certificate, key)

    def data(self) -> dict[str, bytes]:
        """As the data of such a Secret."""
        pkcs8 = serialization.PrivateFormat.PKCS8
        return {
            "tls.crt": self.certificate.public_bytes(_PEM),
            "tls.key": self.key.private_bytes(_PEM, pkcs8, serialization.NoEncryption()),
        }

    def lasts(self, until: datetime) -> bool:
        """Whether it is still good at a time."""
        return self.certificate.not_valid_after_utc > until


def authority(now: datetime) -> Pair:
    """A new authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(NAME)
    certificate = (
        _builder(subject, subject, key, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate, key)


def signed(by: Pair, names: Iterable[str], now: datetime) -> Pair:
    """A new server certificate for DNS names."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
    certificate = (
        _builder(_name("integration-operator gateway"), by.certificate.subject, key, now, LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(by.key, hashes.SHA256())
    )
    return Pair(certificate, key)


def good_authority(found: Pair | None, now: datetime) -> bool:
    """Whether it outlives what it would sign now."""
    return found is not None and found.lasts(now + LIFE)


def good(found: Pair | None, by: Pair, names: Iterable[str], now: datetime) -> bool:
    """Whether it is this authority's, for just these names, and not due for renewal."""
    if found is None or not found.lasts(now + LIFE / 3):
        return False
    try:
        found.certificate.verify_directly_issued_by(by.certificate)
        alternative = found.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return set(alternative.get_values_for_type(x509.DNSName)) == set(names)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
