"""Discovery and keys of providers: honest ones, and each way of being wrong."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey

from dev.pki import Authority
from dev.systems.keycloak import Keycloak
from integration_operator.core.addresses import AddressRules
from integration_operator.core.plan import Outcome
from integration_operator.drivers.identity import DISCOVERY, KEY_SET, WITHDRAWN, Keys
from integration_operator.drivers.identity import Provider as Asked
from integration_operator.drivers.probes.oidc import DOCUMENT_LIMIT, KEYS_LIMIT, MOST_KEYS, OidcProbe
from tests.drivers.provider import EC, RSA, Provider, provider, public
from tests.drivers.targets import NOWHERE, RULES, ask

SMALL = public(RSA, kid="small", n=public(RSA)["n"][:171])
"""A modulus of 1,024 bits."""
EDWARDS = OKPKey.generate_key("Ed25519", {"kid": "ed"}, auto_kid=False)
FOREIGN_CURVE = ECKey.generate_key("secp256k1", {"kid": "koblitz"}, auto_kid=False)
SHARED = OctKey.generate_key(256, {"kid": "shared"}, auto_kid=False)


@pytest.fixture(scope="module")
def liar(authority: Authority) -> Iterator[Provider]:
    with provider(authority) as found:
        yield found


async def fetch(liar: Provider, name: str, rules: AddressRules = RULES, **fields: Any) -> Outcome:
    assert liar.authority
    target = Asked(liar.issuer(name), fields.pop("ca", liar.authority.ca.read_text()))
    return await ask(OidcProbe(rules), target, **fields)


def ids(outcome: Outcome) -> list[str]:
    found = outcome.data["keys"]
    assert isinstance(found, Keys)
    return [key["kid"] for key in found.listed]


async def test_keys_for_signatures_are_taken_and_others_left_out(liar: Provider) -> None:
    others = [
        public(RSA, kid="encrypts", use="enc"),
        public(RSA, kid="odd", alg="RSA-OAEP"),
        public(RSA, kid="half", n=None),
        public(EC, kid="off-curve", x=public(EC)["y"]),
        {"kid": "none", "kty": "none"},
        SMALL,
        public(FOREIGN_CURVE),
    ]
    liar.keys(
        "good",
        public(RSA, x5c=["certificate"], x5u="https://elsewhere.example.com"),
        public(EC),
        *others,
        public(EDWARDS),
    )
    outcome = await fetch(liar, "good")
    assert (outcome.ok, ids(outcome)) == (True, ["ec", "ed", "rsa"])
    rsa = next(k for k in outcome.data["keys"].listed if k["kid"] == "rsa")
    assert set(rsa) == {"kty", "kid", "alg", "n", "e", "use"}, "nothing that a gateway might follow or that says more"


async def test_equal_keys_are_equal_whatever_their_order(liar: Provider) -> None:
    liar.keys("one", public(RSA), public(EC))
    liar.keys("other", public(EC), dict(reversed(list(public(RSA).items()))))
    assert (await fetch(liar, "one")).data["keys"] == (await fetch(liar, "other")).data["keys"]


@pytest.mark.parametrize(
    ("name", "fields", "reason", "said"),
    [
        ("other-issuer", {"issuer": "https://evil.example.com"}, "IssuerMismatch", "https://evil.example.com"),
        ("slash", {"issuer": "https://127.0.0.1/slash/"}, "IssuerMismatch", "write it so"),
        ("no-issuer", {"issuer": None}, "InvalidDiscovery", "issuer and jwks_uri"),
        ("no-keys", {"jwks_uri": None}, "InvalidDiscovery", "issuer and jwks_uri"),
        ("odd-keys", {"jwks_uri": ["https://127.0.0.1"]}, "InvalidDiscovery", "issuer and jwks_uri"),
        ("plain", {"jwks_uri": "http://127.0.0.1/keys"}, "InsecureUrl", "https://"),
        ("file", {"jwks_uri": "file:///etc/passwd"}, "InsecureUrl", "https://"),
        ("none", {"id_token_signing_alg_values_supported": ["none"]}, "UnsignedTokens", "no algorithm"),
        ("shared", {"id_token_signing_alg_values_supported": ["HS256", "none"]}, "UnsignedTokens", "no algorithm"),
    ],
)
async def test_a_discovery_document_that_is_wrong(
    liar: Provider, name: str, fields: dict[str, Any], reason: str, said: str
) -> None:
    liar.document(name, **fields)
    outcome = await fetch(liar, name)
    assert (outcome.ok, outcome.reason, outcome.data) == (False, reason, {"step": DISCOVERY})
    assert said in outcome.message
    assert f"/{name}/keys" not in liar.asked


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("page", b"<html>log in</html>", "InvalidDiscovery"),
        ("list", b"[]", "InvalidDiscovery"),
        ("deep", b"[" * 5000, "InvalidDiscovery"),
        ("empty", b"", "InvalidDiscovery"),
        ("bytes", b"\xff\xfe\x00", "InvalidDiscovery"),
        ("huge", b" " * (DOCUMENT_LIMIT + 1) + b"{}", "AnswerTooLarge"),
    ],
)
async def test_what_is_no_discovery_document(liar: Provider, name: str, body: bytes, reason: str) -> None:
    liar.say(f"/{name}/.well-known/openid-configuration", body)
    outcome = await fetch(liar, name)
    assert (outcome.ok, outcome.reason) == (False, reason)


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("k-page", b"<html>", "InvalidJWKS"),
        ("k-null", b'{"keys": null}', "InvalidJWKS"),
        ("k-odd", b'{"keys": ["key"]}', "InvalidJWKS"),
        ("k-many", json.dumps({"keys": [{}] * (MOST_KEYS + 1)}).encode(), "InvalidJWKS"),
        ("k-none", b'{"keys": []}', "NoUsableKey"),
        ("k-small", json.dumps({"keys": [SMALL]}).encode(), "NoUsableKey"),
        ("k-shared", json.dumps({"keys": [SHARED.as_dict(private=True)]}).encode(), "PrivateKeyPublished"),
        ("k-private", json.dumps({"keys": [public(RSA), EC.as_dict(private=True)]}).encode(), "PrivateKeyPublished"),
        ("k-huge", b" " * (KEYS_LIMIT + 1), "AnswerTooLarge"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_keys_that_are_wrong(liar: Provider, name: str, body: bytes, reason: str) -> None:
    liar.document(name)
    liar.say(f"/{name}/keys", body)
    outcome = await fetch(liar, name)
    step = WITHDRAWN if reason == "PrivateKeyPublished" else KEY_SET
    assert (outcome.ok, outcome.reason, outcome.data) == (False, reason, {"step": step})


async def test_a_redirect_is_not_followed(liar: Provider) -> None:
    liar.keys("aim", public(RSA))
    liar.say("/moved/.well-known/openid-configuration", b"", 302, Location="/aim/.well-known/openid-configuration")
    liar.document("moved-keys")
    liar.say("/moved-keys/keys", b"", 307, Location="/aim/keys")
    for name, step in (("moved", DISCOVERY), ("moved-keys", KEY_SET)):
        outcome = await fetch(liar, name)
        assert (outcome.ok, outcome.reason, outcome.data["step"]) == (False, "RedirectRefused", step)


async def test_a_slow_provider_has_its_time_and_no_more(liar: Provider) -> None:
    liar.silent.add("/slow/.well-known/openid-configuration")
    assert liar.authority
    target = Asked(liar.issuer("slow"), liar.authority.ca.read_text())
    outcome = await OidcProbe(RULES).probe(target, timedelta(seconds=1))
    assert (outcome.ok, outcome.reason) == (False, "Timeout")


async def test_a_provider_that_is_not_there_or_not_trusted(liar: Provider, stranger: Authority) -> None:
    assert (await fetch(liar, "nobody")).reason == "UnexpectedStatus"
    assert (await fetch(liar, "nobody", ca=stranger.ca.read_text())).reason == "TLSUntrusted"
    assert (await ask(OidcProbe(RULES), Asked(f"https://{NOWHERE}"))).reason == "DNSNotFound"


async def test_a_provider_and_its_keys_are_known_by_their_names(liar: Provider) -> None:
    assert liar.authority
    named = f"https://localhost:{liar.port}/named"
    rules = AddressRules.of(allow=["127.0.0.0/8", "::1/128"])
    target = Asked(named, liar.authority.ca.read_text())
    liar.keys("named", public(RSA))
    for keys_at in (f"{named}/keys", f"https://127.0.0.1:{liar.port}/named/keys"):
        liar.document("named", issuer=named, jwks_uri=keys_at)
        outcome = await ask(OidcProbe(rules), target)
        assert (outcome.ok, outcome.message) == (True, "")


async def test_keys_at_a_denied_address_are_not_fetched(liar: Provider) -> None:
    liar.document("inside", jwks_uri="https://169.254.169.254/keys")
    outcome = await fetch(liar, "inside")
    assert (outcome.ok, outcome.reason, outcome.data) == (False, "AddressDenied", {"step": KEY_SET})
    assert (await fetch(liar, "inside", AddressRules())).reason == "AddressDenied"


async def test_keycloak(keycloak: Keycloak) -> None:
    outcome = await ask(OidcProbe(RULES), Asked(keycloak.issuer, keycloak.authority.ca.read_text()))
    assert (outcome.ok, outcome.reason) == (True, "KeysFetched")
    assert [k["alg"] for k in outcome.data["keys"].listed] == ["RS256"]
