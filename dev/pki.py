"""A certificate authority for one cluster, and what it signs."""

import datetime
import ipaddress
import threading
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_PEM = serialization.Encoding.PEM


class Authority:
    """Keys and certificates as PEM files in one directory; what is there is kept."""

    def __init__(self, home: Path, name: str = "integration-operator development CA") -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.ca = home / "ca.crt"
        key_file = home / "ca.key"
        if not self.ca.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            subject = _name(name)
            certificate = (
                _builder(subject, subject, key.public_key(), days=3650)
                .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                .add_extension(_usage(sign=True), critical=True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                .sign(key, hashes.SHA256())
            )
            write_key(key_file, key)
            self.ca.write_bytes(certificate.public_bytes(_PEM))
        loaded = serialization.load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self._key = loaded
        self._lock = threading.Lock()
        self._certificate = x509.load_pem_x509_certificate(self.ca.read_bytes())

    def issue(
        self,
        file: str,
        common_name: str,
        *,
        organization: str | None = None,
        hosts: Iterable[str] = (),
        client: bool = False,
        days: float = 3650,
    ) -> tuple[Path, Path]:
        """(certificate, key) files; `hosts` are DNS names and IP addresses, negative days make it expired."""
        crt, key_file = self.home / f"{file}.crt", self.home / f"{file}.key"
        with self._lock:
            if not (crt.exists() and key_file.exists()):
                self._issue(crt, key_file, _name(common_name, organization), hosts, client, days)
        return crt, key_file

    def _issue(
        self, crt: Path, key_file: Path, subject: x509.Name, hosts: Iterable[str], client: bool, days: float
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = (
            _builder(subject, self._certificate.subject, key.public_key(), days)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(_usage(sign=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        names = [_general(h) for h in hosts]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        write_key(key_file, key)
        crt.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(_PEM))


def service_account_keys(home: Path) -> tuple[Path, Path]:
    """(private, public) key files with which the API server signs service-account tokens."""
    private, public = home / "sa.key", home / "sa.pub"
    if not private.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        write_key(private, key)
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        public.write_bytes(key.public_key().public_bytes(_PEM, spki))
    return private, public


def write_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    """A private key as PKCS#8, readable by its owner only."""
    path.touch(mode=0o600)
    pkcs8 = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(_PEM, pkcs8, serialization.NoEncryption()))


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, days: float
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    begin = min(now, now + datetime.timedelta(days=days)) - datetime.timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _name(common: str, organization: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organization:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=sign,
        crl_sign=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
