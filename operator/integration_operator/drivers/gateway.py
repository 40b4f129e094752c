"""What a gateway driver is given and gives: neutral nouns, so that kinds know no product."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from integration_operator.core.plan import Identity, Manifest


class Feature(StrEnum):
    """What a route may need of a gateway. A driver that lacks one refuses the route by the feature's name."""

    PATH_MATCH = "versions[].match.path"
    HEADER_MATCH = "versions[].match.header"
    QUERY_MATCH = "versions[].match.query"
    WEIGHTS = "versions[].backends[].weight"
    CONNECTION_BACKEND = "versions[].backends[].connectionRef"
    CREDENTIAL = "versions[].backends[].connectionRef with credentials"
    CLIENT_CERTIFICATE = "versions[].backends[].connectionRef with tls.clientCertificateRef"
    LIFECYCLE_HEADERS = "versions[].lifecycle: Deprecated"
    GONE = "versions[].lifecycle: Retired"
    TIMEOUT = "traffic.timeout"
    RETRIES = "traffic.retries"
    CIRCUIT_BREAKER = "traffic.circuitBreaker"
    RATE_LIMIT = "traffic.rateLimit"
    REQUEST_SIZE = "traffic.maxRequestBytes"
    CORS = "traffic.cors"


@dataclass(frozen=True)
class ServiceBackend:
    """A Service of the route's namespace."""

    name: str
    port: int
    weight: int = 1


@dataclass(frozen=True)
class ConnectionBackend:
    """A system outside: where it is, how it is trusted, and what proves who we are."""

    name: str
    namespace: str
    host: str
    """The name (or address) by which it is asked, and by which it knows itself."""
    port: int
    addresses: tuple[str, ...]
    """Where requests go: the gateway resolves no name that users choose, since only these were checked."""
    path: str = "/"
    tls: bool = True
    server_name: str = ""
    """Name that its certificate must carry, and that is sent as SNI."""
    ca: str | None = None
    """PEM; the system's roots when None."""
    certificate: str | None = None
    key: str | None = field(default=None, repr=False)
    """PEM of the client certificate and its key."""
    header: str | None = None
    header_value: str | None = field(default=None, repr=False)
    """The credential: a request header, in place of what the caller sent in it."""
    weight: int = 1


@dataclass(frozen=True)
class Match:
    """What tells a version: a path prefix, and perhaps a header or query parameter with an exact value."""

    path: str
    header: tuple[str, str] | None = None
    query: tuple[str, str] | None = None


@dataclass(frozen=True)
class Standing:
    """A version as objects in the cluster serve it now: where, and with which connections (namespace, name)."""

    match: Match
    connections: frozenset[tuple[str, str]]
    rule: Mapping[str, Any] = field(repr=False)
    """The product's own words for it, which only its driver reads."""


@dataclass(frozen=True)
class Version:
    """One version as it is to be served now. `gone`: 410, `closed`: 503; then no backend is asked."""

    name: str
    match: Match
    backends: tuple[ServiceBackend | ConnectionBackend, ...] = ()
    gone: bool = False
    closed: bool = False
    standing: Standing | None = None
    """What it stays as, in place of backends: while those that it asks for can't be told."""
    deprecated_at: datetime | None = None
    sunset_at: datetime | None = None
    links: tuple[tuple[str, str], ...] = ()
    """(relation type, URL or absolute path) pairs of RFC 8288."""

    @property
    def served(self) -> bool:
        """Whether requests reach a backend."""
        return not self.gone and not self.closed


@dataclass(frozen=True)
class Cors:
    """Cross-origin resource sharing (Fetch standard)."""

    allow_origins: tuple[str, ...]
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age: float | None = None
    """Seconds."""


@dataclass(frozen=True)
class Traffic:
    """How requests are handled; durations in seconds, sizes in bytes, None where nothing is asked."""

    timeout: float | None = None
    retries: int | None = None
    retry_on: tuple[str, ...] = ()
    max_connections: int | None = None
    max_pending_requests: int | None = None
    rate_limit: tuple[int, float] | None = None
    """Requests in a period of so many seconds, counted for each version and host name, in each gateway replica."""
    max_request_bytes: int | None = None
    cors: Cors | None = None


