"""How requests are handled: time, retries, bounds, cross-origin calls."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from integration_operator.core.model import PORT_IN_URL, Between, Duration, Matching, Model, Rule
from integration_operator.core.quantity import AtMost, Bytes
from integration_operator.kinds.api_route.versions import HeaderName

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
Origin = Annotated[
    str,
    Matching(
        rf"^(\*|https?://(\*\.)?{_LABEL}(\.{_LABEL})*{PORT_IN_URL})$",
        "write an origin as https://portal.example.com, with no path; * stands for all",
    ),
]
Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]


class Retries(Model):
    """When a request is tried again."""

    attempts: Annotated[int, Field(ge=1, le=10, json_schema_extra={"format": "int32"})] = Field(
        description="Tries after the first."
    )
    retry_on: Annotated[
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
    max_pending_requests: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="Requests that wait for a connection."
    )


class RateLimit(Model):
    """So many requests in a period."""

    scope: Literal["Local"] = Field(
        default="Local",
        description="Where requests are counted. Local: in each gateway replica, for each version and host name.",
    )
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
        default=None, description="For the whole request; then 504. The gateway's own (15s) when absent."
    )
    retries: Retries | None = Field(default=None, description="Tries after a failure.")
    circuit_breaker: CircuitBreaker | None = Field(default=None, description="Bounds towards each backend.")
    rate_limit: RateLimit | None = Field(
        default=None, description="How many requests get through; beyond that 429. Counted as its scope says."
    )
    max_request_bytes: Annotated[Bytes, AtMost("64Mi")] | None = Field(
        default=None,
        description="Largest request body, as 1Mi, at most 64Mi; then 413. The gateway holds each body in its memory"
        " until it is complete: no streams, no upgrades. Without it bodies are passed on as they come, of any size.",
    )
    cors: CorsPolicy | None = Field(default=None, description="Which web pages may call.")
