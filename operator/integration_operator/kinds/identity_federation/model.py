"""Spec and status of an IdentityFederation; mappings and rules as in Kubernetes' AuthenticationConfiguration."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from integration_operator.core.model import (
    PORT_IN_URL,
    AllowedNamespaces,
    Between,
    CaRef,
    Duration,
    Matching,
    Model,
    Resource,
    Rule,
    Status,
    exactly_one,
)

IssuerUrl = Annotated[
    str,
    Matching(
        rf"^https://[a-z0-9]([-a-z0-9.]*[a-z0-9])?{PORT_IN_URL}(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?$",
        "write the issuer as its tokens have it, as https://login.example.com/realms/corp: https, no query or fragment",
        limit=1024,
    ),
]
Audience = Annotated[str, Matching(r"^[!-~]+$", "write an audience without spaces, as orders", limit=256)]
Expression = Annotated[str, Field(min_length=1, max_length=4096)]
"""CEL; whether it compiles is for a check to say, since the API server can't."""
ClaimName = Annotated[str, Matching(r"^[^\x00-\x1f\x7f]+$", "write the name of a claim, as email", limit=256)]
Text = Annotated[str, Field(min_length=1, max_length=1024)]
Values = Annotated[list[Annotated[str, Field(min_length=1, max_length=1024)]], Field(max_length=256)]


class Oidc(Model):
    """An OpenID Connect provider."""

    issuer_url: IssuerUrl = Field(description="The issuer: tokens must name it exactly, discovery starts from it.")
    audiences: Annotated[
        list[Audience], Field(min_length=1, max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = Field(description="A token must be meant for one of these.")
    ca_ref: CaRef | None = Field(default=None, description="Who signs its certificate; the system's roots when absent.")
    refresh_interval: Annotated[Duration, Between("10s", "24h")] = Field(
        default="5m", description="How often discovery and keys are fetched again.", validate_default=True
    )


class PrefixedClaim(Model):
    """A claim with a prefix, or an expression."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one("claim", "expression"),
        Rule(
            "has(self.claim) == has(self.prefix)",
            'prefix goes with claim: write it, or "" for none',
            lambda m: (m.claim is None) == (m.prefix is None),
            ".prefix",
        ),
    )
    claim: ClaimName | None = Field(default=None, description="The claim whose value is taken.")
    prefix: Annotated[str, Field(max_length=256)] | None = Field(default=None, description="What is put before it.")
    expression: Expression | None = Field(default=None, description="CEL over `claims`.")


class ClaimOrExpression(Model):
    """A claim or an expression."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("claim", "expression"),)
    claim: ClaimName | None = Field(default=None, description="The claim whose value is taken.")
    expression: Expression | None = Field(default=None, description="CEL over `claims`.")


class ExtraMapping(Model):
    """A further attribute of the user."""

    key: Annotated[
        str,
        Matching(
            r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/[a-z0-9._~!$&'()*+,;=:@%-]+$",
            "write a key with its domain in lower case, as example.com/tenant",
            limit=510,
        ),
    ] = Field(description="Its key.")
    value_expression: Expression = Field(description="CEL over `claims`: a string or a list of strings.")


class ClaimMappings(Model):
    """How claims of a token become a user."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.extra) || self.extra.all(e, !e.key.matches('^([^/]*[.])?(k8s|kubernetes)[.]io/'))",
            "keys below k8s.io and kubernetes.io are reserved",
            lambda m: not any(_reserved(e.key) for e in m.extra),
            ".extra",
        ),
    )
    username: PrefixedClaim = Field(description="The user's name.")
    groups: PrefixedClaim | None = Field(default=None, description="The user's groups.")
    uid: ClaimOrExpression | None = Field(default=None, description="The user's unique id.")
    extra: Annotated[
        list[ExtraMapping],
        Field(
            max_length=32, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["key"]}
        ),
    ] = Field(default_factory=list, description="Further attributes.")


def _reserved(key: str) -> bool:
    domain = "." + key.partition("/")[0]
    return domain.endswith((".k8s.io", ".kubernetes.io"))


class ClaimValidationRule(Model):
    """What must hold for the claims of a token."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one("claim", "expression"),
        Rule(
            "has(self.claim) == has(self.requiredValue)",
            "requiredValue goes with claim, and only with it",
            lambda r: (r.claim is None) == (r.required_value is None),
            ".requiredValue",
        ),
        Rule(
            "!has(self.message) || has(self.expression)",
            "message goes with expression",
            lambda r: r.message is None or r.expression is not None,
            ".message",
        ),
    )
    claim: ClaimName | None = Field(default=None, description="A claim that must have one value.")
    required_value: Annotated[str, Field(max_length=1024)] | None = Field(default=None, description="That value.")
    expression: Expression | None = Field(default=None, description="CEL over `claims` that must be true.")
    message: Text | None = Field(default=None, description="What is said where it is not.")


class UserValidationRule(Model):
    """What must hold for the user that came out of the mappings."""

    expression: Expression = Field(description="CEL over `user` (username, groups, uid, extra) that must be true.")
    message: Text | None = Field(default=None, description="What is said where it is not.")


class User(Model):
    """What an example expects: what is left out is not compared."""

    username: Text = Field(description="The user's name.")
    groups: Values | None = Field(default=None, description="All groups, in order.")
    uid: Annotated[str, Field(max_length=1024)] | None = Field(default=None, description="The unique id.")
    extra: Annotated[dict[str, Values], Field(max_length=32)] | None = Field(
        default=None, description="All further attributes."
    )


class Example(Model):
    """A token's claims, and what must come of them: a test that lives with the rule."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("expect", "expect_error"),)
    name: Text = Field(description="What it shows.")
    claims: Annotated[
        dict[str, Any], Field(max_length=256, json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})
    ] = Field(description="Claims of a token.")
    expect: User | None = Field(default=None, description="The user that must come of it.")
    expect_error: Text | None = Field(default=None, description="A part of the refusal that must come of it.")


class ClusterSpec(Model):
    """What is made for this cluster."""

    authentication_configuration: bool = Field(
        default=False,
        description="Make a ConfigMap with the API server's AuthenticationConfiguration, ready to mount.",
    )


class IdentityFederationSpec(Model):
    """What an IdentityFederation asks for."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.claimMappings) || (!has(self.userValidationRules) && !has(self.examples))",
            "userValidationRules and examples need claimMappings",
            lambda s: s.claim_mappings is not None or not (s.user_validation_rules or s.examples),
            ".claimMappings",
            "FieldValueRequired",
        ),
        Rule(
            "has(self.claimMappings) || !has(self.cluster) || !self.cluster.authenticationConfiguration",
            "cluster.authenticationConfiguration needs claimMappings",
            lambda s: s.claim_mappings is not None or not (s.cluster and s.cluster.authentication_configuration),
            ".claimMappings",
            "FieldValueRequired",
        ),
        Rule(
            "self.oidc.issuerUrl == oldSelf.oidc.issuerUrl",
            "issuerUrl can't be changed: make another IdentityFederation",
            field_path=".oidc.issuerUrl",
            reason="FieldValueForbidden",
        ),
    )
    description: Annotated[str, Field(max_length=4096)] | None = Field(default=None, description="Whose identities.")
    oidc: Oidc = Field(description="The provider.")
    claim_mappings: ClaimMappings | None = Field(default=None, description="How claims become a user.")
    claim_validation_rules: Annotated[list[ClaimValidationRule], Field(max_length=32)] = Field(
        default_factory=list, description="What must hold for a token's claims."
    )
    user_validation_rules: Annotated[list[UserValidationRule], Field(max_length=32)] = Field(
        default_factory=list, description="What must hold for the user."
    )
    examples: Annotated[
        list[Example],
        Field(
            max_length=32, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
        ),
    ] = Field(default_factory=list, description="Claims and what must come of them; nothing is made while one fails.")
    cluster: ClusterSpec | None = Field(default=None, description="What is made for this cluster.")
    allowed_namespaces: AllowedNamespaces | None = Field(
        default=None, description="Whose objects may trust it; only this namespace's when absent."
    )


