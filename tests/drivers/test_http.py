"""The probe of HTTP APIs against nginx."""

from datetime import timedelta
from typing import Any

import pytest

from dev.controlplane import free_ports
from dev.pki import Authority
from dev.systems.nginx import Accepted, Nginx
from integration_operator.core.addresses import AddressRules
from integration_operator.drivers.connection import Target
from integration_operator.drivers.probes.http import HttpProbe
from tests.drivers.targets import NOWHERE, RULES, ask, target

PROBE = HttpProbe(RULES)
BASIC = ("basic", "reader", "right: ä")
BEARER = ("bearer", "good-token")
KEY = ("apiKey", "good-key")


@pytest.fixture
def at(nginx: Nginx, authority: Authority) -> Any:
    def make(path: str = "/health", *, port: int = nginx.port, **fields: Any) -> Target:
        return target("http", "127.0.0.1", port, authority.ca, path=path, **fields)

    return make


@pytest.mark.parametrize(
    ("path", "credentials", "expected", "reason"),
    [
        ("/health", None, (), "Connected"),
        ("/health", None, (200,), "Connected"),
        ("/health", None, (204,), "UnexpectedStatus"),
        ("/missing", None, (), "Connected"),
        ("/missing", None, (200,), "UnexpectedStatus"),
        ("/missing", None, (404,), "Connected"),
        ("/broken", None, (), "UnexpectedStatus"),
        ("/protected", None, (), "AuthenticationFailed"),
        ("/protected", None, (401,), "Connected"),
        ("/protected", BASIC, (200,), "Connected"),
        ("/protected", ("basic", "reader", "wrong"), (200,), "AuthenticationFailed"),
        ("/protected", BEARER, (200,), "Connected"),
        ("/protected", ("bearer", "bad-token"), (200,), "AuthenticationFailed"),
        ("/protected", ("bearer", "line\r\nX-Forged: yes"), (200,), "InvalidCredentials"),
        ("/protected", ("bearer", "ünusable"), (200,), "InvalidCredentials"),
        ("/keyed", KEY, (200,), "Connected"),
        ("/keyed", ("apiKey", "bad-key"), (200,), "AuthenticationFailed"),
        ("/forbidden", BEARER, (200,), "PermissionDenied"),
        ("/moved", BEARER, (), "RedirectRefused"),
        ("/moved", BEARER, (200,), "RedirectRefused"),
        ("/moved", BEARER, (302,), "Connected"),
    ],
)
async def test_what_the_server_answers(
    at: Any, path: str, credentials: tuple[str, ...] | None, expected: tuple[int, ...], reason: str
) -> None:
    outcome = await ask(PROBE, at(path, credentials=credentials, expected=expected))
    assert (outcome.reason, outcome.ok) == (reason, reason == "Connected")


async def test_a_redirect_is_named_without_its_query(at: Any) -> None:
    outcome = await ask(PROBE, at("/moved"))
    assert "https://elsewhere.example.com/" in outcome.message
    assert "code" not in outcome.message


async def test_a_revoked_key_shows_at_once(nginx: Nginx, at: Any, authority: Authority) -> None:
    what = at("/keyed", credentials=("apiKey", "passing-key"))
    before = nginx.accepted
    nginx.accept(Accepted(before.users, before.bearers, (*before.keys, "passing-key")))
    assert (await ask(PROBE, what)).ok
    nginx.accept(before)
    assert (await ask(PROBE, what)).reason == "AuthenticationFailed"


async def test_client_certificates(nginx: Nginx, at: Any, authority: Authority, stranger: Authority) -> None:
    port = nginx.mtls_port
    good = authority.issue("reader", "reader", client=True)
    expired = authority.issue("expired-reader", "reader", client=True, days=-1)
    foreign = stranger.issue("reader", "reader", client=True)
    assert (await ask(PROBE, at(port=port, certificate=good))).ok
    assert (await ask(PROBE, at(port=port))).reason == "ClientCertificateRefused"
    assert (await ask(PROBE, at(port=port, certificate=expired))).reason == "ClientCertificateRefused"
    assert (await ask(PROBE, at(port=port, certificate=foreign))).reason == "ClientCertificateRefused"
    assert (await ask(PROBE, at(port=port, certificate=(good[0], foreign[1])))).reason == "InvalidCertificate"


async def test_trust(nginx: Nginx, at: Any, stranger: Authority) -> None:
    def trusting(authority: Authority | None) -> Target:
        return target("http", "127.0.0.1", nginx.port, authority.ca if authority else None, path="/health")

    assert (await ask(PROBE, trusting(stranger))).reason == "TLSUntrusted"
    assert (await ask(PROBE, trusting(None))).reason == "TLSUntrusted"
    assert (await ask(PROBE, at(port=nginx.expired_port))).reason == "CertificateExpired"
    assert (await ask(PROBE, at(port=nginx.misnamed_port))).reason == "TLSNameMismatch"
    assert (await ask(PROBE, at(port=nginx.misnamed_port, server_name="elsewhere.example.com"))).ok
    assert (await ask(PROBE, at(server_name="elsewhere.example.com"))).reason == "TLSNameMismatch"
    assert (await ask(PROBE, at(port=nginx.plain_port))).reason == "TLSFailed"


async def test_a_ca_that_is_none(at: Any, nginx: Nginx) -> None:
    made = at()
    broken = Target(made.binding.__class__(**{**made.binding.__dict__, "ca_crt": "no PEM ä"}), path="/health")
    assert (await ask(PROBE, broken)).reason == "InvalidCertificate"


async def test_plain_text_where_it_is_allowed(nginx: Nginx, at: Any) -> None:
    def plain(port: int) -> Target:
        return at(port=port, encrypted=False, uri=f"http://127.0.0.1:{port}")

    assert (await ask(PROBE, plain(nginx.plain_port))).ok
    assert (await ask(PROBE, plain(nginx.port))).reason == "ProtocolError"


async def test_who_does_not_answer(at: Any, silent: int) -> None:
    (closed,) = free_ports(1)
    assert (await ask(PROBE, at(port=closed))).reason == "ConnectionRefused"
    assert (await ask(PROBE, at(port=silent), timedelta(seconds=0.3))).reason == "Timeout"
    nowhere = target("http", NOWHERE, 443, None)
    assert (await ask(PROBE, nowhere)).reason == "DNSNotFound"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "::ffff:127.0.0.1"])
async def test_denied_addresses_are_not_dialled(nginx: Nginx, authority: Authority, host: str) -> None:
    bracketed = f"[{host}]" if ":" in host else host
    what = target("http", host, nginx.port, authority.ca, uri=f"https://{bracketed}:{nginx.port}", path="/health")
    assert (await ask(HttpProbe(AddressRules()), what)).reason == "AddressDenied"
