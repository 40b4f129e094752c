"""All drivers: those of LOCAL, and those that connect, whose clients take longer to import than all else."""

from collections.abc import Callable

from integration_operator.core.addresses import Outbound
from integration_operator.drivers.base import Driver
from integration_operator.drivers.probes.http import HttpProbe
from integration_operator.drivers.probes.nats import NatsProbe
from integration_operator.drivers.probes.oauth2 import OAuth2Probe
from integration_operator.drivers.probes.oidc import OidcProbe
from integration_operator.drivers.probes.postgresql import PostgresqlProbe
from integration_operator.drivers.probes.route import RouteProbing
from integration_operator.registry import LOCAL

DRIVERS: tuple[Callable[[Outbound], Driver], ...] = (
    *LOCAL,
    HttpProbe,
    NatsProbe,
    OAuth2Probe,
    OidcProbe,
    PostgresqlProbe,
    RouteProbing,
)
