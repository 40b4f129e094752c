"""Tokens by client credentials: odd answers from nginx, real ones from Keycloak."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dev.controlplane import free_ports
from dev.pki import Authority
from dev.systems.keycloak import Client, Keycloak
from dev.systems.nginx import Nginx
from integration_operator.core.addresses import AddressRules
from integration_operator.core.plan import Outcome
from integration_operator.drivers.connection import Token, TokenRequest
from integration_operator.drivers.probes.http import HttpProbe
from integration_operator.drivers.probes.oauth2 import OAuth2Probe
from tests.drivers.targets import NOWHERE, RULES, ask, target

PROBE = OAuth2Probe(RULES)


@pytest.fixture
def odd(nginx: Nginx, authority: Authority) -> Any:
    """A request to one of nginx's paths."""

    def make(path: str, *, port: int = nginx.port, ca: Authority | None = authority, **fields: Any) -> TokenRequest:
        given = {"url": f"https://127.0.0.1:{port}{path}", "client_id": "orders", "client_secret": "SECRET", **fields}
        return TokenRequest(ca=ca.ca.read_text() if ca else None, **given)

    return make


def token_of(outcome: Outcome) -> Token:
    assert outcome.ok, outcome
    token = outcome.data["token"]
    assert isinstance(token, Token)
    return token


@pytest.mark.parametrize(("path", "seconds"), [("unsaid", 300), ("text", 120), ("huge", 60), ("endless", 30 * 86400)])
async def test_how_long_a_token_holds(odd: Any, path: str, seconds: int) -> None:
    before = datetime.now(UTC)
    token = token_of(await ask(PROBE, odd(f"/token/{path}")))
    assert token.life == timedelta(seconds=seconds)
    assert token.ends <= datetime.now(UTC) + timedelta(seconds=seconds)
    assert token.ends > before + timedelta(seconds=seconds - 2)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("ended", "ProtocolError"),
        ("past", "ProtocolError"),
        ("infinite", "ProtocolError"),
        ("nan", "ProtocolError"),
        ("mac", "ProtocolError"),
        ("untyped", "ProtocolError"),
        ("empty", "ProtocolError"),
        ("split", "InvalidCredentials"),
        ("list", "ProtocolError"),
        ("deep", "ProtocolError"),
        ("page", "ProtocolError"),
        ("nothing-there", "ProtocolError"),
        ("scope", "ScopeRefused"),
        ("grant", "TokenRequestRefused"),
        ("unauthorized", "PermissionDenied"),
        ("unknown", "ProtocolError"),
        ("bare401", "AuthenticationFailed"),
        ("bare403", "PermissionDenied"),
        ("busy", "ServerUnavailable"),
        ("broken", "ServerUnavailable"),
        ("moved", "RedirectRefused"),
    ],
)
async def test_what_is_no_token(odd: Any, path: str, reason: str) -> None:
    outcome = await ask(PROBE, odd(f"/token/{path}"))
    assert (outcome.reason, outcome.ok) == (reason, False)
    assert not outcome.data


async def test_who_is_not_trusted_or_does_not_answer(odd: Any, nginx: Nginx, stranger: Authority, silent: int) -> None:
    (closed,) = free_ports(1)
    assert (await ask(PROBE, odd("/token/text", ca=stranger))).reason == "TLSUntrusted"
    assert (await ask(PROBE, odd("/token/text", ca=None))).reason == "TLSUntrusted"
    assert (await ask(PROBE, odd("/token/text", port=nginx.expired_port))).reason == "CertificateExpired"
    assert (await ask(PROBE, odd("/token/text", port=nginx.misnamed_port))).reason == "TLSNameMismatch"
    assert (await ask(PROBE, odd("/token/text", port=closed))).reason == "ConnectionRefused"
    assert (await ask(PROBE, odd("/token/text", port=silent), timedelta(seconds=0.3))).reason == "Timeout"
    assert (await ask(PROBE, odd("", url=f"https://{NOWHERE}/token"))).reason == "DNSNotFound"
    assert (await ask(OAuth2Probe(AddressRules()), odd("/token/text"))).reason == "AddressDenied"
    plain = odd("", url=f"http://127.0.0.1:{nginx.plain_port}/token/text")
    assert (await ask(PROBE, plain)).ok


