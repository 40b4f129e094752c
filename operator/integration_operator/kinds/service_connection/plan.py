"""All decisions about a ServiceConnection."""

from datetime import datetime, timedelta
from enum import StrEnum
from zlib import crc32

from integration_operator.core.binding import Binding
from integration_operator.core.plan import Check, Condition, Manifest, Outcome, Plan, with_ready
from integration_operator.drivers import connection as neutral
from integration_operator.kinds.service_connection.egress import policies
from integration_operator.kinds.service_connection.look import World
from integration_operator.kinds.service_connection.model import HealthCheck, ServiceConnection

RENEW_AT = 2 / 3
"""The part of a token's life after which a new one is fetched."""


class Reason(StrEnum):
    """Reasons users may match on: add freely, never rename."""

    CONNECTED = "Connected"
    """It answered, and took the credentials. Reasons of failures are those of the probes: see below."""
    ACCEPTED = "Accepted"
    """The ServiceConnection is well formed."""
    NOT_FOUND = "RefNotFound"
    """A Secret or ConfigMap, or a key in it, is missing: the message names it."""
    RESOLVED = "ResolvedRefs"
    """Everything that is referred to is there."""
    PENDING = "Pending"
    """Waiting for the first probe."""
    NOT_REQUIRED = "NotRequired"
    """No credentials are given, and the system asked for none."""
    VALID = "Valid"
    """The system took the credentials."""
    UNKNOWN = "Unreachable"
    """Credentials can't be judged while the system can't be reached."""
    TOKEN_FAILED = "TokenNotIssued"  # noqa: S105 - a reason, no password
    """The token endpoint did not give a token: the message says why."""
    PROGRAMMED = "Programmed"
    """The consumers' egress policies allow this connection and DNS."""
    NO_ADDRESS = "NoAddress"
    """The host name has no address that a policy could allow."""


ABOUT_CREDENTIALS = {"AuthenticationFailed", "PermissionDenied", "ClientCertificateRefused"}
"""Probe reasons that say: reached, but not let in."""


def plan(connection: ServiceConnection, world: World, now: datetime) -> Plan:
    """First blocker wins; a blocked connection keeps the binding that it has."""
    accepted = Condition("Accepted", True, Reason.ACCEPTED)
    status = _status(connection, world)
    if world.missing:
        missing = Condition("ResolvedRefs", False, Reason.NOT_FOUND, world.missing)
        return Plan.hold(accepted, missing, status=status)
    resolved = Condition("ResolvedRefs", True, Reason.RESOLVED)
    token = _token(connection, world, now)
    checks = [_token_check(connection, world, token, now)] if _oauth(connection) else []
    if _oauth(connection) and token is None:
        failure = world.token
        waiting = Condition(
            "CredentialsValid",
            False if failure and not failure.ok else None,
            Reason.TOKEN_FAILED if failure and not failure.ok else Reason.PENDING,
            failure.message if failure else "fetching a token",
        )
        conditions = with_ready([accepted, resolved, waiting])
        return Plan(conditions, children=None, checks=tuple(checks), status=status)
    binding = _binding(connection, world, token)
    checks.append(_probe(connection, world, binding))
    conditions_ = [accepted, resolved, *_judged(connection, world)]
    children: list[Manifest] = [_secret(connection, binding)]
    if connection.spec.consumers:
        made = policies(connection, world)
        children += made
        conditions_.append(
            Condition("EgressProgrammed", True, Reason.PROGRAMMED)
            if made
            else Condition("EgressProgrammed", False, Reason.NO_ADDRESS, f"{connection.host} has no permitted address")
        )
    if token:
        status["tokenExpiresAt"] = token.expires_at
    status["binding"] = {"name": connection.binding_name}
    return Plan(
        with_ready(conditions_, Reason.CONNECTED), children=tuple(children), checks=tuple(checks), status=status
    )


def _oauth(connection: ServiceConnection) -> bool:
    credentials = connection.spec.credentials
    return credentials is not None and credentials.oauth2_client_credentials is not None


def _token(connection: ServiceConnection, world: World, now: datetime) -> neutral.Token | None:
    """The token to serve: the newest one, else the one in the binding from before a restart, while it lasts."""
    if not _oauth(connection):
        return None
    fetched = world.token.data.get("token") if world.token and world.token.ok else None
    kept = neutral.Token.parse(world.binding) if world.binding else None
    candidates = [t for t in (fetched, kept) if isinstance(t, neutral.Token) and t.ends > now]
    if isinstance(fetched, neutral.Token) and fetched in candidates:
        return fetched
    return max(candidates, key=lambda t: t.ends, default=None)


