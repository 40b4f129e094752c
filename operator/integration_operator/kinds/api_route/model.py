"""Spec and status of an ApiRoute."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from integration_operator.core.model import (
    AllowedNamespaces,
    Between,
    Duration,
    HttpsOrHttpUrl,
    Matching,
    Model,
    Name,
    Port,
    Ref,
    Resource,
    Rule,
    Status,
    exactly_one,
)
from integration_operator.core.quantity import Bytes

Lifecycle = Literal["Draft", "Published", "Deprecated", "Retired"]

_PATH = Matching(
    r"^/([A-Za-z0-9._~!$&'()*+,;=:@-]+(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*)?$",
    "write an absolute path as /orders/v1: no trailing or double '/', no query, no percent-encoding",
    limit=512,
)
Path = Annotated[str, _PATH]
RouteHost = Annotated[
    str,
    Matching(
        r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "write a DNS host name in lower case, as api.example.com or *.example.com: no scheme, port or path",
    ),
]
HeaderName = Annotated[
    str, Matching(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "write a header name (RFC 9110 token), as Api-Version", limit=64)
]
Value = Annotated[str, Matching(r"^[!-~]([ -~]*[!-~])?$", "write printable ASCII without space at the ends", limit=256)]
Origin = Annotated[
    str,
    Matching(
        r"^(\*|https?://(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?)$",
        "write an origin as https://portal.example.com, with no path; * stands for all",
    ),
]
Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
Time = Annotated[AwareDatetime, Field(json_schema_extra={"format": "date-time"})]


class Owner(Model):
    """Who answers for an API."""

    team: Annotated[str, Field(min_length=1, max_length=128)] = Field(description="The team.")
    email: (
        Annotated[str, Matching(r"^[^@\s]+@[^@\s]+$", "write one e-mail address, as team@example.com", limit=254)]
        | None
    ) = Field(default=None, description="Where the team is reached.")


class NamedValue(Model):
    """A header or query parameter with an exact value."""

    name: HeaderName = Field(description="Its name.")
    value: Value = Field(description="Its value, compared exactly.")


class VersionMatch(Model):
    """What tells this version from the others."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("path", "header", "query"),)
    path: Path | None = Field(default=None, description="Path below basePath, as /v1.")
    header: NamedValue | None = Field(default=None, description="A request header.")
    query: NamedValue | None = Field(default=None, description="A query parameter.")


class ServiceRef(Model):
    """A Service of the same namespace."""

    name: Name = Field(description="Name of the Service.")
    port: Port = Field(description="Port of the Service.")


class Backend(Model):
    """Where requests go."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("service_ref", "connection_ref"),)
    service_ref: ServiceRef | None = Field(default=None, description="A Service of this namespace.")
    connection_ref: Ref | None = Field(default=None, description="A ServiceConnection of type http.")
    weight: Annotated[int, Field(ge=0, le=1000, json_schema_extra={"format": "int32"})] = Field(
        default=1, description="Share of the requests, relative to the other backends."
    )


class Version(Model):
    """One version of an API."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.deprecatedAt) || !has(self.sunsetAt)"
            " || timestamp(self.deprecatedAt) <= timestamp(self.sunsetAt)",
            "sunsetAt must not be before deprecatedAt",
            lambda v: not v.deprecated_at or not v.sunset_at or v.deprecated_at <= v.sunset_at,
            ".sunsetAt",
        ),
        Rule(
            "self.lifecycle == 'Deprecated' || (!has(self.deprecatedAt) && !has(self.successor))"
            " || self.lifecycle == 'Retired'",
            "deprecatedAt and successor go with lifecycle: Deprecated or Retired",
            lambda v: v.lifecycle in ("Deprecated", "Retired") or (not v.deprecated_at and not v.successor),
        ),
        Rule(
            "self.lifecycle != 'Deprecated' || has(self.deprecatedAt)",
            "a Deprecated version needs deprecatedAt, as 2026-09-01T00:00:00Z",
            lambda v: v.lifecycle != "Deprecated" or v.deprecated_at is not None,
            reason="FieldValueRequired",
        ),
        Rule(
            "self.lifecycle == 'Retired' || (has(self.backends) && size(self.backends) > 0)",
            "a version that is not Retired needs at least one backend",
            lambda v: v.lifecycle == "Retired" or len(v.backends) > 0,
            reason="FieldValueRequired",
        ),
        Rule(
            "!has(self.backends) || size(self.backends) == 0 || self.backends.exists(b, b.weight > 0)",
            "at least one backend needs a weight above 0",
            lambda v: not v.backends or any(b.weight > 0 for b in v.backends),
            ".backends",
        ),
        Rule(
            "!has(self.backends) || size(self.backends) <= 1 || self.backends.all(b, has(b.serviceRef))",
            "a backend with connectionRef must be the only one of its version: its credential must not reach others",
            lambda v: len(v.backends) <= 1 or all(b.service_ref for b in v.backends),
            ".backends",
        ),
    )
    name: Annotated[
        str,
        Matching(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "write a short name as v1: lower-case letters, digits, '-'", 32),
    ] = Field(description="Name of the version, as v1.")
    lifecycle: Lifecycle = Field(
        default="Published", description="Draft is not served; Deprecated says so to callers; Retired answers 410."
    )
    deprecated_at: Time | None = Field(default=None, description="Since when it is deprecated (RFC 9745).")
    sunset_at: Time | None = Field(default=None, description="From then on it answers 410 by itself (RFC 8594).")
    successor: Annotated[str, Field(min_length=1, max_length=32)] | None = Field(
        default=None, description="Name of the version that replaces it."
    )
    documentation_url: HttpsOrHttpUrl | None = Field(default=None, description="Where callers read more.")
    match: VersionMatch | None = Field(
        default=None, description="What tells this version; by default the path /<name>."
    )
    backends: Annotated[list[Backend], Field(max_length=16)] = Field(
        default_factory=list, description="Where requests go; several share them by weight."
    )


