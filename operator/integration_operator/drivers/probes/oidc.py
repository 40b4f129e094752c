"""Fetches an OpenID Connect provider's discovery document and keys (OpenID Connect Discovery 1.0, RFC 7517)."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from integration_operator.core.addresses import Outbound
from integration_operator.core.plan import Outcome
from integration_operator.drivers.identity import DISCOVERY, KEY_SET, WITHDRAWN, Keys, Provider
from integration_operator.drivers.probes.dial import attempt
from integration_operator.drivers.probes.tls import Tls
from integration_operator.drivers.probes.web import beginning, redirected, request

DOCUMENT_LIMIT, KEYS_LIMIT = 65536, 262144
"""The most bytes that the two answers may have."""
MOST_KEYS = 64

ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA", "Ed25519"),
}
"""What may sign a token, by the type of key: never a shared secret, never nothing."""
CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "k")


class Reason(StrEnum):
    """Why a provider can't be trusted now; those of the network and TLS are in dial.py. Add freely, never rename."""

    FETCHED = "KeysFetched"
    """Discovery and keys are as they should be."""
    INVALID_DOCUMENT = "InvalidDiscovery"
    """The discovery document is no JSON object with issuer and jwks_uri."""
    ISSUER_MISMATCH = "IssuerMismatch"
    """The document names another issuer: write issuerUrl exactly as it is there."""
    PLAIN_HTTP = "InsecureUrl"
    """The document leads to http://, where anyone could put keys."""
    UNSIGNED = "UnsignedTokens"
    """The provider signs with nothing, or with shared secrets only."""
    INVALID_KEYS = "InvalidJWKS"
    """The keys are no JSON Web Key Set."""
    NO_KEYS = "NoUsableKey"
    """There is no public key for signatures among the keys."""
    PRIVATE_KEY = "PrivateKeyPublished"
    """A private key or shared secret is published: whoever reads it can sign tokens, so no key is trusted."""
    TOO_LARGE = "AnswerTooLarge"
    """The answer is larger than any honest one."""
    STATUS = "UnexpectedStatus"
    """The answer is no 200."""


class _Wrong(Exception):
    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.outcome = Outcome(False, reason, message)


class OidcProbe:
    """Driver `oidc`: its good outcome holds the keys, as `data["keys"]`; a bad one says in which step."""

    name = "oidc"

    def __init__(self, rules: Outbound) -> None:
        self._rules = rules

    async def probe(self, target: Any, timeout: timedelta) -> Outcome:
        """See drivers.base.Probe."""
        assert isinstance(target, Provider)
        step = [DISCOVERY]

        async def ask(tls: Tls) -> Outcome:
            try:
                return await self._ask(target, tls, timeout, step)
            except _Wrong as wrong:
                return wrong.outcome

        host = urlsplit(target.issuer).hostname or ""
        # A CA that is given is the only one, also where keys lie elsewhere: so the API server has it.
        tls = Tls(host, ca=target.ca)
        outcome = await attempt(ask, tls, host, timeout)
        if outcome.ok:
            return outcome
        last = WITHDRAWN if outcome.reason == Reason.PRIVATE_KEY else step[-1]
        return Outcome(False, outcome.reason, outcome.message, data={"step": last}, hurry=outcome.hurry)

    async def _ask(self, target: Provider, tls: Tls, timeout: timedelta, step: list[str]) -> Outcome:
        url = target.issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = _document(await self._get(url, tls, timeout, DOCUMENT_LIMIT), target.issuer)
        step.append(KEY_SET)
        keys = _usable(await self._get(document["jwks_uri"], tls, timeout, KEYS_LIMIT))
        return Outcome(True, Reason.FETCHED, data={"keys": keys})

    async def _get(self, url: str, tls: Tls, timeout: timedelta, limit: int) -> bytes:
        host = urlsplit(url).hostname or ""
        asking = request(
            "GET",
            url,
            rules=self._rules,
            context=await replace(tls, server_name=host).context(),
            timeout=timeout,
            headers={"Accept": "application/json"},
        )
        async with asking as response:
            if 300 <= response.status_code < 400:
                raise redirected(host, response)
            if response.status_code != 200:
                raise _Wrong(Reason.STATUS, f"{host} answers {response.status_code} to GET {urlsplit(url).path}")
            body = await beginning(response, limit + 1)
        if len(body) > limit:
            raise _Wrong(Reason.TOO_LARGE, f"{host} answers GET {urlsplit(url).path} with more than {limit} bytes")
        return body


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _document(body: bytes, issuer: str) -> dict[str, Any]:
    document = _parse(body)
    if document is None or not all(isinstance(document.get(k), str) for k in ("issuer", "jwks_uri")):
        raise _Wrong(Reason.INVALID_DOCUMENT, "the discovery document is no JSON object with issuer and jwks_uri")
    if document["issuer"] != issuer:
        shown = document["issuer"][:256]
        raise _Wrong(Reason.ISSUER_MISMATCH, f"the provider says that its issuer is {shown!r}: write it so")
    if urlsplit(document["jwks_uri"]).scheme != "https" or not urlsplit(document["jwks_uri"]).hostname:
        raise _Wrong(Reason.PLAIN_HTTP, "jwks_uri of the discovery document is not https://")
    offered = document.get("id_token_signing_alg_values_supported")
    known = {alg for algs in ALGORITHMS.values() for alg in algs}
    if isinstance(offered, list) and offered and not known & {a for a in offered if isinstance(a, str)}:
        raise _Wrong(Reason.UNSIGNED, "the provider signs with no algorithm that can be checked with a public key")
    return document


