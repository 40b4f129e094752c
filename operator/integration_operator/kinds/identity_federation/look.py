"""Everything that the decision about an IdentityFederation depends on."""

from collections.abc import Mapping
from dataclasses import dataclass

from integration_operator.core.plan import Outcome
from integration_operator.core.ports import Reader
from integration_operator.drivers.identity import Keys
from integration_operator.kinds.identity_federation.model import IdentityFederation


@dataclass(frozen=True)
class World:
    """All that the decision may depend on."""

    missing: str = ""
    """What is referred to and is not there, as a sentence; empty when all is."""
    ca: str | None = None
    kept: Keys | None = None
    """The keys in this very object's ConfigMap, whoever wrote them: for while the provider can't be asked."""
    fetched: Outcome | None = None
    examined: Outcome | None = None


async def look(federation: IdentityFederation, reader: Reader) -> World:
    """Gather the world of a federation."""
    missing, ca = await _ca(federation, reader)
    return World(
        missing=missing,
        ca=ca,
        kept=await _kept(federation, reader),
        fetched=reader.outcome("Keys"),
        examined=reader.outcome("Examples"),
    )


async def _ca(federation: IdentityFederation, reader: Reader) -> tuple[str, str | None]:
    """What is missing, and the CA; an empty one is none: it must not turn into the system's roots."""
    ref = federation.spec.oidc.ca_ref
    if ref is None:
        return "", None
    data: Mapping[str, bytes] | Mapping[str, str] | None
    read = reader.secret if ref.kind == "Secret" else reader.config_map
    data = await read(ref.name, federation.namespace)
    if data is None:
        return f"{ref.kind} {ref.name} does not exist", None
    entry = data.get(ref.key, "")
    text = entry.decode(errors="replace") if isinstance(entry, bytes) else entry
    if not text.strip():
        return f"{ref.kind} {ref.name} has no key {ref.key}, or it is empty", None
    return "", text.rstrip("\r\n")


async def _kept(federation: IdentityFederation, reader: Reader) -> Keys | None:
    """Only a ConfigMap that belongs to this object by its uid counts: names and labels anybody can write."""
    for child in await reader.children():
        meta = child["metadata"]
        uids = {ref.get("uid") for ref in meta.get("ownerReferences") or ()}
        if (child["kind"], meta["name"]) == ("ConfigMap", federation.keys_name) and federation.metadata.uid in uids:
            data = await reader.config_map(federation.keys_name, federation.namespace) or {}
            return Keys(data["jwks.json"]) if data.get("issuer") == federation.issuer and "jwks.json" in data else None
    return None
