"""ServiceConnection: an external system, with its credential, its probe and who may use it."""

from integration_operator.core.kind import Column, Kind
from integration_operator.kinds.service_connection.look import World, look
from integration_operator.kinds.service_connection.model import ServiceConnection, ServiceConnectionStatus
from integration_operator.kinds.service_connection.plan import plan

KIND: Kind[ServiceConnection, World] = Kind(
    name="ServiceConnection",
    plural="serviceconnections",
    model=ServiceConnection,
    status=ServiceConnectionStatus,
    look=look,
    plan=plan,
    short_names=("svcconn",),
    columns=(
        Column("Type", ".status.type", description="What kind of system it is."),
        Column("Endpoint", ".status.endpoint", description="Where it is."),
    ),
    selectable_fields=(".spec.allowInsecure",),
    children=(("v1", "Secret"), ("networking.k8s.io/v1", "NetworkPolicy")),
    description="An external system: where it is, how it is trusted, with what credential, and who may use it.",
)
