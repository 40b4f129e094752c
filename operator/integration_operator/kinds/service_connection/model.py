"""Spec and status of a ServiceConnection."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from integration_operator.core.binding import binding_name
from integration_operator.core.model import (
    AllowedNamespaces,
    Between,
    CaRef,
    Duration,
    HttpsOrHttpUrl,
    KeyRef,
    LabelSelector,
    LocalRef,
    Matching,
    Model,
    Resource,
    Rule,
    Status,
    exactly_one,
)
from integration_operator.kinds.service_connection import members
from integration_operator.kinds.service_connection.members import Members
from integration_operator.kinds.service_connection.members.base import Host, Member


class TlsSpec(Model):
    """How the system is trusted, and how it may trust us."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.mode != 'Disable' || !(has(self.caRef) || has(self.clientCertificateRef) || has(self.serverName))",
            "mode: Disable means plain text: leave caRef, clientCertificateRef and serverName out",
            lambda t: t.mode != "Disable" or not (t.ca_ref or t.client_certificate_ref or t.server_name),
            ".mode",
        ),
    )
    mode: Literal["VerifyFull", "Disable"] = Field(
        default="VerifyFull",
        description="VerifyFull: TLS, with certificate and name checked. Disable: plain text, for which allowInsecure"
        " is needed. For http the URL says which.",
    )
    ca_ref: CaRef | None = Field(default=None, description="Who signs its certificate; the system's roots when absent.")
    client_certificate_ref: LocalRef | None = Field(
        default=None, description="A Secret of type kubernetes.io/tls: the certificate that we show."
    )
    server_name: Host | None = Field(default=None, description="Name in its certificate, where it is not the host.")


class Basic(Model):
    """User name and password."""

    username_ref: KeyRef = Field(description="The user name.")
    password_ref: KeyRef = Field(description="The password.")


class Bearer(Model):
    """A token that does not change by itself."""

    token_ref: KeyRef = Field(description="The token.")


class ApiKey(Model):
    """A key in a request header."""

    name: Annotated[
        str, Matching(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "write a header name (RFC 9110 token), as X-API-Key", limit=64)
    ] = Field(default="X-API-Key", description="Name of the header.")
    value_ref: KeyRef = Field(description="The key.")


class OAuth2ClientCredentials(Model):
    """A token that the operator fetches and keeps fresh (RFC 6749, section 4.4)."""

    token_url: HttpsOrHttpUrl = Field(description="The token endpoint.")
    client_id_ref: KeyRef = Field(description="The client's id.")
    client_secret_ref: KeyRef = Field(description="The client's secret.")
    scopes: Annotated[
        list[
            Annotated[str, Matching(r"^[!#-\[\]-~]+$", "write a scope without spaces or quotes (RFC 6749)", limit=128)]
        ],
        Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(default_factory=list, description="Scopes to ask for.")
    audience: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        default=None, description="Audience to ask for, where the server wants one."
    )
    method: Literal["client_secret_basic", "client_secret_post"] = Field(
        default="client_secret_basic", description="How the client proves itself to the token endpoint."
    )


class Nkey(Model):
    """A NATS nkey."""

    seed_ref: KeyRef = Field(description="The seed, which begins with SU.")


class Credentials(Model):
    """Exactly one kind of credential."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one("basic", "bearer", "api_key", "oauth2_client_credentials", "nkey"),
    )
    basic: Basic | None = Field(default=None, description="User name and password.")
    bearer: Bearer | None = Field(default=None, description="A fixed token.")
    api_key: ApiKey | None = Field(default=None, description="A key in a request header.")
    oauth2_client_credentials: OAuth2ClientCredentials | None = Field(
        default=None, description="A token that is fetched and kept fresh."
    )
    nkey: Nkey | None = Field(default=None, description="A NATS nkey.")


class HttpCheck(Model):
    """What to ask an HTTP API."""

    path: Annotated[
        str, Matching(r"^/[!-~]*$", "write a path as /health: beginning with '/', without spaces", limit=1024)
    ] = Field(default="/", description="Path below the URL.")
    expected_statuses: Annotated[
        list[Annotated[int, Field(ge=100, le=599)]],
        Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(
        default_factory=list,
        description="Statuses that count as working; all below 500 but redirects, 401 and 403 when empty.",
    )


class HealthCheck(Model):
    """How often, and how hard, it is asked."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "duration(self.timeout) <= duration(self.interval)",
            "timeout must not be longer than interval",
            lambda h: h.timeout <= h.interval,
            ".timeout",
        ),
    )
    interval: Annotated[Duration, Between("1s", "1h")] = Field(
        default="30s", description="Time between probes.", validate_default=True
    )
    timeout: Annotated[Duration, Between("100ms", "1m")] = Field(
        default="5s", description="Time for one probe.", validate_default=True
    )
    failure_threshold: Annotated[int, Field(ge=1, le=100, json_schema_extra={"format": "int32"})] = Field(
        default=3, description="Failures in a row before a connection that worked is said not to."
    )
    http: HttpCheck | None = Field(default=None, description="What to ask an HTTP API.")