def _token_check(connection: ServiceConnection, world: World, token: neutral.Token | None, now: datetime) -> Check:
    oauth = connection.spec.credentials.oauth2_client_credentials if connection.spec.credentials else None
    assert oauth is not None
    target = neutral.TokenRequest(
        url=oauth.token_url,
        client_id=world.values[(oauth.client_id_ref.name, oauth.client_id_ref.key)],
        client_secret=world.values[(oauth.client_secret_ref.name, oauth.client_secret_ref.key)],
        scopes=tuple(oauth.scopes),
        audience=oauth.audience,
        method=oauth.method,
        ca=world.ca,
    )
    life = token.life if token else timedelta(minutes=5)
    # Between 60 % and 2/3 of its life, the same for one object each time.
    share = RENEW_AT - (crc32(connection.metadata.uid.encode()) % 100) / 1500
    first = token.ends - life * (1 - share) if token and token.made_with(target) else None
    return Check(
        "Token", "oauth2", target, max(life * share, timedelta(seconds=1)), timedelta(seconds=10), first_at=first
    )


def _binding(connection: ServiceConnection, world: World, token: neutral.Token | None) -> Binding:
    spec = connection.spec
    host, port = connection.host, connection.port
    bracketed = f"[{host}]" if ":" in host else host
    uris = {
        "http": spec.http.url if spec.http else "",
        "postgresql": f"postgresql://{bracketed}:{port}/{spec.postgresql.database}" if spec.postgresql else "",
        "nats": f"{'tls' if connection.encrypted else 'nats'}://{bracketed}:{port}",
    }
    binding = Binding(
        type=connection.type,
        provider="integration-operator",
        host=host,
        port=str(port),
        uri=uris[connection.type],
        database=spec.postgresql.database if spec.postgresql else None,
        server_name=spec.tls.server_name if spec.tls else None,
        ca_crt=world.ca,
        tls_crt=world.certificate,
        tls_key=world.key,
    )
    return neutral.with_credentials(binding, *_secrets(connection, world), token=token)


def _secrets(connection: ServiceConnection, world: World) -> tuple[str, tuple[str, ...], str]:
    """Kind of credential, its texts, and the header's name for an API key."""
    credentials = connection.spec.credentials
    if credentials is None:
        return "", (), ""
    if credentials.basic:
        refs = (credentials.basic.username_ref, credentials.basic.password_ref)
        return "basic", tuple(world.values[(r.name, r.key)] for r in refs), ""
    if credentials.bearer:
        ref = credentials.bearer.token_ref
        return "bearer", (world.values[(ref.name, ref.key)],), ""
    if credentials.api_key:
        ref = credentials.api_key.value_ref
        return "apiKey", (world.values[(ref.name, ref.key)],), credentials.api_key.name
    if credentials.nkey:
        ref = credentials.nkey.seed_ref
        return "nkey", (world.values[(ref.name, ref.key)],), ""
    return "oauth2", (), ""


def _probe(connection: ServiceConnection, world: World, binding: Binding) -> Check:
    health = connection.spec.health_check or HealthCheck()
    path = health.http.path if health.http else "/"
    target = neutral.Target(
        binding=binding,
        encrypted=connection.encrypted,
        path=path,
        expected=tuple(health.http.expected_statuses) if health.http else (),
    )
    return Check(
        "Reachable",
        connection.type,
        target,
        health.interval,
        health.timeout,
        failure_threshold=health.failure_threshold,
    )


def _judged(connection: ServiceConnection, world: World) -> list[Condition]:
    """CredentialsValid and Reachable, out of one probe."""
    outcome: Outcome | None = world.probed
    if outcome is None:
        pending = "being probed"
        return [
            Condition("CredentialsValid", None, Reason.PENDING, pending),
            Condition("Reachable", None, Reason.PENDING, pending),
        ]
    if outcome.reason in ABOUT_CREDENTIALS:
        return [
            Condition("CredentialsValid", False, outcome.reason, outcome.message),
            Condition("Reachable", True, Reason.CONNECTED),
        ]
    if outcome.ok:
        given = connection.spec.credentials is not None or world.certificate is not None
        valid = Condition("CredentialsValid", True, Reason.VALID if given else Reason.NOT_REQUIRED)
        return [valid, outcome.condition("Reachable")]
    unknown = Condition("CredentialsValid", None, Reason.UNKNOWN, "can't be judged while it can't be reached")
    return [unknown, outcome.condition("Reachable")]


def _secret(connection: ServiceConnection, binding: Binding) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": connection.binding_name},
        "type": f"servicebinding.io/{binding.type}",
        "data": binding.data(),
    }


def _status(connection: ServiceConnection, world: World) -> dict[str, object]:
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    users = sorted({c.key for c in world.used_by})[:64]
    status: dict[str, object] = {"type": connection.type, "endpoint": f"{host}:{connection.port}"}
    if not connection.encrypted:
        status["plainText"] = True
    if world.binding is not None:
        status["binding"] = {"name": connection.binding_name}
    if users:
        status["usedBy"] = [{"kind": k.kind, "namespace": k.namespace, "name": k.name} for k in users]
    return status
