"""Versions of an API: how they are told apart, where their requests go, how they end."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from integration_operator.core.model import (
    HttpsOrHttpUrl,
    Matching,
    Model,
    Name,
    Port,
    Ref,
    Rule,
    Time,
    exactly_one,
)

Lifecycle = Literal["Draft", "Published", "Deprecated", "Retired"]

_SEGMENT = r"\.*[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*"
Path = Annotated[
    str,
    Matching(
        rf"^/({_SEGMENT}(/{_SEGMENT})*)?$",
        "write an absolute path as /orders/v1: no trailing or double '/', no '..', no query, no percent-encoding",
        limit=512,
    ),
]
HeaderName = Annotated[
    str, Matching(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "write a header name (RFC 9110 token), as Api-Version", limit=64)
]
Value = Annotated[str, Matching(r"^[!-~]([ -~]*[!-~])?$", "write printable ASCII without space at the ends", limit=256)]
QueryText = Annotated[
    str,
    Matching(
        r"^[A-Za-z0-9._~-]+$",
        "write letters, digits, '-', '.', '_' or '~': gateways compare a query as it is encoded",
        limit=128,
    ),
]


class HeaderValue(Model):
    """A request header with an exact value."""

    name: HeaderName = Field(description="Its name.")
    value: Value = Field(description="Its value, compared exactly.")


class QueryValue(Model):
    """A query parameter with an exact value."""

    name: QueryText = Field(description="Its name.")
    value: QueryText = Field(description="Its value, compared exactly.")


class VersionMatch(Model):
    """What tells this version from the others."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("path", "header", "query"),)
    path: Path | None = Field(default=None, description="Path below basePath, as /v1.")
    header: HeaderValue | None = Field(default=None, description="A request header.")
    query: QueryValue | None = Field(default=None, description="A query parameter.")


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
        default=1, description="Share of the requests, relative to the other backends; 0 for none."
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
