"""All decisions about a ServiceConnection."""

from datetime import datetime
from enum import StrEnum

from integration_operator.core.binding import Binding
from integration_operator.core.plan import Check, Condition, Manifest, Outcome, Plan, with_ready
from integration_operator.drivers import connection as neutral
from integration_operator.kinds.service_connection import tokens
from integration_operator.kinds.service_connection.egress import addressed, policies
from integration_operator.kinds.service_connection.look import World
from integration_operator.kinds.service_connection.model import HealthCheck, ServiceConnection


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
    """Waiting for the first probe, or the first token."""
    NOT_REQUIRED = "NotRequired"
    """No credentials are given, and the system asked for none."""
    VALID = "Valid"
    """The system took the credentials."""
    RENEWAL_FAILING = "RenewalFailing"
    """The present token still serves, but no new one can be fetched: the message says why."""
    UNKNOWN = "Unreachable"
    """Credentials can't be judged while the system can't be reached."""
    PROGRAMMED = "Programmed"
    """The consumers' egress policies allow this connection and DNS."""
    NO_ADDRESS = "NoAddress"
    """The host name has no address that a policy could allow."""
    ADDRESS_DENIED = "AddressDenied"
    """The operator's outbound rules deny every address: the consumers get DNS only."""


REFUSALS = {
    "AuthenticationFailed",
    "PermissionDenied",
    "ClientCertificateRefused",
    "InvalidCredentials",
    "ScopeRefused",
    "TokenRequestRefused",
    "RedirectRefused",
}
"""What a token endpoint answers that waiting does not mend."""
ABOUT_CREDENTIALS = {"AuthenticationFailed", "PermissionDenied", "ClientCertificateRefused"}
"""Probe reasons that say: reached, but not let in."""
UNUSABLE = {"InvalidCredentials"}
"""Probe reasons that say: what was given could not even be tried."""


def plan(connection: ServiceConnection, world: World, now: datetime) -> Plan:
    """First blocker wins; a blocked connection keeps the binding that it has."""
    accepted = Condition("Accepted", True, Reason.ACCEPTED)
    status = _status(connection, world)
    if world.missing:
        missing = Condition("ResolvedRefs", False, Reason.NOT_FOUND, world.missing)
        return Plan.hold(accepted, missing, status=status)
    oauth, token = connection.oauth2, tokens.present(world) if connection.oauth2 else None
    serving = oauth is None or (token is not None and token.ends > now)
    binding = _binding(connection, world, token)
    probe = _probe(connection, binding)
    checks = [tokens.check(connection, oauth, world, now)] if oauth else []
    children: list[Manifest] = []
    if serving or token:
        # A token that has ended stays in the binding until there is another: those who mount it must not fall.
        children.append(_secret(connection, binding))
        status["binding"] = {"name": connection.binding_name}
    conditions = [accepted, Condition("ResolvedRefs", True, Reason.RESOLVED)]
    if serving:
        checks.append(probe)
        conditions += _judged(connection, world, probe.target, token)
    else:
        conditions += _without_token(world)
    if connection.spec.consumers:
        children += policies(connection, world)
        conditions.append(_egress(connection, world))
    if token:
        status["tokenExpiresAt"] = token.expires_at
    return Plan(
        with_ready(conditions, Reason.CONNECTED),
        children=tuple(children),
        checks=tuple(checks),
        status=status,
        requeue_at=tokens.next_decision(world, token, now) if token else None,
    )


