"""What OpenSSL is given of what users give."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519
from cryptography.hazmat.primitives.asymmetric import rsa as rsa_keys

from dev.pki import Authority
from integration_operator.drivers.pem import CA_LIMIT, Unusable, certificates, private_key
from tests.unit.drivers.probes.keys import by_pbkdf2, by_scrypt, der, integer, pem, rsa

PEM, PKCS8, OLD = (
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.PrivateFormat.TraditionalOpenSSL,
)
PLAIN, SECRET = serialization.NoEncryption(), serialization.BestAvailableEncryption(b"password")
EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa_keys.generate_private_key(65537, 2048)
PARAMETERS = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
LARGE = (1 << 40_000) + 1
EC_TEXT = EC.private_bytes(PEM, PKCS8, PLAIN).decode()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (EC_TEXT, EC),
        (EC.private_bytes(PEM, OLD, PLAIN).decode(), EC),
        (PARAMETERS + EC.private_bytes(PEM, OLD, PLAIN).decode(), EC),
        ("Bag Attributes: none\r\n" + EC_TEXT.replace("\n", "\r\n"), EC),
        (RSA.private_bytes(PEM, PKCS8, PLAIN).decode(), RSA),
        (RSA.private_bytes(PEM, OLD, PLAIN).decode(), RSA),
    ],
)
def test_a_plain_key_is_written_anew(text: str, key: ec.EllipticCurvePrivateKey | rsa_keys.RSAPrivateKey) -> None:
    assert private_key(text) == key.private_bytes(PEM, PKCS8, PLAIN).decode()


def test_a_key_of_edwards() -> None:
    text = ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, PKCS8, PLAIN).decode()
    assert private_key(text) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (pem("ENCRYPTED PRIVATE KEY", by_pbkdf2()), "is encrypted"),
        (pem("ENCRYPTED PRIVATE KEY", by_scrypt()), "is encrypted"),
        (pem("PRIVATE KEY", by_pbkdf2()), "can't be read"),
        (pem("RSA PRIVATE KEY", by_scrypt()), "can't be read"),
        (pem("ANY PRIVATE KEY", by_pbkdf2()), "is none"),
        (EC.private_bytes(PEM, PKCS8, SECRET).decode(), "is encrypted"),
        (EC.private_bytes(PEM, OLD, SECRET).decode(), "is encrypted"),
        (EC_TEXT.replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n", 1), "is encrypted"),
        (EC_TEXT + pem("ENCRYPTED PRIVATE KEY", by_pbkdf2()), "is encrypted"),
        (EC_TEXT + EC_TEXT, "is none"),
        ("", "is none"),
        ("SECRET", "is none"),
        (EC_TEXT.partition("-----END")[0], "is none"),
        (pem("CERTIFICATE", b"SECRET"), "is none"),
        (pem("PRIVATE KEY", b"SECRET"), "can't be read"),
        ("-----BEGIN PRIVATE KEY-----\nSECRET!\n-----END PRIVATE KEY-----", "is not PEM"),
        (dsa.generate_private_key(1024).private_bytes(PEM, PKCS8, PLAIN).decode(), "of a kind"),
        (pem("RSA PRIVATE KEY", rsa(LARGE, 3, 3)), "too large"),
        (pem("RSA PRIVATE KEY", rsa(15, LARGE, 3)), "too large"),
        (pem("RSA PRIVATE KEY", rsa(15, 3, 1 << 20_000 | 1)), "too large"),
        (pem("RSA PRIVATE KEY", rsa(15, 3, 3, version=1, more=der(0x30, der(0x30, integer(LARGE))))), "can't be read"),
        (EC_TEXT + " " * 20_000, "longer than 16 KiB"),
    ],
)
def test_other_keys_are_refused_and_it_is_said_what_to_write(text: str, says: str) -> None:
    with pytest.raises(Unusable, match=says) as refused:
        private_key(text)
    assert "SECRET" not in str(refused.value)


def test_certificates_are_written_anew(tmp_path: Path) -> None:
    one, other = (Authority(tmp_path / name).ca.read_text() for name in ("one", "other"))
    assert certificates(f"# one\n{one}# the other\n{other}", "the CA", CA_LIMIT) == one + other


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not made of PEM certificates"),
        (EC_TEXT, "not made of PEM certificates"),
        (pem("CERTIFICATE", b"x") + EC_TEXT, "not made of PEM certificates"),
        (pem("TRUSTED CERTIFICATE", b"x"), "not made of PEM certificates"),
        ("-----BEGIN CERTIFICATE-----\n\u00e4\n-----END CERTIFICATE-----", "is not PEM"),
        ("-----BEGIN CERTIFICATE-----\n" * 18_000, "not made of PEM certificates"),
        ("-----BEGIN CERTIFICATE-----\n" * 19_000, "longer than 512 KiB"),
    ],
)
def test_other_texts_are_no_certificates(text: str, says: str) -> None:
    with pytest.raises(Unusable, match=says):
        certificates(text, "the CA", CA_LIMIT)
