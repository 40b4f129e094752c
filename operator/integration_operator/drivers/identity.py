"""What probes of identity providers are given and find: neutral nouns."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Provider:
    """An OpenID Connect provider, by its issuer; trusted by `ca`, a PEM text, else by the system's roots."""

    issuer: str
    ca: str | None = None


@dataclass(frozen=True)
class Keys:
    """Public keys of a provider: a JSON Web Key Set (RFC 7517) in which only usable keys are left."""

    jwks: str
    """Canonical JSON, so that equal keys are equal texts."""

    @classmethod
    def of(cls, keys: Iterable[Mapping[str, Any]]) -> "Keys":
        """A set out of JWKs."""
        ordered = sorted((dict(sorted(k.items())) for k in keys), key=lambda k: (str(k.get("kid", "")), json.dumps(k)))
        return cls(json.dumps({"keys": ordered}, separators=(",", ":")))

    @property
    def digest(self) -> str:
        """SHA-256 of the set, in hexadecimal."""
        return hashlib.sha256(self.jwks.encode()).hexdigest()

    @property
    def listed(self) -> list[dict[str, Any]]:
        """The keys as JWKs."""
        return list(json.loads(self.jwks)["keys"])


@dataclass(frozen=True)
class Claims:
    """Claim mappings, rules and examples, as plain JSON in the words of AuthenticationConfiguration."""

    request: str = field(repr=False)


DISCOVERY, KEY_SET, WITHDRAWN = "discovery", "keys", "withdrawn"
"""Where a look at a provider failed, as `data["step"]` of a bad outcome: after the last one no key may serve."""
