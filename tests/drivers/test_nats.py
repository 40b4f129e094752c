"""The probe of NATS against real ones: a server each for users, nkeys and a token."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import nkeys
import pytest

from dev.controlplane import free_ports
from dev.pki import Authority
from dev.systems.nats import Access, Nats
from integration_operator.core.addresses import AddressRules
from integration_operator.drivers.connection import Target
from integration_operator.drivers.probes.nats import NatsProbe
from tests.drivers.targets import NOWHERE, RULES, ask, target

PROBE = NatsProbe(RULES)
READER = ("basic", "reader", "right: ä\"'$")


def seed(prefix: bytes = b"r") -> str:
    """The seed of a user's nkey, always the same."""
    return nkeys.encode_seed(prefix * 32, nkeys.PREFIX_BYTE_USER).decode()


def public(of: str) -> str:
    """The public nkey of a seed."""
    return nkeys.from_seed(bytearray(of.encode())).public_key.decode()


ACCESS = Access(users={READER[1]: READER[2]}, nkeys=(public(seed()),))
Make = Callable[..., Target]


@pytest.fixture(scope="session")
def server(home: Path, authority: Authority) -> Any:
    with Nats(home / "nats", authority, access=ACCESS) as system:
        yield system


@pytest.fixture
def at(server: Nats, authority: Authority) -> Make:
    def make(**fields: Any) -> Target:
        given = {"ca": authority.ca, "host": "127.0.0.1", "port": server.port, **fields}
        return target("nats", **given)

    return make


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        (READER, "Connected"),
        (("basic", "reader", "wrong"), "AuthenticationFailed"),
        (("basic", "nobody", "wrong"), "AuthenticationFailed"),
        (("bearer", "some-token"), "AuthenticationFailed"),
        (None, "AuthenticationFailed"),
        (("nkey", seed()), "Connected"),
        (("nkey", f"  {seed()}\n"), "Connected"),
        (("nkey", seed(b"x")), "AuthenticationFailed"),
        (("nkey", "SUNONSENSE"), "InvalidCredentials"),
        (("nkey", "ünsinn"), "InvalidCredentials"),
    ],
)
async def test_what_the_server_answers(at: Make, credentials: tuple[str, ...] | None, reason: str) -> None:
    outcome = await ask(PROBE, at(credentials=credentials))
    assert (outcome.reason, outcome.ok) == (reason, reason == "Connected")


async def test_a_token(home: Path, authority: Authority, at: Make) -> None:
    with Nats(home / "token", authority, access=Access(token="good-token")) as system:
        assert (await ask(PROBE, at(port=system.port, credentials=("bearer", "good-token")))).ok
        outcome = await ask(PROBE, at(port=system.port, credentials=("bearer", "bad-token")))
        assert outcome.reason == "AuthenticationFailed"
        system.admit(Access(token="next-token"))
        outcome = await ask(PROBE, at(port=system.port, credentials=("bearer", "good-token")))
        assert outcome.reason == "AuthenticationFailed"
        assert (await ask(PROBE, at(port=system.port, credentials=("bearer", "next-token")))).ok


async def test_a_revoked_user_and_nkey_show_at_once(home: Path, authority: Authority, at: Make) -> None:
    with Nats(home / "revoking", authority, access=ACCESS) as system:
        user, nkey = (at(port=system.port, credentials=c) for c in (READER, ("nkey", seed())))
        assert (await ask(PROBE, user)).ok
        assert (await ask(PROBE, nkey)).ok
        system.admit(Access(users={"other": "other"}))
        assert (await ask(PROBE, user)).reason == "AuthenticationFailed"
        assert (await ask(PROBE, nkey)).reason == "AuthenticationFailed"
        system.stop()
        assert (await ask(PROBE, user)).reason == "ConnectionRefused"


async def test_client_certificates(home: Path, authority: Authority, stranger: Authority, at: Make) -> None:
    with Nats(home / "mtls", authority, client_certificates=True) as system:
        port = system.port
        good = authority.issue("reader", "reader", client=True)
        expired = authority.issue("expired-reader", "reader", client=True, days=-1)
        foreign = stranger.issue("reader", "reader", client=True)
        assert (await ask(PROBE, at(port=port, certificate=good))).ok
        assert (await ask(PROBE, at(port=port))).reason == "ClientCertificateRefused"
        assert (await ask(PROBE, at(port=port, certificate=expired))).reason == "ClientCertificateRefused"
        assert (await ask(PROBE, at(port=port, certificate=foreign))).reason == "ClientCertificateRefused"


async def test_trust(at: Make, stranger: Authority) -> None:
    given = {"credentials": READER}
    assert (await ask(PROBE, at(ca=stranger.ca, **given))).reason == "TLSUntrusted"
    assert (await ask(PROBE, at(ca=None, **given))).reason == "TLSUntrusted"
    assert (await ask(PROBE, at(server_name="elsewhere.example.com", **given))).reason == "TLSNameMismatch"
    assert (await ask(PROBE, at(server_name="localhost", **given))).ok
    assert (await ask(PROBE, at(host="localhost", **given))).ok


@pytest.mark.parametrize(
    ("names", "days", "reason"), [((), -1, "CertificateExpired"), (("elsewhere.example.com",), 1, "TLSNameMismatch")]
)
async def test_other_certificates_of_the_server(
    home: Path, authority: Authority, at: Make, names: tuple[str, ...], days: float, reason: str
) -> None:
    made = authority.issue(f"nats-{reason}", "nats", hosts=names or ("127.0.0.1",), days=days)
    with Nats(home / reason, authority, certificate=made) as system:
        assert (await ask(PROBE, at(port=system.port))).reason == reason


async def test_a_server_without_tls_is_sent_no_secret(home: Path, authority: Authority, at: Make) -> None:
    """It would let us in: that it does not is what shows that the credentials were kept back."""
    with Nats(home / "plain", authority, tls=False, access=ACCESS) as system:
        for credentials in (READER, ("nkey", seed())):
            assert (await ask(PROBE, at(port=system.port, credentials=credentials))).reason == "TLSNotOffered"
            assert (await ask(PROBE, at(port=system.port, credentials=credentials, encrypted=False))).ok
    with Nats(home / "open", authority, tls=False) as system:
        assert (await ask(PROBE, at(port=system.port))).reason == "TLSNotOffered"
        assert (await ask(PROBE, at(port=system.port, encrypted=False))).ok


async def test_who_does_not_answer(at: Make, silent: int) -> None:
    (closed,) = free_ports(1)
    assert (await ask(PROBE, at(port=closed))).reason == "ConnectionRefused"
    assert (await ask(PROBE, at(port=silent), timedelta(seconds=0.3))).reason == "Timeout"
    assert (await ask(PROBE, at(host=NOWHERE))).reason == "DNSNotFound"


async def test_who_speaks_something_else(at: Make, nginx: Any) -> None:
    assert (await ask(PROBE, at(port=nginx.plain_port), timedelta(seconds=1))).reason in ("Timeout", "ProtocolError")


async def test_denied_addresses_are_not_dialled(at: Make) -> None:
    denying = NatsProbe(AddressRules())
    assert (await ask(denying, at())).reason == "AddressDenied"
    assert (await ask(denying, at(host="localhost"))).reason == "AddressDenied"
