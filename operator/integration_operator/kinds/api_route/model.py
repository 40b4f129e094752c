"""Spec and status of an ApiRoute."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from integration_operator.core.model import (
    AllowedNamespaces,
    Between,
    Duration,
    Matching,
    Model,
    Ref,
    Resource,
    Rule,
    Status,
)
from integration_operator.core.ports import Environment
from integration_operator.kinds.api_route.traffic import Traffic
from integration_operator.kinds.api_route.versions import Lifecycle, Path, Version

RouteHost = Annotated[
    str,
    Matching(
        r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "write a DNS host name in lower case, as api.example.com or *.example.com: no scheme, port or path",
    ),
]


class Owner(Model):
    """Who answers for an API."""

    team: Annotated[str, Field(min_length=1, max_length=128)] = Field(description="The team.")
    email: (
        Annotated[str, Matching(r"^[^@\s]+@[^@\s]+$", "write one e-mail address, as team@example.com", limit=254)]
        | None
    ) = Field(default=None, description="Where the team is reached.")


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


def _distinct(values: Iterable[object]) -> bool:
    """Whether no two of them are equal; None does not count."""
    given = [repr(v) for v in values if v is not None]
    return len(given) == len(set(given))


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
            lambda s: _distinct(v.match.path if v.match else f"/{v.name}" for v in s.versions),
            ".versions",
        ),
        Rule(
            "self.versions.all(v, !has(v.match) || !has(v.match.header) || self.versions.all(w, w.name == v.name ||"
            " !has(w.match) || !has(w.match.header) || w.match.header.value != v.match.header.value ||"
            " w.match.header.name.lowerAscii() != v.match.header.name.lowerAscii()))",
            "two versions have the same match.header",
            lambda s: _distinct(
                (v.match.header.name.lower(), v.match.header.value) if v.match and v.match.header else None
                for v in s.versions
            ),
            ".versions",
        ),
        Rule(
            "self.versions.all(v, !has(v.match) || !has(v.match.query) || self.versions.all(w, w.name == v.name ||"
            " !has(w.match) || !has(w.match.query) || w.match.query != v.match.query))",
            "two versions have the same match.query",
            lambda s: _distinct(v.match.query if v.match else None for v in s.versions),
            ".versions",
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
        below = f"/{version.name}" if version.match is None else version.match.path or ""
        return (self.spec.base_path.rstrip("/") + below).rstrip("/") or "/"


def current(version: Version, now: datetime) -> Lifecycle:
    """The lifecycle at this instant: from sunsetAt on it is Retired."""
    past = version.sunset_at is not None and now >= version.sunset_at
    return "Retired" if past and version.lifecycle != "Draft" else version.lifecycle


def claims(route: ApiRoute, environment: Environment) -> Iterator[str]:
    """What a route claims: its places (host, path, match), the prefix it owns, and the connections it uses."""
    gateway = gateway_claim(route, environment)
    for host in route.spec.hostnames:
        yield f"prefix|{gateway}|{host}|{route.spec.base_path}"
        for version in route.spec.versions:
            if version.lifecycle != "Draft":
                yield place_claim(gateway, host, route.path_of(version), version)
    for version in route.spec.versions:
        for backend in version.backends:
            if ref := backend.connection_ref:
                yield f"ref:ServiceConnection/{ref.namespace or route.namespace}/{ref.name}"


def place_claim(gateway: str, host: str, path: str, version: Version) -> str:
    """One place on a gateway, as a claim."""
    match = version.match
    detail = ""
    if match and match.header:
        detail = f"header {match.header.name.lower()}={match.header.value}"
    elif match and match.query:
        detail = f"query {match.query.name}={match.query.value}"
    return f"place|{gateway}|{host}|{path}|{detail}"


def gateway_claim(route: ApiRoute, environment: Environment) -> str:
    """A gateway in claims: the operator's own is the same whether it is named or left out."""
    return "/".join(route.gateway(environment.gateway, environment.namespace))
