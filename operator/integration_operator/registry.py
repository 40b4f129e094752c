"""All kinds and all drivers, as two literal tuples. Importing a kind or a driver registers nothing by itself."""

from collections.abc import Callable
from typing import Any

from integration_operator.core.addresses import Outbound
from integration_operator.core.kind import Kind
from integration_operator.drivers.base import Driver
from integration_operator.drivers.gateways.envoy_gateway import EnvoyGateway
from integration_operator.drivers.probes.claims import ClaimsProbe
from integration_operator.drivers.probes.http import HttpProbe
from integration_operator.drivers.probes.nats import NatsProbe
from integration_operator.drivers.probes.oauth2 import OAuth2Probe
from integration_operator.drivers.probes.oidc import OidcProbe
from integration_operator.drivers.probes.postgresql import PostgresqlProbe
from integration_operator.drivers.probes.route import RouteProbing
from integration_operator.kinds import api_route, identity_federation, service_connection

KINDS: tuple[Kind[Any, Any], ...] = (api_route.KIND, identity_federation.KIND, service_connection.KIND)

DRIVERS: tuple[Callable[[Outbound], Driver], ...] = (
    ClaimsProbe,
    EnvoyGateway,
    HttpProbe,
    NatsProbe,
    OAuth2Probe,
    OidcProbe,
    PostgresqlProbe,
    RouteProbing,
)