def _usable(body: bytes) -> Keys:
    parsed = _parse(body)
    listed = parsed.get("keys") if parsed is not None else None
    if not isinstance(listed, list) or not all(isinstance(k, dict) for k in listed) or len(listed) > MOST_KEYS:
        raise _Wrong(Reason.INVALID_KEYS, f"the keys are no JSON Web Key Set of at most {MOST_KEYS} keys")
    if any(name in key for key in listed for name in PRIVATE):
        raise _Wrong(
            Reason.PRIVATE_KEY,
            "a private key or shared secret is published, so no key is trusted: tell who runs the provider",
        )
    if not (usable := [public for key in listed if (public := _public(key))]):
        raise _Wrong(Reason.NO_KEYS, "no key is an RSA (2048 bits or more), EC or Ed25519 key for signatures")
    return Keys.of(usable)


def _public(key: Mapping[str, Any]) -> dict[str, Any] | None:
    """What of a JWK is needed to check a signature; None where it can't be used for that."""
    kty, alg = key.get("kty"), key.get("alg")
    if kty not in ALGORITHMS or key.get("use", "sig") != "sig" or (alg is not None and alg not in ALGORITHMS[kty]):
        return None
    if not isinstance(key.get("key_ops", ["verify"]), list) or "verify" not in key.get("key_ops", ["verify"]):
        return None
    kept = {k: key[k] for k in ("kty", "kid", "alg", "n", "e", "crv", "x", "y") if isinstance(key.get(k), str)}
    try:
        match kty:
            case "RSA":
                if not 2048 <= _modulus_bits(kept) <= 8192:
                    return None
                RSAKey.import_key(kept)
            case "EC":
                ECKey.import_key(kept)
            case "OKP":
                OKPKey.import_key(kept)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if kty != "RSA" and (kept.get("crv") not in CURVES or kept.get("alg", CURVES[kept["crv"]]) not in ALGORITHMS[kty]):
        return None
    return {**kept, "use": "sig"}


def _modulus_bits(key: Mapping[str, str]) -> int:
    """Looked at before the key is made: the library warns of small ones, and large ones cost much."""
    return int.from_bytes(urlsafe_b64decode(key["n"] + "=" * (-len(key["n"]) % 4))).bit_length()
