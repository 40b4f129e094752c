"""Private keys that nobody should give: encrypted, so that a password takes minutes to try, or with huge numbers."""

from base64 import encodebytes

PBES2, PBKDF2, SCRYPT = "2a864886f70d01050d", "2a864886f70d01050c", "2b06010401da47040b"
HMAC_SHA256, AES_256_CBC, RSA = "2a864886f70d0209", "60864801650304012a", "2a864886f70d010101"
SEQUENCE, OCTETS = 0x30, 0x04


def der(tag: int, *parts: bytes) -> bytes:
    """One value, as ASN.1 has it."""
    body = b"".join(parts)
    size = len(body)
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([0x80 | len(octets)]) + octets) + body


def integer(value: int) -> bytes:
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def oid(text: str) -> bytes:
    return der(0x06, bytes.fromhex(text))


def pem(label: str, content: bytes) -> str:
    return f"-----BEGIN {label}-----\n{encodebytes(content).decode()}-----END {label}-----\n"


def encrypted(kdf: bytes) -> bytes:
    """An EncryptedPrivateKeyInfo (RFC 8018, PBES2) whose password is derived as it says."""
    cipher = der(SEQUENCE, oid(AES_256_CBC), der(OCTETS, bytes(16)))
    algorithm = der(SEQUENCE, oid(PBES2), der(SEQUENCE, kdf, cipher))
    return der(SEQUENCE, algorithm, der(OCTETS, bytes(64)))


def by_pbkdf2(iterations: int = 2**31 - 1) -> bytes:
    hashing = der(SEQUENCE, oid(HMAC_SHA256), der(0x05))
    return encrypted(der(SEQUENCE, oid(PBKDF2), der(SEQUENCE, der(OCTETS, bytes(8)), integer(iterations), hashing)))


def by_scrypt(cost: int = 2**20) -> bytes:
    numbers = (integer(n) for n in (cost, 8, 64))
    return encrypted(der(SEQUENCE, oid(SCRYPT), der(SEQUENCE, der(OCTETS, bytes(8)), *numbers)))


def rsa(n: int, d: int, p: int, *, version: int = 0, more: bytes = b"") -> bytes:
    """An RSAPrivateKey (RFC 8017) with these numbers, which need not belong together."""
    return der(SEQUENCE, *map(integer, (version, n, 65537, d, p, p, p, p, 3)), more)