class Auth(Model):
    """How callers prove who they are."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.anonymous",
            "auth needs a way in: write anonymous: true to serve everybody",
            lambda a: a.anonymous is True,
            reason="FieldValueRequired",
        ),
    )
    anonymous: bool = Field(description="Serve callers that prove nothing. Nothing is open by omission.")


class Retries(Model):
    """When a request is tried again."""

    attempts: Annotated[int, Field(ge=1, le=10, json_schema_extra={"format": "int32"})] = Field(
        description="Tries after the first."
    )
    on: Annotated[
        list[
            Annotated[
                str,
                Matching(
                    r"^(connect-failure|refused-stream|reset|5xx|gateway-error|[45][0-9]{2})$",
                    'write connect-failure, refused-stream, reset, 5xx, gateway-error or a status as "503"',
                    32,
                ),
            ]
        ],
        Field(min_length=1, max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(default=["connect-failure", "refused-stream"], description="What is tried again.")


class CircuitBreaker(Model):
    """Bounds towards each backend; beyond them the gateway answers 503 at once."""

    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="Connections at once."
    )
    max_pending_requests: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, description="Requests that wait for a connection."
    )


class RateLimit(Model):
    """So many requests in a period."""

    limit: Annotated[int, Field(ge=1, le=100_000_000)] = Field(description="Requests.")
    period: Annotated[Duration, Between("1s", "24h")] = Field(description="In this time, as 1s or 1h.")


class CorsPolicy(Model):
    """Cross-origin resource sharing (Fetch standard)."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!self.allowCredentials || !self.allowOrigins.exists(o, o == '*')",
            "allowCredentials needs named origins: * would let every site act as the user",
            lambda c: not c.allow_credentials or "*" not in c.allow_origins,
        ),
    )
    allow_origins: Annotated[list[Origin], Field(min_length=1, max_length=64)] = Field(description="Who may call.")
    allow_methods: Annotated[list[Method], Field(max_length=16)] = Field(
        default=["GET", "HEAD", "POST"], description="With which methods."
    )
    allow_headers: Annotated[list[HeaderName], Field(max_length=64)] = Field(
        default_factory=list, description="With which request headers."
    )
    expose_headers: Annotated[list[HeaderName], Field(max_length=64)] = Field(
        default_factory=list, description="Response headers that scripts may read."
    )
    allow_credentials: bool = Field(default=False, description="With cookies and authorization.")
    max_age: Annotated[Duration, Between("1s", "24h")] | None = Field(
        default=None, description="How long a browser may remember the answer."
    )


class Traffic(Model):
    """How requests are handled."""

    timeout: Annotated[Duration, Between("10ms", "1h")] | None = Field(
        default=None, description="For the whole request; then 504."
    )
    retries: Retries | None = Field(default=None, description="Tries after a failure.")
    circuit_breaker: CircuitBreaker | None = Field(default=None, description="Bounds towards each backend.")
    rate_limit: RateLimit | None = Field(
        default=None, description="For the whole route, in each gateway replica; then 429."
    )
    max_request_bytes: Bytes | None = Field(default=None, description="Largest request body, as 1Mi; then 413.")
    cors: CorsPolicy | None = Field(default=None, description="Which web pages may call.")