@dataclass(frozen=True)
class Route:
    """An API as a gateway serves it."""

    name: str
    namespace: str
    gateway: str
    gateway_namespace: str
    listeners: tuple[str, ...]
    """Names of the Gateway's listeners that serve it: HTTPS ones, so that nothing is offered in plain text."""
    hostnames: tuple[str, ...]
    versions: tuple[Version, ...]
    traffic: Traffic = Traffic()

    def needs(self) -> frozenset[Feature]:
        """Every feature that this route uses."""
        needs = {Feature.PATH_MATCH}
        for version in self.versions:
            needs |= _version_needs(version)
        traffic = self.traffic
        asked = {
            Feature.TIMEOUT: traffic.timeout,
            Feature.RETRIES: traffic.retries,
            Feature.CIRCUIT_BREAKER: traffic.max_connections or traffic.max_pending_requests or None,
            Feature.RATE_LIMIT: traffic.rate_limit,
            Feature.REQUEST_SIZE: traffic.max_request_bytes,
            Feature.CORS: traffic.cors,
        }
        return frozenset(needs | {feature for feature, value in asked.items() if value is not None})


def _version_needs(version: Version) -> set[Feature]:
    needs = set()
    if version.match.header:
        needs.add(Feature.HEADER_MATCH)
    if version.match.query:
        needs.add(Feature.QUERY_MATCH)
    if version.gone:
        needs.add(Feature.GONE)
    if version.deprecated_at or version.sunset_at:
        needs.add(Feature.LIFECYCLE_HEADERS)
    for backend in version.backends:
        if isinstance(backend, ConnectionBackend):
            needs.add(Feature.CONNECTION_BACKEND)
            if backend.header:
                needs.add(Feature.CREDENTIAL)
            if backend.certificate:
                needs.add(Feature.CLIENT_CERTIFICATE)
    if len(version.backends) > 1:
        needs.add(Feature.WEIGHTS)
    return needs


@dataclass(frozen=True)
class Verdict:
    """What the gateway says of what was applied: None while it has not said anything of this generation."""

    accepted: bool | None
    message: str = ""


@dataclass(frozen=True)
class Mark:
    """How a probe knows that this very configuration answered: what it sends in header `ask` comes back in `answer`."""

    ask: str
    answer: str


@dataclass(frozen=True)
class Rendered:
    """What makes a gateway serve a route, in the order in which it is safe to apply it."""

    objects: tuple[Manifest, ...]
    marks: Mapping[str, Mark] = field(default_factory=dict)
    """By version; empty where the product can't carry them."""
    kept: frozenset[Identity] = frozenset()
    """What versions need that stay as they stand, whether it is there or not."""


@dataclass(frozen=True)
class ProbeRequest:
    """One request, and what counts as working: `expected` statuses, or any answer of the backend when empty."""

    version: str
    method: str
    path: str
    header: tuple[str, str] | None = None
    query: tuple[str, str] | None = None
    expected: tuple[int, ...] = ()
    gone: bool = False
    """Whether 410, made by the gateway itself, is what works."""
    credential: bool = False
    """Whether the gateway adds a credential: then 401 says that it was refused."""
    mark: Mark | None = None


@dataclass(frozen=True)
class ProbeHost:
    """A host name, where the gateway serves it, and what to ask there."""

    host: str
    port: int
    ca: str | None
    """PEM of what must have signed, or be, the gateway's certificate; the system's roots when None."""
    requests: tuple[ProbeRequest, ...]


@dataclass(frozen=True)
class RouteProbe:
    """What the probe `route` takes: the gateway's address, and what to ask of each host name."""

    address: str
    hosts: tuple[ProbeHost, ...]
    decisive: bool
    """Whether the gateway marks what backends answered: then what has no mark is its own answer."""


@runtime_checkable
class GatewayDriver(Protocol):
    """One gateway product. `name` is its GatewayClass controller name."""

    name: str
    features: frozenset[Feature]

    def refusals(self, route: Route) -> list[str]:
        """Values (not fields) that this product can't honour, each as a sentence; empty when all is well."""
        ...

    def render(self, route: Route) -> Rendered:
        """Every Kubernetes object that makes the gateway serve the route."""
        ...

    def verdict(self, live: Iterable[Manifest], rendered: Rendered) -> Verdict:
        """What the objects' status in the cluster says of this rendering, each for its present generation."""
        ...

    def places(self, live: Iterable[Manifest]) -> frozenset[tuple[str, Match]]:
        """(host, match) of everything that these objects serve now."""
        ...

    def connections(self, live: Iterable[Manifest]) -> frozenset[tuple[str, str]]:
        """(namespace, name) of every ServiceConnection that these objects connect to now."""
        ...

    def standing(self, live: Iterable[Manifest]) -> Mapping[str, Standing]:
        """Versions whose requests these objects bring to a backend now, by name."""
        ...

    def addresses(self, live: Iterable[Manifest]) -> Mapping[tuple[str, str, str], tuple[str, ...]]:
        """What these objects connect to now, by namespace and name of the ServiceConnection and its host then."""
        ...

    def service_selector(self, name: str, namespace: str) -> dict[str, str]:
        """Labels of the Service through which a Gateway takes traffic."""
        ...
