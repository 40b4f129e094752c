"""The API server's AuthenticationConfiguration (apiserver.config.k8s.io/v1), out of a federation."""

import json
from typing import Any

import yaml

from integration_operator.kinds.identity_federation.model import IdentityFederation


class _Readable(yaml.SafeDumper):
    """Writes a text of several lines, as a certificate, as such."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Readable.add_representer(str, _text)


def authentication(federation: IdentityFederation, ca: str | None) -> str:
    """YAML for `--authentication-config`."""
    oidc = federation.spec.oidc
    issuer: dict[str, Any] = {"url": federation.issuer, "audiences": list(oidc.audiences)}
    if len(oidc.audiences) > 1:
        issuer["audienceMatchPolicy"] = "MatchAny"
    if ca:
        issuer["certificateAuthority"] = ca
    configuration = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [{"issuer": issuer, **_mapped(federation)}],
    }
    return yaml.dump(configuration, Dumper=_Readable, sort_keys=False)


def claims_request(federation: IdentityFederation) -> str:
    """What the worker `claims` is asked: mappings, rules and examples, as canonical JSON."""
    mapped = _mapped(federation)
    request = {
        "claimMappings": mapped["claimMappings"],
        "claimValidationRules": mapped.get("claimValidationRules", []),
        "userValidationRules": mapped.get("userValidationRules", []),
        "examples": [_plain(e) for e in federation.spec.examples],
    }
    return json.dumps(request, sort_keys=True)


def _mapped(federation: IdentityFederation) -> dict[str, Any]:
    spec = federation.spec
    # Without mappings only the rules are judged: for that any name will do.
    mappings = _plain(spec.claim_mappings) if spec.claim_mappings else {"username": {"claim": "sub", "prefix": ""}}
    rules = {
        "claimValidationRules": [_plain(r) for r in spec.claim_validation_rules],
        "userValidationRules": [_plain(r) for r in spec.user_validation_rules],
    }
    return {"claimMappings": mappings, **{name: listed for name, listed in rules.items() if listed}}


def _plain(part: Any) -> dict[str, Any]:
    return dict(part.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True))
