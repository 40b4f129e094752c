"""All kinds, and what plans ask, as literal tuples. Importing a kind or a driver registers nothing by itself."""

from collections.abc import Callable
from typing import Any

from integration_operator.core.addresses import Outbound
from integration_operator.core.kind import Kind
from integration_operator.drivers.base import Driver
from integration_operator.drivers.gateways.envoy_gateway import EnvoyGateway
from integration_operator.drivers.probes.claims import ClaimsProbe
from integration_operator.kinds import api_route, identity_federation, service_connection

KINDS: tuple[Kind[Any, Any], ...] = (api_route.KIND, identity_federation.KIND, service_connection.KIND)

LOCAL: tuple[Callable[[Outbound], Driver], ...] = (ClaimsProbe, EnvoyGateway)
"""Drivers that connect to nothing: all that a plan asks; `registry.drivers` has the others as well."""