class Probe(Model):
    """The request that proves that a version works."""

    method: Literal["GET", "HEAD", "OPTIONS"] = Field(default="GET", description="Method.")
    path: Path = Field(default="/", description="Path below the version's own.")
    expected_statuses: Annotated[
        list[Annotated[int, Field(ge=100, le=599)]],
        Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(default_factory=list, description="Statuses that count as working; any answer of the backend when empty.")
    interval: Annotated[Duration, Between("5s", "1h")] = Field(
        default="60s", description="Time between probes.", validate_default=True
    )


class ApiRouteSpec(Model):
    """What an ApiRoute asks for."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.versions.all(v, !has(v.successor) || (v.successor != v.name"
            " && self.versions.exists(w, w.name == v.successor)))",
            "successor must name another version of this ApiRoute",
            lambda s: all(
                v.successor is None or v.successor in {w.name for w in s.versions} - {v.name} for v in s.versions
            ),
            ".versions",
        ),
        Rule(
            "self.versions.all(v, !has(v.match) || !has(v.match.path) || self.versions.all(w, w.name == v.name ||"
            " (has(w.match) ? (!has(w.match.path) || w.match.path != v.match.path) : '/' + w.name != v.match.path)))",
            "two versions have the same match.path",
            lambda s: (
                len(
                    {v.match.path for v in s.versions if v.match and v.match.path}
                    | {f"/{v.name}" for v in s.versions if not v.match}
                )
                == sum(1 for v in s.versions if not v.match or v.match.path)
            ),
            ".versions",
            "FieldValueDuplicate",
        ),
    )
    display_name: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None, description="Name for people."
    )
    description: Annotated[str, Field(max_length=4096)] | None = Field(default=None, description="What the API is for.")
    owner: Owner | None = Field(default=None, description="Who answers for it.")
    gateway_ref: Ref | None = Field(default=None, description="The Gateway; the operator's own when absent.")
    hostnames: Annotated[
        list[RouteHost], Field(min_length=1, max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = Field(description="Host names under which it is served.")
    base_path: Path = Field(default="/", description="Path prefix of all versions. Backends do not see it.")
    versions: Annotated[
        list[Version],
        Field(
            min_length=1,
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(description="Versions of the API.")
    auth: Auth = Field(description="How callers prove who they are. Nothing is open by omission.")
    allowed_namespaces: AllowedNamespaces | None = Field(
        default=None,
        description="Whose ApiRoutes may take a longer path below this one; only this namespace's when absent.",
    )
    traffic: Traffic | None = Field(default=None, description="How requests are handled.")
    probe: Probe | None = Field(default=None, description="The request that proves that it works.")


class VersionStatus(Model):
    """A version as it is served."""

    name: Annotated[str, Field(max_length=32)] = Field(description="Name of the version.")
    lifecycle: Lifecycle = Field(description="As it is now: a version past its sunset is Retired.")


class ApiRouteStatus(Status):
    """What the operator found."""

    endpoints: Annotated[list[Annotated[str, Field(max_length=1024)]], Field(max_length=256)] = Field(
        default_factory=list, description="URLs of the versions that are served."
    )
    versions: Annotated[list[VersionStatus], Field(max_length=16)] = Field(
        default_factory=list, description="Versions as they are served."
    )
    lifecycle: Lifecycle | None = Field(default=None, description="Of the newest version that is served.")
    served: Annotated[int, Field(ge=0, le=16)] | None = Field(default=None, description="Versions that are served.")
    auth: Annotated[str, Field(max_length=128)] | None = Field(
        default=None, description="How callers prove who they are."
    )


class ApiRoute(Resource[ApiRouteSpec]):
    """An API offered to consumers."""

    kind: str = "ApiRoute"

    def gateway(self, default: str, default_namespace: str) -> tuple[str, str]:
        """(namespace, name) of the Gateway; without gatewayRef the operator's own."""
        ref = self.spec.gateway_ref
        return (ref.namespace or self.namespace, ref.name) if ref else (default_namespace, default)

    def path_of(self, version: Version) -> str:
        """The path prefix under which a version is served."""
        below = (
            ""
            if version.match and not version.match.path
            else version.match.path
            if version.match
            else f"/{version.name}"
        )
        return (self.spec.base_path.rstrip("/") + (below or "")).rstrip("/") or "/"


def current(version: Version, now: datetime) -> Lifecycle:
    """The lifecycle at this instant: from sunsetAt on it is Retired."""
    past = version.sunset_at is not None and now >= version.sunset_at
    return "Retired" if past and version.lifecycle != "Draft" else version.lifecycle


def claims(route: ApiRoute) -> Iterator[str]:
    """What a route claims: its places (host, path, match), the prefix it owns, and the connections it uses."""
    gateway = place_of_gateway(route)
    for host in route.spec.hostnames:
        yield f"prefix|{gateway}|{host}|{route.spec.base_path}"
        for version in route.spec.versions:
            if version.lifecycle != "Draft":
                yield place(gateway, host, route.path_of(version), version)
    for version in route.spec.versions:
        for backend in version.backends:
            if ref := backend.connection_ref:
                yield f"ref:ServiceConnection/{ref.namespace or route.namespace}/{ref.name}"


def place(gateway: str, host: str, path: str, version: Version) -> str:
    """One place on a gateway, as a claim."""
    match = version.match
    detail = ""
    if match and match.header:
        detail = f"header {match.header.name.lower()}={match.header.value}"
    elif match and match.query:
        detail = f"query {match.query.name}={match.query.value}"
    return f"place|{gateway}|{host}|{path}|{detail}"


def place_of_gateway(route: ApiRoute) -> str:
    """A gateway in claims: by reference, or the operator's own."""
    ref = route.spec.gateway_ref
    return f"{ref.namespace or route.namespace}/{ref.name}" if ref else ""