class PublicKey(Model):
    """A key of the provider."""

    kid: Annotated[str, Field(max_length=256)] | None = Field(default=None, description="Its id.")
    alg: Annotated[str, Field(max_length=32)] | None = Field(default=None, description="What it signs with.")
    kty: Annotated[str, Field(max_length=16)] = Field(description="What sort of key it is.")


class IdentityFederationStatus(Status):
    """What the operator found."""

    issuer: Annotated[str, Field(max_length=1024)] | None = Field(default=None, description="The issuer.")
    keys: Annotated[list[PublicKey], Field(max_length=64)] = Field(
        default_factory=list, description="Keys that are trusted now."
    )
    keys_digest: Annotated[str, Field(max_length=64)] | None = Field(
        default=None,
        description="SHA-256 of these keys: their ConfigMap counts only with it while the provider can't be asked.",
    )
    keys_since: Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})] | None = Field(
        default=None, description="When these keys were first fetched."
    )


class IdentityFederation(Resource[IdentityFederationSpec]):
    """An external identity provider."""

    kind: str = "IdentityFederation"

    @property
    def issuer(self) -> str:
        """The issuer, as its tokens have it."""
        return self.spec.oidc.issuer_url

    @property
    def keys_name(self) -> str:
        """Name of the ConfigMap with the keys."""
        return f"{self.name}-keys"

    @property
    def configuration_name(self) -> str:
        """Name of the ConfigMap with the AuthenticationConfiguration."""
        return f"{self.name}-authentication"

    @property
    def wants_configuration(self) -> bool:
        """Whether an AuthenticationConfiguration is asked for."""
        return self.spec.cluster is not None and self.spec.cluster.authentication_configuration
