"""All decisions about an IdentityFederation."""

from datetime import datetime, timedelta
from enum import StrEnum

from integration_operator.core.plan import Check, Condition, Identity, Manifest, Outcome, Plan, with_ready
from integration_operator.drivers.identity import DISCOVERY, WITHDRAWN, Claims, Keys, Provider
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


FETCH_TIMEOUT = timedelta(seconds=10)
EXAMPLES_TIMEOUT = timedelta(seconds=30)
FAILURES = 3
"""In a row, before a provider that answered counts as one that doesn't."""
ONCE = timedelta(hours=24)
"""How often examples are tried again that nobody changed."""


def plan(federation: IdentityFederation, world: World, now: datetime) -> Plan:
    """First blocker wins. Keys that were good once serve until there are others."""
    accepted = Condition("Accepted", True, Reason.ACCEPTED)
    keys = _trusted(federation, world)
    children = [_key_set(federation, keys)] if keys else []
    status = {"issuer": federation.issuer, **_listed(federation, keys, world, now)}
    if world.missing:
        return Plan(
            with_ready([accepted, Condition("ResolvedRefs", False, Reason.NOT_FOUND, world.missing)]),
            children=tuple(children),
            kept=_configuration_kept(federation),
            status=status,
        )
    provider = Provider(federation.issuer, world.ca)
    interval = federation.spec.oidc.refresh_interval
    checks = [Check("Keys", "oidc", provider, interval, FETCH_TIMEOUT, failure_threshold=FAILURES)]
    conditions = [accepted, Condition("ResolvedRefs", True, Reason.RESOLVED), *_fetched(world, provider, keys)]
    sound = True
    if federation.spec.claim_mappings or federation.spec.claim_validation_rules:
        claims = Claims(claims_request(federation))
        checks.append(Check("Examples", "claims", claims, ONCE, EXAMPLES_TIMEOUT))
        conditions.append(examined := _examined(world, claims))
        sound = examined.status is True
    kept: frozenset[Identity] = frozenset()
    if federation.wants_configuration and sound:
        children.append(_configuration(federation, world))
        conditions.append(Condition("Programmed", True, Reason.PROGRAMMED))
    elif federation.wants_configuration:
        kept = _configuration_kept(federation)
        waiting = "the AuthenticationConfiguration stays as it is until every example passes"
        conditions.append(Condition("Programmed", None, Reason.PENDING, waiting))
    return Plan(
        with_ready(conditions, Reason.TRUSTED),
        children=tuple(children),
        kept=kept,
        checks=tuple(checks),
        status=status,
    )


def _trusted(federation: IdentityFederation, world: World) -> Keys | None:
    """The newest keys of this very issuer, else the last ones, unless the provider gave them away."""
    outcome = world.fetched
    if outcome and _about(outcome, federation):
        if outcome.ok and isinstance(found := outcome.data.get("keys"), Keys):
            return found
        if outcome.data.get("step") == WITHDRAWN:
            return None
    # Whoever may write ConfigMaps here must not choose keys: the status, which only the operator writes, knows them.
    if world.kept and world.kept.digest == federation.status.get("keysDigest"):
        return world.kept
    return None


def _about(outcome: Outcome, federation: IdentityFederation) -> bool:
    """Not of an object that had this name before, and trusted another issuer."""
    return outcome.target is None or outcome.target.issuer == federation.issuer


def _listed(federation: IdentityFederation, keys: Keys | None, world: World, now: datetime) -> dict[str, object]:
    """Which keys are trusted, and since when; a refresh that finds the same ones changes nothing."""
    if keys is None:
        return {}
    since = federation.status.get("keysSince") if federation.status.get("keysDigest") == keys.digest else None
    found = (world.fetched.at if world.fetched else None) or now
    listed = [{name: key[name] for name in ("kid", "alg", "kty") if name in key} for key in keys.listed]
    return {
        "keys": listed,
        "keysDigest": keys.digest,
        "keysSince": since or found.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _fetched(world: World, provider: Provider, keys: Keys | None) -> list[Condition]:
    """DiscoveryValid and JWKSFetchValid, out of one look at the provider."""
    outcome = world.fetched
    if outcome is None or outcome.target not in (None, provider):
        return [Condition(name, None, Reason.PENDING, "being fetched") for name in ("DiscoveryValid", "JWKSFetchValid")]
    if outcome.ok:
        return [Condition(name, True, Reason.VALID) for name in ("DiscoveryValid", "JWKSFetchValid")]
    if outcome.data.get("step") == DISCOVERY:
        serving = "the last keys serve until discovery works again" if keys else "there are no keys yet"
        return [outcome.condition("DiscoveryValid"), Condition("JWKSFetchValid", None, Reason.UNKNOWN, serving)]
    return [Condition("DiscoveryValid", True, Reason.VALID), outcome.condition("JWKSFetchValid")]


def _examined(world: World, claims: Claims) -> Condition:
    outcome: Outcome | None = world.examined
    if outcome is None or outcome.target not in (None, claims):
        return Condition("ExamplesPassed", None, Reason.PENDING, "being tried")
    return outcome.condition("ExamplesPassed")


def _key_set(federation: IdentityFederation, keys: Keys) -> Manifest:
    data = {"issuer": federation.issuer, "jwks.json": keys.jwks}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": federation.keys_name}, "data": data}


def _configuration(federation: IdentityFederation, world: World) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": federation.configuration_name},
        "data": {"authentication.yaml": authentication(federation, world.ca)},
    }


def _configuration_kept(federation: IdentityFederation) -> frozenset[Identity]:
    wanted = federation.wants_configuration
    return frozenset({("v1", "ConfigMap", federation.configuration_name)}) if wanted else frozenset()
