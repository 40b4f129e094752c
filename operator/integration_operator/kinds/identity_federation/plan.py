"""All decisions about an IdentityFederation."""

from datetime import datetime, timedelta
from enum import StrEnum

from integration_operator.core.plan import Check, Condition, Manifest, Outcome, Plan, with_ready
from integration_operator.drivers.identity import DISCOVERY, Claims, Keys, Provider
from integration_operator.kinds.identity_federation.configuration import authentication, claims_request
from integration_operator.kinds.identity_federation.look import World
from integration_operator.kinds.identity_federation.model import IdentityFederation


class Reason(StrEnum):
    """Reasons users may match on: add freely, never rename. Those of failures: drivers/probes."""

    TRUSTED = "Trusted"
    """Discovery and keys are valid, and every example gives what it says."""
    ACCEPTED = "Accepted"
    """The IdentityFederation is well formed."""
    NOT_FOUND = "RefNotFound"
    """The Secret or ConfigMap with the CA, or a key in it, is missing."""
    RESOLVED = "ResolvedRefs"
    """Everything that is referred to is there."""
    PENDING = "Pending"
    """Waiting for the first answer."""
    VALID = "Valid"
    """It was fetched, and is as it should be."""
    UNKNOWN = "DiscoveryFailed"
    """Keys can't be fetched while discovery fails: the last ones serve."""
    PROGRAMMED = "Programmed"
    """What is made for others is there."""


PROBE_TIMEOUT = timedelta(seconds=10)
ONCE = timedelta(hours=24)
"""How often examples are tried again that nobody changed."""


def plan(federation: IdentityFederation, world: World, now: datetime) -> Plan:
    """First blocker wins. Keys that were good once serve until there are others."""
    accepted = Condition("Accepted", True, Reason.ACCEPTED)
    keys = _keys(federation, world)
    status = {"issuer": federation.issuer, **_listed(keys, world, now)}
    if world.missing:
        return Plan.hold(accepted, Condition("ResolvedRefs", False, Reason.NOT_FOUND, world.missing), status=status)
    provider = Provider(federation.issuer, world.ca)
    checks = [
        Check("Keys", "oidc", provider, federation.spec.oidc.refresh_interval, PROBE_TIMEOUT, failure_threshold=2)
    ]
    conditions = [accepted, Condition("ResolvedRefs", True, Reason.RESOLVED), *_fetched(world, provider)]
    sound = True
    if federation.spec.claim_mappings or federation.spec.claim_validation_rules:
        claims = Claims(claims_request(federation))
        checks.append(Check("Examples", "claims", claims, ONCE, PROBE_TIMEOUT))
        conditions.append(examined := _examined(world, claims))
        sound = examined.status is True
    children = [_key_set(federation, keys, status)] if keys else []
    if federation.wants_configuration:
        if sound:
            children.append(_configuration(federation, world))
            conditions.append(Condition("Programmed", True, Reason.PROGRAMMED))
        else:
            waiting = "the AuthenticationConfiguration stays as it is until every example passes"
            conditions.append(Condition("Programmed", None, Reason.PENDING, waiting))
    return Plan(
        with_ready(conditions, Reason.TRUSTED),
        children=tuple(children),
        checks=tuple(checks),
        status=status,
    )


def _keys(federation: IdentityFederation, world: World) -> Keys | None:
    """The newest keys, else those that were kept from before a restart."""
    if world.fetched and world.fetched.ok and isinstance(found := world.fetched.data.get("keys"), Keys):
        return found
    kept = world.kept or {}
    if kept.get("issuer") == federation.issuer and "jwks.json" in kept and _is_ours(federation.keys_name, world):
        return Keys(kept["jwks.json"])
    return None


def _is_ours(name: str, world: World) -> bool:
    return any((c["kind"], c["metadata"]["name"]) == ("ConfigMap", name) for c in world.live)


def _listed(keys: Keys | None, world: World, now: datetime) -> dict[str, object]:
    """Which keys are trusted, and since when; a refresh that finds the same ones changes nothing."""
    if keys is None:
        return {}
    kept = world.kept or {}
    since = kept.get("since") if kept.get("jwks.json") == keys.jwks else None
    found = world.fetched.at if world.fetched and world.fetched.ok else None
    listed = [{name: key[name] for name in ("kid", "alg", "kty") if name in key} for key in keys.listed]
    return {"keys": listed, "keysSince": since or (found or now).isoformat(timespec="seconds")}


def _fetched(world: World, provider: Provider) -> list[Condition]:
    """DiscoveryValid and JWKSFetchValid, out of one look at the provider."""
    outcome = world.fetched
    if outcome is None or outcome.target not in (None, provider):
        return [Condition(name, None, Reason.PENDING, "being fetched") for name in ("DiscoveryValid", "JWKSFetchValid")]
    if outcome.ok:
        return [Condition(name, True, Reason.VALID) for name in ("DiscoveryValid", "JWKSFetchValid")]
    if outcome.data.get("step") == DISCOVERY:
        unknown = Condition("JWKSFetchValid", None, Reason.UNKNOWN, "the last keys serve until discovery works again")
        return [outcome.condition("DiscoveryValid"), unknown]
    return [Condition("DiscoveryValid", True, Reason.VALID), outcome.condition("JWKSFetchValid")]


def _examined(world: World, claims: Claims) -> Condition:
    outcome: Outcome | None = world.examined
    if outcome is None or outcome.target not in (None, claims):
        return Condition("ExamplesPassed", None, Reason.PENDING, "being tried")
    return outcome.condition("ExamplesPassed")


def _key_set(federation: IdentityFederation, keys: Keys, status: dict[str, object]) -> Manifest:
    data = {"issuer": federation.issuer, "jwks.json": keys.jwks, "since": status["keysSince"]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": federation.keys_name}, "data": data}


def _configuration(federation: IdentityFederation, world: World) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": federation.configuration_name},
        "data": {"authentication.yaml": authentication(federation, world.ca)},
    }
