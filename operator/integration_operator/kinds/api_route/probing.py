"""What to ask of a route through its gateway: every version, and every host name."""

from collections.abc import Mapping
from datetime import timedelta
from zlib import crc32

from integration_operator.core.plan import Check
from integration_operator.drivers import gateway as neutral
from integration_operator.drivers.gateway import Mark, ProbeHost, ProbeRequest, RouteProbe
from integration_operator.kinds.api_route.look import World
from integration_operator.kinds.api_route.model import ApiRoute, Probe

NAME = "Reachable"


def check(route: ApiRoute, world: World, served: neutral.Route, marks: Mapping[str, Mark]) -> Check | None:
    """All versions under the first host name, one under each other; None where there is nothing to ask, or no way."""
    gateway, probe = world.gateway, route.spec.probe or Probe()
    # Of a version that stands it is known already that something is wrong: it must not hide what is wrong elsewhere.
    versions = sorted(served.versions, key=lambda v: v.standing is not None)
    requests = [_request(v, probe, marks.get(v.name)) for v in versions if not v.closed]
    if not requests or gateway.address is None:
        return None
    hosts: list[ProbeHost] = []
    for host in served.hostnames:
        listener = gateway.listener(host)
        assert listener is not None
        asked = tuple(requests if not hosts else requests[:1])
        hosts.append(ProbeHost(host.replace("*", "probe", 1), listener.port, listener.ca, asked))
    # Spread, so that thousands of routes are not asked at once; never later than was asked for.
    share = 0.75 + (crc32(route.metadata.uid.encode()) % 100) / 1000
    interval = timedelta(milliseconds=int(probe.interval / timedelta(milliseconds=1) * share))
    target = RouteProbe(gateway.address, tuple(hosts), gateway.own)
    return Check(NAME, "route", target, interval, timedelta(seconds=10), failure_threshold=2)


def _request(version: neutral.Version, probe: Probe, mark: Mark | None) -> ProbeRequest:
    below = "" if probe.path == "/" else probe.path
    return ProbeRequest(
        version=version.name,
        method=probe.method,
        path=f"{version.match.path.rstrip('/')}{below}" or "/",
        header=version.match.header,
        query=version.match.query,
        expected=() if version.gone else tuple(probe.expected_statuses),
        gone=version.gone,
        credential=any(isinstance(b, neutral.ConnectionBackend) and b.header for b in version.backends),
        mark=mark,
    )
