"""IdentityFederation: an external identity provider, its keys, and how its claims become users."""

from integration_operator.core.kind import Column, Kind
from integration_operator.kinds.identity_federation.look import World, look
from integration_operator.kinds.identity_federation.model import IdentityFederation, IdentityFederationStatus
from integration_operator.kinds.identity_federation.plan import plan

KIND: Kind[IdentityFederation, World] = Kind(
    name="IdentityFederation",
    plural="identityfederations",
    model=IdentityFederation,
    status=IdentityFederationStatus,
    look=look,
    plan=plan,
    short_names=("idfed",),
    columns=(Column("Issuer", ".spec.oidc.issuerUrl", description="Whose tokens are trusted."),),
    children=(("v1", "ConfigMap"),),
    description="An external identity provider: its keys, and how claims of its tokens become users.",
)
