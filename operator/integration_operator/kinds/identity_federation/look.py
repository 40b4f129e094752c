"""Everything that the decision about an IdentityFederation depends on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from integration_operator.core.plan import Manifest, Outcome
from integration_operator.core.ports import Reader
from integration_operator.kinds.identity_federation.model import IdentityFederation


@dataclass(frozen=True)
class World:
    """All that the decision may depend on."""

    missing: str = ""
    """What is referred to and is not there, as a sentence; empty when all is."""
    ca: str | None = None
    kept: Mapping[str, str] | None = None
    """The ConfigMap with the keys as it is: they serve while the provider can't be asked."""
    live: tuple[Manifest, ...] = ()
    fetched: Outcome | None = field(default=None)
    examined: Outcome | None = field(default=None)


async def look(federation: IdentityFederation, reader: Reader) -> World:
    """Gather the world of a federation."""
    missing, ca = "", None
    if ref := federation.spec.oidc.ca_ref:
        read = reader.secret if ref.kind == "Secret" else reader.config_map
        data = await read(ref.name, federation.namespace)
        value = (data or {}).get(ref.key)
        if value is None:
            missing = (
                f"{ref.kind} {ref.name} does not exist" if data is None else f"{ref.kind} {ref.name} has no {ref.key}"
            )
        else:
            ca = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return World(
        missing=missing,
        ca=ca,
        kept=await reader.config_map(federation.keys_name, federation.namespace),
        live=await reader.children(),
        fetched=reader.outcome("Keys"),
        examined=reader.outcome("Examples"),
    )
