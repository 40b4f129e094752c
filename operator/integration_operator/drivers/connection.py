"""What probes of connections are given: neutral nouns, so that kinds know no client library."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.x509.oid import NameOID

from integration_operator.core.binding import Binding


@dataclass(frozen=True)
class Target:
    """A system to connect to, with all that a client would get: its binding."""

    binding: Binding
    encrypted: bool = True
    path: str = "/"
    expected: tuple[int, ...] = ()

    def same_but_for_the_token(self, other: "Target") -> bool:
        """Whether what was found of the other holds for this one: a token that was renewed changes no verdict."""
        return self._without_token() == other._without_token()

    def _without_token(self) -> "Target":
        if self.binding.token_mark is None:
            return self
        binding = replace(self.binding, token=None, header_value=None, issued_at=None, expires_at=None, token_mark="")
        return replace(self, binding=binding)


@dataclass(frozen=True)
class TokenRequest:
    """A request for a token by client credentials (RFC 6749, section 4.4)."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ()
    audience: str | None = None
    method: str = "client_secret_basic"
    ca: str | None = None
    instead_of: str = field(default="", repr=False)
    """Mark of a token that was refused before its end, so that another is fetched at once."""

    def mark(self, token: str) -> str:
        """What tells later whether a token was asked for with these very credentials.

        Keyed with the token itself, which is random and ends soon: it can't be used to guess the secret without it.
        """
        text = "\0".join((self.url, self.client_id, self.client_secret, *self.scopes, self.audience or "", self.method))
        return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Token:
    """A token, from when to when it holds, and the mark of the request that it came from."""

    value: str = field(repr=False)
    issued_at: str
    expires_at: str
    mark: str

    @property
    def ends(self) -> datetime:
        """When it ends."""
        return datetime.fromisoformat(self.expires_at)

    @property
    def issued(self) -> datetime:
        """When it was asked for."""
        return datetime.fromisoformat(self.issued_at)

    @property
    def life(self) -> timedelta:
        """How long it holds in all."""
        return self.ends - self.issued

    def made_with(self, request: TokenRequest) -> bool:
        """Whether this request, unchanged, gave it."""
        return hmac.compare_digest(self.mark, request.mark(self.value))

    @classmethod
    def parse(cls, binding: Mapping[str, bytes]) -> Self | None:
        """The token of a binding Secret, None where it holds none."""
        try:
            found = {k: binding[k].decode() for k in ("token", "issued-at", "expires-at", "token-mark")}
            token = cls(found["token"], found["issued-at"], found["expires-at"], found["token-mark"])
            return token if token.life > timedelta(0) else None
        except (KeyError, ValueError):
            return None


def issued(value: str, now: datetime, seconds: float, request: TokenRequest) -> Token:
    """A token as the endpoint gave it."""
    now = now.astimezone(UTC).replace(microsecond=0)
    return Token(value, _text(now), _text(now + timedelta(seconds=seconds)), request.mark(value))


def _text(moment: datetime) -> str:
    """RFC 3339, as Kubernetes writes times."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def common_name(certificate: str) -> str | None:
    """The common name in a PEM certificate, which PostgreSQL takes for the user's; None where there is none."""
    try:
        subject = x509.load_pem_x509_certificate(certificate.encode()).subject
    except (ValueError, x509.InvalidVersion):
        return None
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else None


def with_credentials(
    binding: Binding, kind: str, texts: tuple[str, ...], header: str, token: Token | None = None
) -> Binding:
    """The binding with a credential in the entries that its clients look for."""
    web = binding.type == "http"
    if kind == "basic":
        username, password = texts
        authorization = "Basic " + b64encode(f"{username}:{password}".encode()).decode()
        binding = replace(binding, username=username, password=password)
        return replace(binding, header="Authorization", header_value=authorization) if web else binding
    if kind == "bearer":
        binding = replace(binding, token=texts[0])
        return replace(binding, header="Authorization", header_value=f"Bearer {texts[0]}") if web else binding
    if kind == "apiKey":
        return replace(binding, header=header, header_value=texts[0])
    if kind == "nkey":
        return replace(binding, nkey_seed=texts[0])
    if token:
        return replace(
            binding,
            token=token.value,
            header="Authorization",
            header_value=f"Bearer {token.value}",
            issued_at=token.issued_at,
            expires_at=token.expires_at,
            token_mark=token.mark,
        )
    return binding
