"""When tokens are fetched, which one serves, and what is said meanwhile."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from integration_operator.core.plan import Check, Condition, Outcome, Plan
from integration_operator.drivers.connection import Token, TokenRequest, issued
from integration_operator.kinds.service_connection.look import World
from integration_operator.kinds.service_connection.model import ServiceConnection
from integration_operator.kinds.service_connection.plan import plan

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
URL = "https://login.example.com/token"
SECRET = "client-s3cret"
REFUSED = Outcome(False, "AuthenticationFailed", "login.example.com refuses the client")
AWAY = Outcome(False, "ConnectionRefused", "login.example.com refuses connections")
GOOD = Outcome(True, "Connected")


def connection(uid: str = "u-1") -> ServiceConnection:
    refs = {"clientIdRef": {"name": "c", "key": "id"}, "clientSecretRef": {"name": "c", "key": "secret"}}
    spec = {
        "http": {"url": "https://api.example.com"},
        "credentials": {"oauth2ClientCredentials": {"tokenUrl": URL, **refs}},
    }
    metadata = {"name": "api", "namespace": "shop", "uid": uid}
    return ServiceConnection.model_validate({"metadata": metadata, "kind": "ServiceConnection", "spec": spec})


def world(**fields: Any) -> World:
    secret = fields.pop("secret", SECRET)
    return World(values={("c", "id"): "shop", ("c", "secret"): secret}, **fields)


def token(at: datetime = NOW, seconds: float = 3600, value: str = "t0ken", secret: str = SECRET) -> Token:
    return issued(value, at, seconds, TokenRequest(URL, "shop", secret))


def outcome(of: Token, **fields: Any) -> Outcome:
    return Outcome(True, "TokenIssued", data={"token": of}, **fields)


def binding(of: Token) -> Mapping[str, bytes]:
    """What the binding Secret holds after this token was written to it."""
    return decoded(plan(connection(), world(token=outcome(of)), of.issued))


def decoded(made: Plan) -> Mapping[str, bytes]:
    assert made.children
    return {k: b64decode(v) for k, v in made.children[0]["data"].items()}


def check(made: Plan, name: str) -> Check | None:
    return next((c for c in made.checks if c.name == name), None)


def condition(made: Plan, type_: str) -> Condition:
    return next(c for c in made.conditions if c.type == type_)


seconds = st.floats(min_value=1, max_value=30 * 86400)
uids = st.uuids().map(str)


@given(seconds, uids)
def test_it_is_renewed_between_sixty_percent_and_two_thirds_of_its_life(life: float, uid: str) -> None:
    made = check(plan(connection(uid), world(token=outcome(token(seconds=life))), NOW), "Token")
    assert made
    whole = token(seconds=life).life
    assert max(whole * 0.6, timedelta(seconds=1)) <= made.interval <= max(whole * 2 / 3, timedelta(seconds=1))


@given(st.floats(min_value=2, max_value=30 * 86400), uids, st.floats(min_value=0, max_value=0.99))
def test_after_a_restart_the_token_in_the_binding_serves_and_is_renewed_when_it_would_have_been(
    life: float, uid: str, passed: float
) -> None:
    kept = token(seconds=life)
    now = kept.issued + kept.life * passed
    made = plan(connection(uid), world(binding=binding(kept)), now)
    fetch = check(made, "Token")
    assert fetch
    assert fetch.first_at
    assert kept.issued + kept.life * 0.6 <= fetch.first_at <= kept.issued + kept.life * 2 / 3
    assert decoded(made)["token"] == b"t0ken"
    assert check(made, "Reachable")
    assert made.requeue_at == kept.ends


@given(st.floats(min_value=0, max_value=0.99))
def test_a_changed_client_secret_asks_at_once_and_the_old_token_serves_meanwhile(passed: float) -> None:
    old = token()
    now = old.issued + old.life * passed
    before = check(plan(connection(), world(token=outcome(old)), now), "Token")
    made = plan(connection(), world(token=outcome(old), secret="changed"), now)
    after = check(made, "Token")
    assert before
    assert after
    assert before.target != after.target
    assert after.first_at is None
    assert decoded(made)["token"] == b"t0ken"


def test_a_changed_client_secret_asks_at_once_after_a_restart_too() -> None:
    made = check(plan(connection(), world(binding=binding(token()), secret="changed"), NOW), "Token")
    assert made
    assert made.first_at is None


@given(seconds, seconds, st.sampled_from([REFUSED, AWAY]))
def test_the_old_token_serves_until_it_ends_and_not_longer(life: float, later: float, why: Outcome) -> None:
    old = token(seconds=life)
    made = plan(connection(), world(token=why, binding=binding(old)), NOW + timedelta(seconds=later))
    serves = old.ends > NOW + timedelta(seconds=later)
    assert (check(made, "Reachable") is not None) == serves
    assert decoded(made)["token"] == b"t0ken"
    if not serves:
        assert condition(made, "CredentialsValid") == Condition("CredentialsValid", False, why.reason, why.message)
        assert condition(made, "Ready").status is False


@given(seconds)
def test_while_there_is_no_new_token_it_is_asked_for_every_minute(life: float) -> None:
    made = check(plan(connection(), world(token=AWAY, binding=binding(token(seconds=life))), NOW), "Token")
    assert made
    assert made.interval <= timedelta(minutes=1)


def test_a_renewal_that_is_refused_shows_although_the_old_token_serves() -> None:
    made = plan(connection(), world(token=REFUSED, binding=binding(token()), probed=GOOD), NOW)
    assert condition(made, "CredentialsValid").status is False
    assert condition(made, "CredentialsValid").reason == "AuthenticationFailed"
    assert "2026-11-24T09:00:00Z" in condition(made, "CredentialsValid").message
    assert condition(made, "Reachable").status is True


def test_a_renewal_that_fails_for_now_is_told_and_breaks_nothing() -> None:
    made = plan(connection(), world(token=AWAY, binding=binding(token()), probed=GOOD), NOW)
    assert condition(made, "CredentialsValid").status is True
    assert condition(made, "CredentialsValid").reason == "RenewalFailing"
    assert condition(made, "Ready").status is True


def probed(of: Token, reason: str = "AuthenticationFailed") -> Outcome:
    """What the system said when it was asked with this token."""
    made = check(plan(connection(), world(token=outcome(of)), of.issued), "Reachable")
    assert made
    return Outcome(reason == "Connected", reason, target=made.target)


def test_a_token_that_the_system_refuses_is_replaced_once() -> None:
    first = token()
    asked = check(plan(connection(), world(token=outcome(first)), NOW), "Token")
    assert asked
    refused = world(token=outcome(first, target=asked.target), probed=probed(first))
    soon = plan(connection(), refused, NOW + timedelta(seconds=59))
    assert check(soon, "Token") == asked
    assert soon.requeue_at == NOW + timedelta(minutes=1)
    again = check(plan(connection(), refused, NOW + timedelta(minutes=1)), "Token")
    assert again
    assert again.target != asked.target
    second = token(NOW + timedelta(minutes=1), value="t0ken-2")
    renewed = replace(refused, token=outcome(second, target=again.target))
    assert check(plan(connection(), renewed, NOW + timedelta(minutes=1)), "Token") == replace(again, first_at=None)
    accepted = replace(renewed, probed=probed(second, "Connected"))
    settled = check(plan(connection(), accepted, NOW + timedelta(minutes=9)), "Token")
    assert settled
    assert settled.target == again.target


def test_what_was_found_holds_for_a_renewed_token_but_not_for_another_host() -> None:
    first, second = token(), token(NOW + timedelta(minutes=30), value="t0ken-2")
    made = plan(connection(), world(token=outcome(second), probed=probed(first, "Connected")), NOW)
    assert condition(made, "Ready").status is True
    other = connection()
    http = other.spec.http
    assert http
    moved = other.model_copy(
        update={
            "spec": other.spec.model_copy(update={"http": http.model_copy(update={"url": "https://b.example.com"})})
        }
    )
    made = plan(moved, world(token=outcome(first), probed=probed(first, "Connected")), NOW)
    assert condition(made, "Ready").status is None


def test_a_binding_that_was_tampered_with_holds_no_token() -> None:
    good = binding(token())
    for broken in ({"expires-at": b"soon"}, {"expires-at": good["issued-at"]}, {"token": b"\xff"}):
        made = plan(connection(), world(binding={**good, **broken}), NOW)
        assert condition(made, "CredentialsValid").status is None
        assert check(made, "Reachable") is None


def test_nothing_secret_shows() -> None:
    made = plan(connection(), world(token=outcome(token()), binding=binding(token()), probed=probed(token())), NOW)
    shown = repr([made.conditions, made.checks, made.status, world(binding=binding(token()), token=outcome(token()))])
    for secret in ("t0ken", SECRET, token().mark):
        assert secret not in shown
