"""The operator with IdentityFederations, on a real API server, and a provider that lies, changes keys and goes away."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from dev.apiserver import ApiServer
from dev.pki import Authority
from dev.versions import ROOT
from integration_operator.core.addresses import AddressRules
from integration_operator.core.model import API_VERSION
from integration_operator.drivers.probes.claims import ClaimsProbe
from integration_operator.drivers.probes.oidc import OidcProbe
from integration_operator.kinds.identity_federation import KIND
from integration_operator.kinds.identity_federation.configuration import authentication
from tests.api.conftest import Operating, Operator
from tests.api.kube import Kube, condition_of, until
from tests.drivers.provider import EC, RSA, Provider, provider, public

NAME, KEYS, CONFIGURATION = "corporate", "corporate-keys", "corporate-authentication"
EXAMPLE = ROOT / "examples" / "identity" / "corporate.yaml"
SECONDS = 45.0
"""Several refreshes, on a busy machine too."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


def federation(issuer: str, **spec: Any) -> dict[str, Any]:
    oidc = {"issuerUrl": issuer, "audiences": ["orders"], "caRef": {"name": "corp-ca"}, "refreshInterval": "10s"}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND.name,
        "metadata": {"name": NAME},
        "spec": {"oidc": oidc, **spec},
    }


def mapped(username: str = "a@example.com") -> dict[str, Any]:
    """Mappings with an example that expects this name of a@example.com."""
    claims = {"email": "a@example.com", "email_verified": True}
    return {
        "claimMappings": {"username": {"expression": "claims.email_verified ? claims.email : ''"}},
        "examples": [{"name": "a developer", "claims": claims, "expect": {"username": username}}],
        "cluster": {"authenticationConfiguration": True},
    }


@contextlib.asynccontextmanager
async def operating(operator: Operating) -> AsyncIterator[Operator]:
    rules = AddressRules.of(allow=["127.0.0.0/8"])
    async with operator(kinds=(KIND,), drivers=(OidcProbe, ClaimsProbe), addresses=rules) as op:
        yield op


async def trust(kube: Kube, liar: Provider) -> None:
    assert liar.authority
    await kube.secret("corp-ca", **{"ca.crt": liar.authority.ca.read_text()})


async def judged(kube: Kube, type_: str, status: str, reason: str) -> dict[str, Any]:
    """Wait for a verdict on the present generation; the object."""

    async def holds() -> dict[str, Any] | None:
        found = await kube.get(KIND.name, NAME) or {}
        condition = condition_of(found, type_)
        current = condition.get("observedGeneration") == found.get("metadata", {}).get("generation")
        return found if current and (condition["status"], condition["reason"]) == (status, reason) else None

    return await until(holds, f"{type_}={status} {reason}", SECONDS)


async def kids(kube: Kube) -> list[str] | None:
    """Ids of the keys in the ConfigMap; None where there is none."""
    found = await kube.get("ConfigMap", KEYS)
    return [key["kid"] for key in json.loads(found["data"]["jwks.json"])["keys"]] if found else None


async def keys_are(kube: Kube, *wanted: str) -> None:
    async def holds() -> bool:
        return await kids(kube) == list(wanted)

    await until(holds, f"the keys are {wanted}", SECONDS)


async def fetched_again(liar: Provider, op: Operator, times: int = 2) -> None:
    before = len(liar.asked)
    # A look asks twice: for the document, and for the keys.
    await until(lambda: len(liar.asked) >= before + 2 * times, "keys were fetched again", SECONDS)
    await op.quiet()


async def test_keys_follow_the_provider_and_outlive_it(kube: Kube, operator: Operating, authority: Authority) -> None:
    with provider(authority) as liar:
        liar.keys("corp", public(RSA))
        await trust(kube, liar)
        async with operating(operator) as op:
            await kube.create(federation(liar.issuer("corp"), **mapped()))
            found = await judged(kube, "Ready", "True", "Trusted")
            assert await kids(kube) == ["rsa"]
            assert [key["kid"] for key in found["status"]["keys"]] == ["rsa"]
            made = await kube.get("ConfigMap", CONFIGURATION)
            assert made
            (jwt,) = yaml.safe_load(made["data"]["authentication.yaml"])["jwt"]
            assert (jwt["issuer"]["url"], jwt["issuer"]["certificateAuthority"]) == (
                liar.issuer("corp"),
                authority.ca.read_text().rstrip(),
            )
            await op.quiet()
            before = kube.writes()
            await fetched_again(liar, op)
            assert kube.writes() == before, "a refresh that finds the same keys writes nothing"
            liar.keys("corp", public(EC), public(RSA))
            await keys_are(kube, "ec", "rsa")
            liar.keys("corp", public(EC))
            await keys_are(kube, "ec")
            await op.quiet()
    async with operating(operator) as op:
        found = await judged(kube, "DiscoveryValid", "False", "ConnectionRefused")
        await judged(kube, "JWKSFetchValid", "Unknown", "DiscoveryFailed")  # once the examples were tried, too
        assert await kids(kube) == ["ec"]
        assert [key["kid"] for key in found["status"]["keys"]] == ["ec"]
        await op.quiet()
        before = kube.writes()
    async with operating(operator) as op:
        await op.quiet()
        assert await kids(kube) == ["ec"], "an operator that never reached the provider takes the keys that were kept"
        assert kube.writes() == before
        with provider(authority, liar.port) as liar:
            liar.keys("corp", public(EC))
            await judged(kube, "Ready", "True", "Trusted")
        found = await judged(kube, "DiscoveryValid", "False", "ConnectionRefused")
        assert condition_of(found, "JWKSFetchValid")["message"] == "the last keys serve until discovery works again"
        assert await kids(kube) == ["ec"]