class Consumer(Model):
    """Pods of this namespace that use the connection."""

    name: Annotated[
        str,
        Matching(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "write a short name as web: lower-case letters, digits, '-'", 63),
    ] = Field(default="default", description="Name of these consumers, which tells them from others in the list.")
    pod_selector: LabelSelector = Field(description="Which pods, by their labels.")


class ServiceConnectionSpec(Members):
    """What a ServiceConnection asks for."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *members.RULES,
        Rule(
            "!has(self.tls) || self.tls.mode != 'Disable' || self.allowInsecure",
            "mode: Disable sends everything in plain text: leave it out, or allow it with allowInsecure: true",
            lambda s: not s.tls or s.tls.mode != "Disable" or s.allow_insecure,
            ".tls.mode",
            "FieldValueForbidden",
        ),
        Rule(
            "!has(self.credentials) || !has(self.credentials.oauth2ClientCredentials)"
            " || self.credentials.oauth2ClientCredentials.tokenUrl.startsWith('https://') || self.allowInsecure",
            "tokenUrl must begin with https://: it is sent a secret",
            lambda s: (
                not s.credentials
                or not (o := s.credentials.oauth2_client_credentials)
                or o.token_url.startswith("https://")
                or s.allow_insecure
            ),
            ".credentials.oauth2ClientCredentials.tokenUrl",
            "FieldValueForbidden",
        ),
    )
    description: Annotated[str, Field(max_length=4096)] | None = Field(default=None, description="What it is for.")
    tls: TlsSpec | None = Field(default=None, description="How it is trusted.")
    allow_insecure: bool = Field(
        default=False, description="Allow plain text, for which the URL or tls.mode asks. The status says so."
    )
    credentials: Credentials | None = Field(default=None, description="What proves who we are.")
    health_check: HealthCheck | None = Field(default=None, description="How it is probed.")
    consumers: Annotated[
        list[Consumer],
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(
        default_factory=list,
        description="Pods of this namespace that may connect to this and DNS only: they get an egress NetworkPolicy.",
    )
    allowed_namespaces: AllowedNamespaces | None = Field(
        default=None, description="Whose objects may refer to it; only this namespace's when absent."
    )


class BindingStatus(Model):
    """The binding Secret."""

    name: Annotated[str, Field(max_length=253)] = Field(description="Name of the Secret (servicebinding.io keys).")


class User(Model):
    """An object that refers to this one."""

    kind: Annotated[str, Field(max_length=63)] = Field(description="Kind.")
    namespace: Annotated[str, Field(max_length=63)] = Field(description="Namespace.")
    name: Annotated[str, Field(max_length=253)] = Field(description="Name.")


class ServiceConnectionStatus(Status):
    """What the operator found."""

    binding: BindingStatus | None = Field(default=None, description="Secret for those who connect.")
    type: Annotated[str, Field(max_length=32)] | None = Field(default=None, description="What kind of system it is.")
    endpoint: Annotated[str, Field(max_length=512)] | None = Field(default=None, description="Host and port.")
    plain_text: bool | None = Field(default=None, description="True where the connection is not encrypted.")
    token_expires_at: Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})] | None = Field(
        default=None, description="When the present token ends; a new one is fetched long before."
    )
    used_by: Annotated[list[User], Field(max_length=64)] = Field(
        default_factory=list, description="Objects that refer to it, at most 64."
    )


class ServiceConnection(Resource[ServiceConnectionSpec]):
    """An external system."""

    kind: str = "ServiceConnection"

    @property
    def type(self) -> str:
        """Which member of the union is set."""
        return self.spec.member[0]

    @property
    def member(self) -> Member:
        """The member that is set."""
        return self.spec.member[1]

    @property
    def host(self) -> str:
        """Host name or address."""
        return self.member.address[0]

    @property
    def port(self) -> int:
        """Port."""
        return self.member.address[1]

    @property
    def encrypted(self) -> bool:
        """Whether TLS is used."""
        return self.member.encrypted(self.spec.tls is None or self.spec.tls.mode != "Disable")

    @property
    def oauth2(self) -> OAuth2ClientCredentials | None:
        """How its token is fetched, where it has one."""
        return self.spec.credentials.oauth2_client_credentials if self.spec.credentials else None

    @property
    def binding_name(self) -> str:
        """Name of the binding Secret."""
        return binding_name(self.name)