def _binding(connection: ServiceConnection, world: World, token: neutral.Token | None) -> Binding:
    spec, member = connection.spec, connection.member
    alone = member.named_by_certificate and not spec.credentials and world.certificate
    binding = Binding(
        type=connection.type,
        provider="integration-operator",
        host=connection.host,
        port=str(connection.port),
        uri=member.uri(connection.encrypted),
        username=neutral.common_name(world.certificate) if alone and world.certificate else None,
        server_name=spec.tls.server_name if spec.tls else None,
        ca_crt=world.ca,
        tls_crt=world.certificate,
        tls_key=world.key,
        **member.entries(),
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


def _probe(connection: ServiceConnection, binding: Binding) -> Check:
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


def _judged(
    connection: ServiceConnection, world: World, target: neutral.Target, token: neutral.Token | None
) -> list[Condition]:
    """CredentialsValid and Reachable, out of one probe; a token endpoint that refuses us is heard first."""
    outcome = world.probed
    if outcome is None or not _of(outcome, target):
        credentials = Condition("CredentialsValid", None, Reason.PENDING, "being probed")
        reachable = Condition("Reachable", None, Reason.PENDING, "being probed")
    elif outcome.reason in ABOUT_CREDENTIALS:
        credentials = Condition("CredentialsValid", False, outcome.reason, outcome.message)
        reachable = Condition("Reachable", True, Reason.CONNECTED)
    elif outcome.reason in UNUSABLE:
        credentials = Condition("CredentialsValid", False, outcome.reason, outcome.message)
        reachable = Condition("Reachable", None, outcome.reason, outcome.message)
    elif outcome.ok:
        given = connection.spec.credentials is not None or world.certificate is not None
        credentials = Condition("CredentialsValid", True, Reason.VALID if given else Reason.NOT_REQUIRED)
        reachable = outcome.condition("Reachable")
    else:
        unknown = "can't be judged while it can't be reached"
        credentials = Condition("CredentialsValid", None, Reason.UNKNOWN, unknown)
        reachable = outcome.condition("Reachable")
    failure = tokens.failure(world)
    if failure and token and credentials.status is not False:
        note = f"{failure.message}; the present token serves until {token.expires_at}"
        if failure.reason in REFUSALS:
            credentials = Condition("CredentialsValid", False, failure.reason, note)
        elif credentials.status:
            credentials = Condition("CredentialsValid", True, Reason.RENEWAL_FAILING, note)
    return [credentials, reachable]


def _of(outcome: Outcome, target: neutral.Target) -> bool:
    """Whether an outcome is about what is planned now, and not about another host or password."""
    return not isinstance(outcome.target, neutral.Target) or outcome.target.same_but_for_the_token(target)


def _without_token(world: World) -> list[Condition]:
    failure = tokens.failure(world)
    credentials = (
        Condition("CredentialsValid", False, failure.reason, failure.message)
        if failure
        else Condition("CredentialsValid", None, Reason.PENDING, "fetching a token")
    )
    return [credentials, Condition("Reachable", None, Reason.PENDING, "waiting for a token")]


def _egress(connection: ServiceConnection, world: World) -> Condition:
    if addressed(connection, world):
        return Condition("EgressProgrammed", True, Reason.PROGRAMMED)
    if denied := world.resolution.denied:
        message = f"{connection.host} leads to {', '.join(denied)}, which outbound rules deny: consumers get DNS only"
        return Condition("EgressProgrammed", False, Reason.ADDRESS_DENIED, message)
    message = f"{connection.host} has no address: the policies stay as they are"
    return Condition("EgressProgrammed", False, Reason.NO_ADDRESS, message)


def _secret(connection: ServiceConnection, binding: Binding) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": connection.binding_name},
        "type": f"servicebinding.io/{binding.type}",
        "data": binding.data(),
    }


def _status(connection: ServiceConnection, world: World) -> dict[str, object]:
    users = sorted({c.key for c in world.used_by})[:64]
    status: dict[str, object] = {"type": connection.type, "endpoint": connection.member.authority}
    if not connection.encrypted or (connection.oauth2 and connection.oauth2.token_url.startswith("http://")):
        status["plainText"] = True
    if any((c["kind"], c["metadata"]["name"]) == ("Secret", connection.binding_name) for c in world.live):
        status["binding"] = {"name": connection.binding_name}
    if users:
        status["usedBy"] = [{"kind": k.kind, "namespace": k.namespace, "name": k.name} for k in users]
    return status