class TestKeycloak:
    """A real authorization server."""

    @pytest.fixture
    def request_to(self, keycloak: Keycloak) -> Any:
        def make(client: str = "orders", secret: str = "right: +%&=ä", **fields: Any) -> TokenRequest:
            return TokenRequest(
                keycloak.token_url, client, secret, **{"ca": keycloak.authority.ca.read_text(), **fields}
            )

        return make

    @pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
    async def test_a_token_by_both_methods(self, keycloak: Keycloak, request_to: Any, method: str) -> None:
        what = request_to(method=method)
        token = token_of(await ask(PROBE, what))
        assert timedelta(seconds=290) < token.life <= timedelta(seconds=300)
        assert token.made_with(what)
        assert not token.made_with(request_to(method=method, secret="wrong"))
        assert keycloak.active(Client("orders", what.client_secret), token.value)

    @pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
    @pytest.mark.parametrize(("client", "secret"), [("orders", "wrong"), ("nobody", "wrong"), ("orders", "")])
    async def test_wrong_credentials(self, request_to: Any, method: str, client: str, secret: str) -> None:
        outcome = await ask(PROBE, request_to(client, secret, method=method))
        assert outcome.reason == "AuthenticationFailed"

    async def test_scopes(self, request_to: Any) -> None:
        assert (await ask(PROBE, request_to(scopes=("profile", "email")))).ok
        assert (await ask(PROBE, request_to(scopes=("invoices.read",)))).reason == "ScopeRefused"

    async def test_a_client_that_is_disabled_and_enabled_again(self, keycloak: Keycloak, request_to: Any) -> None:
        what = request_to("disabled", "disabled-secret")
        assert (await ask(PROBE, what)).ok
        keycloak.change("disabled", enabled=False)
        assert (await ask(PROBE, what)).reason == "AuthenticationFailed"
        keycloak.change("disabled", enabled=True)
        assert (await ask(PROBE, what)).ok

    async def test_a_secret_that_changes(self, keycloak: Keycloak, request_to: Any) -> None:
        assert (await ask(PROBE, request_to("changed", "changed-secret"))).ok
        keycloak.change("changed", secret="other-secret")
        assert (await ask(PROBE, request_to("changed", "changed-secret"))).reason == "AuthenticationFailed"
        assert (await ask(PROBE, request_to("changed", "other-secret"))).ok

    async def test_a_token_that_ended_is_of_no_more_use(self, keycloak: Keycloak, request_to: Any) -> None:
        token = token_of(await ask(PROBE, request_to("brief", "brief-secret")))
        assert token.life <= timedelta(seconds=2)
        brief = Client("brief", "brief-secret")
        assert keycloak.active(brief, token.value)
        keycloak.until(lambda: not keycloak.active(brief, token.value), "ends the token")
        assert datetime.now(UTC) >= token.ends - timedelta(seconds=1)

    async def test_the_probe_of_an_api_that_takes_tokens(self, keycloak: Keycloak, request_to: Any) -> None:
        """The admin API is an HTTP API with bearer tokens: this client may enter, but not read there."""
        path = "/admin/realms/integration/users"

        def api(value: str) -> Any:
            fields = {"path": path, "expected": (200,), "credentials": ("bearer", value)}
            return target("http", "127.0.0.1", keycloak.port, keycloak.authority.ca, **fields)

        probe, token = HttpProbe(RULES), token_of(await ask(PROBE, request_to()))
        assert (await ask(probe, api(token.value))).reason == "PermissionDenied"
        assert (await ask(probe, api(token.value[:-8] + "tampered"))).reason == "AuthenticationFailed"
