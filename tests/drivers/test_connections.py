"""ServiceConnections from end to end: a real API server, the operator, and the real systems that they name.

Probes run once an hour here unless a test says otherwise: what shows sooner was probed because something changed.
"""

import asyncio
import uuid
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import nkeys
import pytest

from dev.controlplane import free_ports
from dev.pki import Authority
from dev.systems.base import program
from dev.systems.keycloak import Keycloak
from dev.systems.nats import Access, Nats
from dev.systems.nginx import Nginx
from dev.systems.postgresql import Postgresql
from integration_operator.core.model import API_VERSION
from integration_operator.core.ports import Environment
from integration_operator.engine import handlers, metrics
from integration_operator.kinds import service_connection
from integration_operator.main import running
from integration_operator.registry.drivers import DRIVERS
from integration_operator.settings import Settings
from tests.api.engine.widgets import CRD
from tests.api.kube import AuditedApiServer, Kube, condition_of, connect, generated, install, until
from tests.drivers.targets import RULES

HOURLY = {"interval": "1h", "timeout": "30s", "failureThreshold": 1}
BASIC = {"usernameRef": {"name": "login", "key": "user"}, "passwordRef": {"name": "login", "key": "password"}}
OAUTH = {"clientIdRef": {"name": "client", "key": "id"}, "clientSecretRef": {"name": "client", "key": "secret"}}


@pytest.fixture(scope="module")
def server() -> Iterator[AuditedApiServer]:
    with AuditedApiServer() as server:
        asyncio.run(install(server, CRD, *generated()))
        yield server


