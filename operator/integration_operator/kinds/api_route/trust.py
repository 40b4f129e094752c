"""What a gateway is told to trust and to show: certificates and nothing else, in a form that it can't stumble over."""

from dataclasses import replace
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from integration_operator.core.binding import Binding
from integration_operator.drivers.pem import CA_LIMIT, CHAIN_LIMIT, Unusable, certificates, private_key


def trusted(binding: Binding) -> tuple[Binding, str]:
    """The binding with its certificates and key written anew, and what is wrong with them; then it has none."""
    try:
        return replace(
            binding,
            ca_crt=None if binding.ca_crt is None else _certificates(binding.ca_crt, "ca.crt", CA_LIMIT),
            **_client(binding),
        ), ""
    except Unusable as error:
        return replace(binding, ca_crt=None, tls_crt=None, tls_key=None), str(error)


def _client(binding: Binding) -> dict[str, str]:
    if binding.tls_crt is None and binding.tls_key is None:
        return {}
    certificate = _certificates(binding.tls_crt or "", "tls.crt", CHAIN_LIMIT)
    key = private_key(binding.tls_key or "").rstrip("\n")
    shown = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    if load_pem_private_key(key.encode(), None, unsafe_skip_rsa_key_validation=True).public_key() != shown:
        raise Unusable("the client key is not that of the client certificate")
    return {"tls_crt": certificate, "tls_key": key}


@lru_cache(maxsize=256)
def _certificates(text: str, what: str, limit: int) -> str:
    """Bundles are long, and many routes have the same."""
    found = certificates(text, what, limit).rstrip("\n")
    try:
        x509.load_pem_x509_certificates(found.encode())
    except ValueError:
        raise Unusable(f"{what} has a block that is no certificate") from None
    return found
