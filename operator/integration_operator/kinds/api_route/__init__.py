"""ApiRoute: an API offered to consumers through a gateway."""

from integration_operator.core.kind import Column, Kind
from integration_operator.kinds.api_route.look import World, look
from integration_operator.kinds.api_route.model import ApiRoute, ApiRouteStatus, claims
from integration_operator.kinds.api_route.plan import plan

KIND: Kind[ApiRoute, World] = Kind(
    name="ApiRoute",
    plural="apiroutes",
    model=ApiRoute,
    status=ApiRouteStatus,
    look=look,
    plan=plan,
    short_names=("apir",),
    columns=(
        Column("Host", ".spec.hostnames[0]", description="First host name."),
        Column("Lifecycle", ".status.lifecycle", description="Of the newest version that is served."),
        Column("Versions", ".status.served", type="integer", description="Versions that are served."),
        Column("Auth", ".status.auth", description="How callers prove who they are."),
    ),
    selectable_fields=(".spec.basePath", ".spec.gatewayRef.name"),
    claims=claims,
    children=(
        ("gateway.networking.k8s.io/v1", "HTTPRoute"),
        ("gateway.networking.k8s.io/v1", "BackendTLSPolicy"),
        ("gateway.envoyproxy.io/v1alpha1", "Backend"),
        ("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy"),
        ("gateway.envoyproxy.io/v1alpha1", "HTTPRouteFilter"),
        ("gateway.envoyproxy.io/v1alpha1", "SecurityPolicy"),
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
    ),
    description="An API offered to consumers: versions, lifecycle, backends and traffic, served by a gateway.",
)