class Connections(Kube):
    """A namespace with ServiceConnections and an operator, which may be started again."""

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[None]:
        """The operator, as the product runs."""
        stop, kinds = asyncio.Event(), (service_connection.KIND,)
        (port,) = free_ports(1)
        settings = Settings(
            environment=Environment(namespace=self.namespace),
            addresses=RULES,
            identity="test",
            host="127.0.0.1",
            port=port,
        )
        cluster = await connect(self.server)
        async with running(cluster, settings, kinds, DRIVERS) as engine:
            watching = asyncio.create_task(handlers.watch(engine, cluster, kinds, settings, stop))
            try:
                yield
            finally:
                stop.set()
                await watching

    async def connection(self, name: str, *authorities: Authority, **spec: Any) -> None:
        """Create one that trusts these authorities."""
        await self.secret("ca", **{"ca.crt": "".join(a.ca.read_text() for a in authorities)})
        spec = {"tls": {"caRef": {"name": "ca"}}, "healthCheck": HOURLY, **spec}
        await self.create(
            {"apiVersion": API_VERSION, "kind": "ServiceConnection", "metadata": {"name": name}, "spec": spec}
        )

    async def says(self, name: str, **conditions: str) -> dict[str, Any]:
        """Wait until conditions of a connection are `Status/Reason`."""

        async def holds() -> dict[str, Any] | None:
            found = await self.get("ServiceConnection", name) or {}
            now = {t: f"{c.get('status')}/{c.get('reason')}" for t in conditions for c in [condition_of(found, t)]}
            return found if now == conditions else None

        try:
            return await until(holds, f"{name} says {conditions}", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {await self.get('ServiceConnection', name)}") from None

    async def binding(self, name: str) -> dict[str, str]:
        """What its binding Secret holds; empty where there is none."""
        found = await self.get("Secret", f"{name}-binding")
        return {k: b64decode(v).decode() for k, v in (found or {}).get("data", {}).items()}


@pytest.fixture
async def kube(server: AuditedApiServer) -> AsyncIterator[Connections]:
    async with Connections(server, f"connections-{uuid.uuid4().hex[:8]}") as kube:
        yield kube


def probes(driver: str) -> float:
    """How many probes this process has made with a driver."""
    return sum(
        s.value
        for m in metrics.checks.collect()
        for s in m.samples
        if s.name.endswith("_total") and s.labels["driver"] == driver
    )


async def probed(driver: str, times: int) -> None:
    """Wait for further probes."""
    before = probes(driver)
    await until(lambda: probes(driver) >= before + times, f"{times} more probes by {driver}", 60)


async def test_a_changed_password_takes_effect_at_once(
    kube: Connections, postgresql: Postgresql, authority: Authority
) -> None:
    postgresql.user("changing", "first", "orders")
    await kube.secret("login", user="changing", password="first")
    async with kube.operator():
        await kube.connection(
            "orders",
            authority,
            postgresql={"host": "localhost", "port": postgresql.port, "database": "orders"},
            credentials={"basic": BASIC},
            consumers=[{"podSelector": {"matchLabels": {"app": "checkout"}}}],
        )
        found = await kube.says("orders", Ready="True/Connected", EgressProgrammed="True/Programmed")
        assert found["status"]["endpoint"] == f"localhost:{postgresql.port}"
        assert (await kube.binding("orders"))["password"] == "first"
        policy = await kube.get("NetworkPolicy", "orders-egress-default")
        assert policy
        assert {"ipBlock": {"cidr": "127.0.0.1/32"}} in policy["spec"]["egress"][-1]["to"]
        await kube.secret("login", password="wrong")
        await kube.says("orders", Ready="False/AuthenticationFailed", Reachable="True/Connected")
        postgresql.sql("ALTER ROLE changing PASSWORD 'second'")
        await kube.secret("login", password="second")
        await kube.says("orders", Ready="True/Connected", CredentialsValid="True/Valid")
        assert (await kube.binding("orders"))["password"] == "second"
        await kube.delete("Secret", "login")
        await kube.says("orders", Ready="False/RefNotFound")
        assert (await kube.binding("orders"))["password"] == "second"
        await kube.secret("login", user="changing", password="second")
        await kube.says("orders", Ready="True/Connected")


async def test_a_revoked_credential_shows_within_the_interval_and_heals(
    kube: Connections, authority: Authority, home: Any
) -> None:
    seed = nkeys.encode_seed(b"c" * 32, nkeys.PREFIX_BYTE_USER).decode()
    access = Access(nkeys=(nkeys.from_seed(bytearray(seed.encode())).public_key.decode(),))
    await kube.secret("bus", seed=seed)
    with Nats(home / f"nats-{kube.namespace}", authority, access=access) as nats:
        async with kube.operator():
            await kube.connection(
                "bus",
                authority,
                nats={"host": "127.0.0.1", "port": nats.port},
                credentials={"nkey": {"seedRef": {"name": "bus", "key": "seed"}}},
                healthCheck={"interval": "1s", "timeout": "1s", "failureThreshold": 3},
            )
            await kube.says("bus", Ready="True/Connected")
            nats.admit(Access(users={"other": "other"}))
            await kube.says("bus", Ready="False/AuthenticationFailed", CredentialsValid="False/AuthenticationFailed")
            nats.admit(access)
            await kube.says("bus", Ready="True/Connected")
            nats.stop()
            await kube.says("bus", Ready="False/ConnectionRefused", CredentialsValid="Unknown/Unreachable")
            nats.start()
            await kube.says("bus", Ready="True/Connected")
            await probed("nats", 2)
            writes = kube.writes()
            await probed("nats", 3)
            assert kube.writes() == writes


async def test_a_token_survives_a_restart_and_follows_its_client(
    kube: Connections, keycloak: Keycloak, nginx: Nginx, authority: Authority
) -> None:
    await kube.secret("client", id="lasting", secret="lasting-secret")
    async with kube.operator():
        await kube.connection(
            "billing",
            authority,
            keycloak.authority,
            http={"url": nginx.url},
            credentials={"oauth2ClientCredentials": {"tokenUrl": keycloak.token_url, **OAUTH}},
        )
        found = await kube.says("billing", Ready="True/Connected")
        first = await kube.binding("billing")
        assert first["header-value"] == f"Bearer {first['token']}"
        assert found["status"]["tokenExpiresAt"] == first["expires-at"]
    writes, fetched = kube.writes(), probes("oauth2")
    async with kube.operator():
        await probed("http", 1)
        await kube.says("billing", Ready="True/Connected")
        assert probes("oauth2") == fetched
        assert (await kube.binding("billing"))["token"] == first["token"]
        assert [w for w in kube.writes()[len(writes) :] if w[1] == "secrets"] == []

        await kube.secret("client", secret="wrong")
        found = await kube.says("billing", CredentialsValid="False/AuthenticationFailed", Reachable="True/Connected")
        assert (await kube.binding("billing"))["token"] == first["token"]
        assert "lasting-secret" not in str(found)

        keycloak.change("lasting", secret="other-secret")
        await kube.secret("client", secret="other-secret")
        await kube.says("billing", Ready="True/Connected")
        assert (await kube.binding("billing"))["token"] != first["token"]


async def test_a_short_lived_token_is_always_fresh(
    kube: Connections, keycloak: Keycloak, nginx: Nginx, authority: Authority
) -> None:
    await kube.secret("client", id="brief", secret="brief-secret")
    async with kube.operator():
        await kube.connection(
            "billing",
            authority,
            keycloak.authority,
            http={"url": nginx.url},
            credentials={"oauth2ClientCredentials": {"tokenUrl": keycloak.token_url, **OAUTH}},
        )
        await kube.says("billing", Ready="True/Connected")
        seen: set[str] = set()

        async def renewed() -> bool:
            seen.add((await kube.binding("billing"))["token"])
            return len(seen) >= 3

        await until(renewed, "two renewals", 60)
        await kube.says("billing", Ready="True/Connected")


@pytest.mark.parametrize(
    ("host", "reason"), [("169.254.169.254", "AddressDenied"), ("no-such-host.invalid", "DNSNotFound")]
)
async def test_where_no_connection_may_or_can_go(
    kube: Connections, authority: Authority, host: str, reason: str
) -> None:
    async with kube.operator():
        consumers = [{"podSelector": {"matchLabels": {"app": "checkout"}}}]
        await kube.connection("bus", authority, nats={"host": host}, consumers=consumers)
        egress = "AddressDenied" if reason == "AddressDenied" else "NoAddress"
        await kube.says("bus", Ready=f"False/{reason}", Reachable=f"False/{reason}", EgressProgrammed=f"False/{egress}")


async def test_plain_text_is_asked_for_and_allowed(kube: Connections, home: Any, authority: Authority) -> None:
    """What is only allowed is not done: without tls.mode, the connection is encrypted or none."""
    await kube.secret("login", user="reader", password="right")
    access = Access(users={"reader": "right"})
    with Nats(home / f"plain-{kube.namespace}", authority, tls=False, access=access) as nats:
        async with kube.operator():
            spec: dict[str, Any] = {
                "nats": {"host": "127.0.0.1", "port": nats.port},
                "credentials": {"basic": BASIC},
                "allowInsecure": True,
            }
            await kube.connection("allowed", authority, **spec)
            await kube.connection("asked", authority, **spec, tls={"mode": "Disable"})
            found = await kube.says("allowed", Ready="False/TLSNotOffered")
            assert "plainText" not in found["status"]
            found = await kube.says("asked", Ready="True/Connected")
            assert found["status"]["plainText"] is True
            assert (await kube.binding("asked"))["uri"] == f"nats://127.0.0.1:{nats.port}"
            assert (await kube.binding("allowed"))["uri"] == f"tls://127.0.0.1:{nats.port}"


@pytest.mark.parametrize(
    ("database", "spec", "encrypted"),
    [("orders", {}, "t"), ("plain", {"tls": {"mode": "Disable"}, "allowInsecure": True}, "f")],
)
async def test_the_binding_of_a_database_connects_as_the_probe_did(
    kube: Connections, postgresql: Postgresql, authority: Authority, database: str, spec: dict[str, Any], encrypted: str
) -> None:
    """With libpq, which is told nothing but what the binding holds, and where it is."""
    postgresql.user(f"binder_{database}", "right: \u00e4", database)
    await kube.secret("login", user=f"binder_{database}", password="right: \u00e4")
    where = {"host": "localhost", "port": postgresql.port, "database": database}
    async with kube.operator():
        await kube.connection("db", authority, postgresql=where, credentials={"basic": BASIC}, **spec)
        await kube.says("db", Ready="True/Connected")
        binding = await kube.binding("db")
    environment = {
        "PGUSER": binding["username"],
        "PGPASSWORD": binding["password"],
        "PGSSLROOTCERT": str(authority.ca) if "ca.crt" in binding else "",
        "LC_ALL": "C.UTF-8",
    }
    query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    psql = await asyncio.create_subprocess_exec(
        program("psql"), "-XAtq", binding["uri"], "-c", query, env=environment, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await psql.communicate()
    assert said.decode().strip() == encrypted
