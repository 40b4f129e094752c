"""The certificate of the operator's own Gateway, where nobody brings one: made, renewed, and nobody else's touched."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography import x509

from dev.crds import gateway_crds
from integration_operator.core.errors import Conflict
from integration_operator.engine.certificates import AUTHORITY_LIFE, LIFE
from integration_operator.engine.local_tls import LocalTls
from tests.api.conftest import Operating
from tests.api.kube import AuditedApiServer, Kube, connect, install, until

NAMES = ("*.example.com", "example.com")
GATEWAYS = "/apis/gateway.networking.k8s.io/v1/namespaces/{}/gateways"


@pytest.fixture(scope="module", autouse=True)
def gateways(server: AuditedApiServer) -> None:
    """The API server serves Gateways."""
    wanted = [crd for crd in gateway_crds() if crd["metadata"]["name"] == "gateways.gateway.networking.k8s.io"]
    with httpx.Client(base_url=server.url, verify=server.client_context(), trust_env=False) as http:
        if http.get("/apis/gateway.networking.k8s.io/v1/gateways").status_code == 404:
            asyncio.run(install(server, *wanted))


async def gateway(kube: Kube) -> dict[str, Any]:
    listener = {"name": "https", "protocol": "HTTPS", "port": 443, "tls": {"certificateRefs": [{"name": "tls"}]}}
    spec = {"gatewayClassName": "any", "listeners": [listener]}
    body = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "public"}}
    made: dict[str, Any] = await kube.post(GATEWAYS.format(kube.namespace), {**body, "spec": spec})
    return made


async def pem(kube: Kube, name: str, key: str) -> bytes:
    found = await kube.get("Secret", name)
    assert found is not None
    return b64decode(found["data"][key])


async def certificate(kube: Kube, name: str = "tls") -> x509.Certificate:
    return x509.load_pem_x509_certificate(await pem(kube, name, "tls.crt"))


@pytest.fixture
async def keeper(server: AuditedApiServer, kube: Kube, operator: Operating) -> AsyncIterator[LocalTls]:
    """One that looks when the test says so, beside an operator that leads."""
    async with operator() as op:
        await until(op.engine.leadership.may_write, "it leads")
        cluster = await connect(server)
        settings = op.settings.__class__(
            environment=op.settings.environment, local_certificate="tls", local_certificate_names=NAMES
        )
        yield LocalTls(cluster, settings, op.engine.leadership)
        await cluster.close()


async def test_a_running_operator_makes_it_as_soon_as_there_is_a_gateway(kube: Kube, operator: Operating) -> None:
    async with operator(local_certificate="tls", local_certificate_names=NAMES) as op:
        await op.quiet()
        assert await kube.get("Secret", "tls") is None
        made = await gateway(kube)
        await until(lambda: kube.get("Secret", "tls"), "the certificate is there")
    by = await certificate(kube, "tls-ca")
    (await certificate(kube)).verify_directly_issued_by(by)
    assert await pem(kube, "tls", "ca.crt") == await pem(kube, "tls-ca", "tls.crt")
    for name in ("tls", "tls-ca"):
        found = await kube.get("Secret", name)
        assert found is not None
        assert found["type"] == "kubernetes.io/tls"
        assert [ref["uid"] for ref in found["metadata"]["ownerReferences"]] == [made["metadata"]["uid"]]


async def test_it_is_renewed_in_time_by_the_same_authority(kube: Kube, keeper: LocalTls) -> None:
    await gateway(kube)
    now = datetime.now(UTC)
    assert await keeper.ensure(now)
    first, by = await certificate(kube), await certificate(kube, "tls-ca")
    await keeper.ensure(now + LIFE / 2)
    assert await certificate(kube) == first
    await keeper.ensure(now + LIFE * 0.7)
    second = await certificate(kube)
    assert second.not_valid_after_utc > first.not_valid_after_utc
    second.verify_directly_issued_by(by)
    assert await certificate(kube, "tls-ca") == by


async def test_an_authority_that_ends_is_followed_by_another(kube: Kube, keeper: LocalTls) -> None:
    await gateway(kube)
    now = datetime.now(UTC)
    await keeper.ensure(now)
    before = await certificate(kube, "tls-ca")
    await keeper.ensure(now + AUTHORITY_LIFE - timedelta(days=1))
    after = await certificate(kube, "tls-ca")
    assert after != before
    (await certificate(kube)).verify_directly_issued_by(after)


async def test_what_is_good_is_not_written_again(kube: Kube, keeper: LocalTls) -> None:
    await gateway(kube)
    for _ in range(3):
        await keeper.ensure(datetime.now(UTC))
    assert sorted(kube.writes()) == [("patch", "secrets", "tls"), ("patch", "secrets", "tls-ca")]


async def test_what_was_deleted_or_spoilt_is_made_again(kube: Kube, keeper: LocalTls) -> None:
    await gateway(kube)
    await keeper.ensure(datetime.now(UTC))
    by = await certificate(kube, "tls-ca")
    await kube.delete("Secret", "tls")
    await keeper.ensure(datetime.now(UTC))
    (await certificate(kube)).verify_directly_issued_by(by)
    await kube.patch("Secret", "tls", {"data": {"tls.crt": "eA=="}})
    await keeper.ensure(datetime.now(UTC))
    (await certificate(kube)).verify_directly_issued_by(by)


async def test_a_secret_that_is_not_the_operators_is_left_alone(kube: Kube, keeper: LocalTls) -> None:
    await gateway(kube)
    await kube.secret("tls", **{"tls.crt": "mine", "tls.key": "mine"})
    assert await keeper.ensure(datetime.now(UTC))
    assert await pem(kube, "tls", "tls.crt") == b"mine"
    assert kube.writes() == []


async def test_what_somebody_wrote_in_between_is_not_written_over(kube: Kube, keeper: LocalTls) -> None:
    made = await gateway(kube)
    await kube.secret("tls", **{"tls.crt": "theirs", "tls.key": "theirs"})
    with pytest.raises(Conflict):
        await keeper._apply(made, "tls", None, {"tls.crt": b"ours", "tls.key": b"ours"})
    assert await pem(kube, "tls", "tls.crt") == b"theirs"
