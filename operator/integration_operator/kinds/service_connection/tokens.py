"""Decisions about OAuth 2.0 tokens: which one serves, and when the next is fetched."""

from datetime import datetime, timedelta
from zlib import crc32

from integration_operator.core.plan import Check, Outcome
from integration_operator.drivers.connection import Target, Token, TokenRequest
from integration_operator.kinds.service_connection.look import World
from integration_operator.kinds.service_connection.model import OAuth2ClientCredentials, ServiceConnection

RENEW_FROM, RENEW_BY = 0.6, 2 / 3
"""Between which parts of its life a token is renewed: each object at its own, so that they don't all ask at once."""
UNKNOWN_LIFE = timedelta(minutes=5)
RETRY = timedelta(minutes=1)
"""The longest between two tries while there is no new token; and the least between two tokens that are refused."""


def present(world: World) -> Token | None:
    """The newest token, else the one in the binding from before a restart; it may have ended."""
    fetched = world.token.data.get("token") if world.token and world.token.ok else None
    if isinstance(fetched, Token):
        return fetched
    return Token.parse(world.binding) if world.binding else None


def failure(world: World) -> Outcome | None:
    """Why there is no new token, None where there is one or none was asked for yet."""
    return world.token if world.token and not world.token.ok else None


def check(connection: ServiceConnection, oauth: OAuth2ClientCredentials, world: World, now: datetime) -> Check:
    """Fetch a token: at once where none serves that these very credentials gave, else when its time has come."""
    token = present(world)
    target = TokenRequest(
        url=oauth.token_url,
        client_id=world.values[(oauth.client_id_ref.name, oauth.client_id_ref.key)],
        client_secret=world.values[(oauth.client_secret_ref.name, oauth.client_secret_ref.key)],
        scopes=tuple(oauth.scopes),
        audience=oauth.audience,
        method=oauth.method,
        ca=world.ca,
        instead_of=_instead_of(world, token, now),
    )
    wait = (token.life if token else UNKNOWN_LIFE) * _share(connection)
    kept = token is not None and token.ends > now and token.made_with(target) and not target.instead_of
    return Check(
        name="Token",
        driver="oauth2",
        target=target,
        interval=min(wait, RETRY) if failure(world) else max(wait, timedelta(seconds=1)),
        timeout=timedelta(seconds=10),
        first_at=token.issued + wait if token and kept else None,
    )


def next_decision(world: World, token: Token, now: datetime) -> datetime | None:
    """When the token ends, or may be replaced since it is refused."""
    moments = [token.ends]
    if _refused(world, token):
        moments.append(token.issued + RETRY)
    return min((m for m in moments if m > now), default=None)


def _share(connection: ServiceConnection) -> float:
    return RENEW_FROM + (RENEW_BY - RENEW_FROM) * (crc32(connection.metadata.uid.encode()) % 1000) / 1000


def _refused(world: World, token: Token) -> bool:
    """Whether the system, asked with this very token, did not let us in: it was revoked, or the keys changed."""
    probed = world.probed
    return (
        probed is not None
        and probed.reason == "AuthenticationFailed"
        and isinstance(probed.target, Target)
        and probed.target.binding.token == token.value
    )


def _instead_of(world: World, token: Token | None, now: datetime) -> str:
    if token and _refused(world, token) and now >= token.issued + RETRY:
        return token.mark
    asked = world.token.target if world.token else None
    return asked.instead_of if isinstance(asked, TokenRequest) else ""
