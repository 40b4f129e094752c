"""PEM texts of users, made safe before OpenSSL works on them: only known blocks, nothing encrypted, nothing huge.

What is given on is written anew from what was checked. A key that is encrypted says itself how often its password is
to be hashed, and a key may hold numbers of any size: either would keep the process busy for minutes.
"""

from base64 import b64decode
from collections.abc import Iterator
from ssl import DER_cert_to_PEM_cert

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

CA_LIMIT, CHAIN_LIMIT, KEY_LIMIT = 512 * 1024, 64 * 1024, 16 * 1024
"""The most characters: all public authorities together have half of the first."""
RSA_BITS = 8192
KEYS = {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"}


class Unusable(Exception):
    """What was given can't be used: the text says what to write, and nothing of what was given."""


def certificates(text: str, what: str, limit: int) -> str:
    """The certificates in a text, as PEM."""
    if len(text) > limit:
        raise Unusable(f"{what} is longer than {limit // 1024} KiB: leave out what is not needed")
    found = list(_blocks(text))
    if not found or any(label != "CERTIFICATE" for label, _ in found):
        raise Unusable(f"{what} is not made of PEM certificates: write CERTIFICATE blocks, and no others")
    return "".join(DER_cert_to_PEM_cert(_decoded(lines, what)) for _, lines in found)


def private_key(text: str) -> str:
    """The key in a text, as PEM."""
    what = "the client key"
    if len(text) > KEY_LIMIT:
        raise Unusable(f"{what} is longer than {KEY_LIMIT // 1024} KiB: write an RSA key of at most {RSA_BITS} bits")
    found = [(label, lines) for label, lines in _blocks(text) if label != "EC PARAMETERS"]
    if any(label == "ENCRYPTED PRIVATE KEY" or _has_headers(lines) for label, lines in found):
        raise Unusable(f"{what} is encrypted: write it without a password, as openssl pkey -in tls.key gives it")
    if [label in KEYS for label, _ in found] != [True]:
        raise Unusable(f"{what} is none: write one PEM block, PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY")
    return _checked(_decoded(found[0][1], what))


def _checked(der: bytes) -> str:
    try:
        # Whether the numbers of an RSA key belong together takes long to tell, and a wrong one only fails.
        key = serialization.load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Unusable("the client key can't be read: write it as PKCS#8, as openssl pkey gives it") from None
    if isinstance(key, rsa.RSAPrivateKey):
        _bounded(key.private_numbers())
    elif not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        raise Unusable("the client key is of a kind that TLS does not use: write an RSA, EC or Ed25519 key")
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, pkcs8, serialization.NoEncryption()).decode()


def _bounded(numbers: rsa.RSAPrivateNumbers) -> None:
    public = numbers.public_numbers
    halves = (numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    if (
        max(public.n, numbers.d).bit_length() > RSA_BITS
        or max(halves).bit_length() > RSA_BITS // 2
        or public.e.bit_length() > 64
    ):
        raise Unusable(f"the client key has numbers that are too large: write an RSA key of at most {RSA_BITS} bits")


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Label and lines of every block; what stands between blocks is a comment."""
    label: str | None = None
    lines: list[str] = []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("-----BEGIN ") and line.endswith("-----"):
            label, lines = line[11:-5], []
        elif label is not None and line == f"-----END {label}-----":
            yield label, lines
            label = None
        elif label is not None:
            lines.append(line)


def _has_headers(lines: list[str]) -> bool:
    """As `Proc-Type: 4,ENCRYPTED` and `DEK-Info`, which only encrypted blocks have."""
    return any(":" in line for line in lines)


def _decoded(lines: list[str], what: str) -> bytes:
    try:
        return b64decode("".join(lines), validate=True)
    except ValueError:
        raise Unusable(f"{what} is not PEM: a block has lines that are not base64") from None
