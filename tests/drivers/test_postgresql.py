"""The probe of PostgreSQL against a real one."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dev.controlplane import free_ports
from dev.pki import Authority
from dev.systems.postgresql import Postgresql
from integration_operator.core.addresses import AddressRules
from integration_operator.drivers.connection import Target
from integration_operator.drivers.probes.postgresql import PostgresqlProbe
from tests.drivers.targets import NOWHERE, RULES, ask, target

PROBE = PostgresqlProbe(RULES)
PASSWORD = "right: ä %\"'$"
READER = ("basic", "reader", PASSWORD)


@pytest.fixture
def at(postgresql: Postgresql, authority: Authority) -> Any:
    def make(database: str = "orders", **fields: Any) -> Target:
        given = {"credentials": READER, "ca": authority.ca, "host": "127.0.0.1", "port": postgresql.port, **fields}
        return target("postgresql", database=database, **given)

    return make


@pytest.mark.parametrize(
    ("database", "credentials", "reason"),
    [
        ("orders", READER, "Connected"),
        ("orders", ("basic", "reader", "wrong"), "AuthenticationFailed"),
        ("orders", ("basic", "nobody", "wrong"), "AuthenticationFailed"),
        ("orders", ("basic", "reader", ""), "AuthenticationFailed"),
        ("orders", None, "AuthenticationFailed"),
        ("closed", READER, "PermissionDenied"),
        ("missing", READER, "DatabaseNotFound"),
    ],
)
async def test_what_the_server_answers(
    at: Any, database: str, credentials: tuple[str, ...] | None, reason: str
) -> None:
    outcome = await ask(PROBE, at(database, credentials=credentials))
    assert (outcome.reason, outcome.ok) == (reason, reason == "Connected")


async def test_the_environment_and_the_home_directory_give_nothing(
    at: Any, postgresql: Postgresql, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setenv("PGUSER", "reader")
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "standby")
    monkeypatch.setenv("HOME", str(tmp_path))
    passfile = tmp_path / ".pgpass"
    passfile.touch(mode=0o600)
    passfile.write_text(f"*:*:*:*:{PASSWORD}\n")
    assert (await ask(PROBE, at())).ok
    assert (await ask(PROBE, at(credentials=None))).reason == "AuthenticationFailed"
    assert (await ask(PROBE, at(credentials=("basic", "reader", "")))).reason == "AuthenticationFailed"


async def test_a_credential_that_changes_expires_or_is_revoked(at: Any, postgresql: Postgresql) -> None:
    postgresql.user("guest", "first", "orders")
    first, second = (at(credentials=("basic", "guest", password)) for password in ("first", "second"))
    assert (await ask(PROBE, first)).ok
    postgresql.sql("ALTER ROLE guest PASSWORD 'second'")
    assert (await ask(PROBE, first)).reason == "AuthenticationFailed"
    assert (await ask(PROBE, second)).ok
    postgresql.sql("ALTER ROLE guest VALID UNTIL '2020-01-01'")
    assert (await ask(PROBE, second)).reason == "AuthenticationFailed"
    postgresql.sql("ALTER ROLE guest VALID UNTIL 'infinity'")
    assert (await ask(PROBE, second)).ok
    postgresql.sql("ALTER ROLE guest NOLOGIN")
    assert (await ask(PROBE, second)).reason == "AuthenticationFailed"
    postgresql.sql("ALTER ROLE guest LOGIN")
    postgresql.sql("REVOKE CONNECT ON DATABASE orders FROM guest")
    assert (await ask(PROBE, second)).reason == "PermissionDenied"


async def test_too_many_connections(at: Any, postgresql: Postgresql) -> None:
    postgresql.user("narrow", "narrow", "orders")
    postgresql.sql("ALTER ROLE narrow CONNECTION LIMIT 0")
    outcome = await ask(PROBE, at(credentials=("basic", "narrow", "narrow")))
    assert outcome.reason == "ServerUnavailable"


async def test_client_certificates(at: Any, authority: Authority, stranger: Authority) -> None:
    good = authority.issue("reader", "reader", client=True)
    other = authority.issue("other", "other", client=True)
    expired = authority.issue("expired-reader", "reader", client=True, days=-1)
    foreign = stranger.issue("reader", "reader", client=True)
    alone = {"credentials": None, "username": "reader"}
    assert (await ask(PROBE, at("mtls", certificate=good))).ok
    assert (await ask(PROBE, at("mtls"))).reason == "ClientCertificateRefused"
    assert (await ask(PROBE, at("mtls", certificate=expired))).reason == "ClientCertificateRefused"
    assert (await ask(PROBE, at("mtls", certificate=foreign))).reason == "ClientCertificateRefused"
    assert (await ask(PROBE, at("certificate", certificate=good, **alone))).ok
    assert (await ask(PROBE, at("certificate", certificate=other, **alone))).reason == "ClientCertificateRefused"
    assert (await ask(PROBE, at("certificate", **alone))).reason == "ClientCertificateRefused"


async def test_trust(at: Any, postgresql: Postgresql, authority: Authority, stranger: Authority) -> None:
    assert (await ask(PROBE, at(ca=stranger.ca))).reason == "TLSUntrusted"
    assert (await ask(PROBE, at(ca=None))).reason == "TLSUntrusted"
    assert (await ask(PROBE, at(server_name="elsewhere.example.com"))).reason == "TLSNameMismatch"
    assert (await ask(PROBE, at(server_name="localhost"))).ok
    assert (await ask(PROBE, at(host="localhost"))).ok


async def test_other_certificates_of_the_server(home: Path, authority: Authority) -> None:
    with Postgresql(home / "changing", authority) as system:
        system.user("reader", "right")
        what = target(
            "postgresql",
            "127.0.0.1",
            system.port,
            authority.ca,
            database="postgres",
            credentials=("basic", "reader", "right"),
        )
        assert (await ask(PROBE, what)).ok
        system.present(*system.certificate("expired", days=-1))
        assert (await ask(PROBE, what)).reason == "CertificateExpired"
        system.present(*system.certificate("misnamed", ["elsewhere.example.com"]))
        assert (await ask(PROBE, what)).reason == "TLSNameMismatch"
        system.sql("ALTER SYSTEM SET ssl = off")
        system.reload()
        assert (await ask(PROBE, what)).reason == "TLSNotOffered"
        system.stop()
        assert (await ask(PROBE, what)).reason == "ConnectionRefused"


async def test_plain_text_where_it_is_allowed(at: Any) -> None:
    assert (await ask(PROBE, at("plain", encrypted=False))).ok
    assert (await ask(PROBE, at("orders", encrypted=False))).reason == "AuthenticationFailed"


async def test_who_does_not_answer(at: Any, silent: int, authority: Authority) -> None:
    (closed,) = free_ports(1)
    assert (await ask(PROBE, at(port=closed))).reason == "ConnectionRefused"
    assert (await ask(PROBE, at(port=silent), timedelta(seconds=0.3))).reason == "Timeout"
    assert (await ask(PROBE, at(host=NOWHERE))).reason == "DNSNotFound"


async def test_who_speaks_something_else(at: Any, nginx: Any) -> None:
    assert (await ask(PROBE, at(port=nginx.port))).reason in ("ConnectionReset", "ProtocolError", "TLSNotOffered")


async def test_denied_addresses_are_not_dialled(at: Any) -> None:
    denying = PostgresqlProbe(AddressRules())
    assert (await ask(denying, at())).reason == "AddressDenied"
    assert (await ask(denying, at(host="localhost"))).reason == "AddressDenied"
