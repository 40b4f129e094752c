"""Values that Envoy Gateway can't honour: refused with a sentence, where it would drop or bend them."""

import re

from integration_operator.core.binding import HEADER, is_address
from integration_operator.drivers.gateway import ConnectionBackend, Route, Version
from integration_operator.drivers.gateways.envoy_gateway.connections import connections_of
from integration_operator.drivers.gateways.envoy_gateway.policies import UNITS

FRAMING = {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade"}
"""Headers that say where a request goes and where it ends: no credential may stand in them."""


def refusals(route: Route) -> list[str]:
    """See drivers.gateway.GatewayDriver."""
    found = []
    traffic = route.traffic
    if traffic.rate_limit and traffic.rate_limit[1] not in UNITS:
        found.append("traffic.rateLimit.period must be 1s, 1m, 1h or 24h: the gateway counts in these")
    found += [problem for version in route.versions for problem in _version(version)]
    found += [problem for connection in connections_of(route) for problem in _connection(connection)]
    return found


def _version(version: Version) -> list[str]:
    paths = {b.path.rstrip("/") if isinstance(b, ConnectionBackend) else "" for b in version.backends}
    if len(paths) > 1:
        different = ", ".join(sorted(path or "/" for path in paths))
        return [f"version {version.name}: its backends have different paths ({different}), and the gateway knows one"]
    return []


def _connection(backend: ConnectionBackend) -> list[str]:
    name = f"ServiceConnection {backend.namespace}/{backend.name}"
    found = []
    if backend.tls and is_address(backend.server_name):
        found.append(f"{name}: the gateway checks names, not addresses, in certificates: set its tls.serverName")
    if backend.header is not None and (not HEADER.fullmatch(backend.header) or backend.header.lower() in FRAMING):
        found.append(f"{name}: the header of its credential is none that can carry one")
    if backend.header_value is not None and not re.fullmatch(r"[!-~]([ -~\t]*[!-~])?", backend.header_value):
        found.append(f"{name}: its credential has characters that no header can carry")
    return found