async def test_a_key_that_somebody_wrote_is_not_trusted(kube: Kube, operator: Operating, authority: Authority) -> None:
    forged = json.dumps({"keys": [public(EC, kid="forged")]})
    with provider(authority) as liar:
        liar.keys("corp", public(RSA))
        await trust(kube, liar)
        async with operating(operator):
            await kube.create(federation(liar.issuer("corp")))
            await judged(kube, "Ready", "True", "Trusted")
            await kube.patch("ConfigMap", KEYS, {"data": {"jwks.json": forged}})
            await keys_are(kube, "rsa")
    await kube.patch("ConfigMap", KEYS, {"data": {"jwks.json": forged}})
    async with operating(operator):

        async def withdrawn() -> bool:
            return await kids(kube) is None

        await until(withdrawn, "keys that the operator never fetched are gone", SECONDS)
        found = await judged(kube, "DiscoveryValid", "False", "ConnectionRefused")
        assert "keys" not in found["status"]


async def test_another_issuer_is_refused(kube: Kube, operator: Operating, authority: Authority) -> None:
    with provider(authority) as liar:
        liar.keys("corp", public(RSA))
        liar.document("corp", issuer="https://evil.example.com")
        await trust(kube, liar)
        async with operating(operator) as op:
            await kube.create(federation(liar.issuer("corp")))
            found = await judged(kube, "DiscoveryValid", "False", "IssuerMismatch")
            assert "https://evil.example.com" in condition_of(found, "DiscoveryValid")["message"]
            await op.quiet()
            assert await kids(kube) is None
            assert "/corp/keys" not in liar.asked


async def test_the_same_name_with_another_issuer(kube: Kube, operator: Operating, authority: Authority) -> None:
    with provider(authority) as liar:
        liar.keys("first", public(RSA))
        liar.keys("second", public(EC))
        await trust(kube, liar)
        async with operating(operator):
            await kube.create(federation(liar.issuer("first")))
            await judged(kube, "Ready", "True", "Trusted")
            liar.silent.add("/second/.well-known/openid-configuration")
            await kube.delete(KIND.name, NAME)
            await kube.create(federation(liar.issuer("second")))
            await judged(kube, "DiscoveryValid", "False", "Timeout")
            assert await kids(kube) is None, "keys of the first issuer are not the second one's"
            liar.silent.clear()
            await keys_are(kube, "ec")


async def test_a_failing_example_changes_no_configuration(
    kube: Kube, operator: Operating, authority: Authority
) -> None:
    with provider(authority) as liar:
        liar.keys("corp", public(RSA))
        await trust(kube, liar)
        async with operating(operator):
            await kube.create(federation(liar.issuer("corp"), **mapped()))
            await judged(kube, "Ready", "True", "Trusted")
            made = await kube.get("ConfigMap", CONFIGURATION)
            assert made
            wrong = mapped("b@example.com")
            wrong["claimMappings"]["username"]["expression"] = "claims.email_verified ? claims.email : 'nobody'"
            await kube.patch(KIND.name, NAME, {"spec": wrong})
            found = await judged(kube, "ExamplesPassed", "False", "ExampleFailed")
            said = condition_of(found, "ExamplesPassed")["message"]
            assert said == "a developer: username is 'a@example.com', and not 'b@example.com'"
            liar.keys("corp", public(EC))
            await keys_are(kube, "ec")
            assert await kube.get("ConfigMap", CONFIGURATION) == made
            await kube.patch(KIND.name, NAME, {"spec": {"examples": mapped()["examples"]}})
            await judged(kube, "Ready", "True", "Trusted")
            mended = await kube.get("ConfigMap", CONFIGURATION)
            assert mended
            assert "'nobody'" in mended["data"]["authentication.yaml"]
            await kube.patch(KIND.name, NAME, {"spec": {"cluster": None}})

            async def gone() -> bool:
                return await kube.get("ConfigMap", CONFIGURATION) is None

            await until(gone, "the configuration is no longer there", SECONDS)


def test_an_api_server_takes_the_configuration_of_the_example(authority: Authority, tmp_path: Path) -> None:
    """It compiles every expression before it starts."""
    (example,) = [d for d in yaml.safe_load_all(EXAMPLE.read_text()) if d["kind"] == KIND.name]
    file = tmp_path / "authentication.yaml"
    file.write_text(authentication(KIND.model.model_validate(example), authority.ca.read_text()))
    with ApiServer(f"--authentication-config={file}") as server:
        assert httpx.get(f"{server.url}/readyz", verify=server.client_context(), trust_env=False).text == "ok"
