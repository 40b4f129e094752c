"""The AuthenticationConfiguration, given to a real API server: a real token is there who the operator says it is."""

import json
import ssl
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from dev.apiserver import ApiServer
from dev.systems.keycloak import Keycloak
from integration_operator.core.model import API_VERSION
from integration_operator.drivers.identity import Claims
from integration_operator.drivers.probes.claims import ClaimsProbe
from integration_operator.kinds.identity_federation.configuration import authentication, claims_request
from integration_operator.kinds.identity_federation.model import IdentityFederation
from tests.drivers.targets import RULES

CLIENT, OTHER = "kubectl", "portal"
PASSWORD = "right"
USERS = {
    "developer": {"email": "dev@example.com", "emailVerified": True},
    "unverified": {"email": "new@example.com", "emailVerified": False},
    "intruder": {"email": "system@example.com", "emailVerified": True},
}
MAPPINGS = {
    "username": {"expression": "claims.preferred_username == 'intruder' ? 'system:admin' : claims.email"},
    "groups": {"expression": "claims.realm_access.roles.filter(r, r.startsWith('team-')).map(r, 'corp:' + r)"},
    "uid": {"claim": "sub"},
    "extra": [{"key": "example.com/client", "valueExpression": "claims.azp"}],
}
RULES_OF_CLAIMS = [{"expression": "claims.email_verified == true", "message": "the e-mail address must be verified"}]
RULES_OF_USERS = [{"expression": "!user.username.startsWith('system:')", "message": "reserved prefix"}]


@pytest.fixture(scope="module")
def realm(keycloak: Keycloak) -> Keycloak:
    """Keycloak with a public client for people, three of them, and a role."""
    for client in (CLIENT, OTHER):
        mapper = {
            "name": "audience",
            "protocol": "openid-connect",
            "protocolMapper": "oidc-audience-mapper",
            "config": {"included.custom.audience": client, "access.token.claim": "true"},
        }
        described = {"clientId": client, "publicClient": True, "directAccessGrantsEnabled": True}
        keycloak.admin("POST", "/clients", {**described, "protocolMappers": [mapper]})
    keycloak.admin("POST", "/roles", {"name": "team-checkout"})
    role = keycloak.admin("GET", "/roles/team-checkout")
    for name, fields in USERS.items():
        person = {"username": name, "enabled": True, "firstName": name, "lastName": name, **fields}
        secret = {"type": "password", "value": PASSWORD, "temporary": False}
        keycloak.admin("POST", "/users", {**person, "credentials": [secret]})
        (found,) = keycloak.admin("GET", f"/users?username={name}&exact=true")
        keycloak.admin("POST", f"/users/{found['id']}/role-mappings/realm", [role])
    return keycloak


def token(realm: Keycloak, user: str, client: str = CLIENT) -> str:
    form = {
        "grant_type": "password",
        "client_id": client,
        "username": user,
        "password": PASSWORD,
        "scope": "openid email",
    }
    trust = ssl.create_default_context(cafile=str(realm.authority.ca))
    with httpx.Client(verify=trust, trust_env=False, timeout=30) as http:
        return str(http.post(realm.token_url, data=form).raise_for_status().json()["access_token"])


def claims(encoded: str) -> dict[str, Any]:
    middle = encoded.split(".")[1]
    return dict(json.loads(urlsafe_b64decode(middle + "=" * (-len(middle) % 4))))


def federation(realm: Keycloak, *examples: dict[str, Any]) -> IdentityFederation:
    spec = {
        "oidc": {"issuerUrl": realm.issuer, "audiences": [CLIENT, "another"]},
        "claimMappings": MAPPINGS,
        "claimValidationRules": RULES_OF_CLAIMS,
        "userValidationRules": RULES_OF_USERS,
        "examples": list(examples),
        "cluster": {"authenticationConfiguration": True},
    }
    metadata = {"name": "corporate", "namespace": "x", "uid": "u", "generation": 1}
    whole = {"apiVersion": API_VERSION, "kind": "IdentityFederation", "metadata": metadata, "spec": spec}
    return IdentityFederation.model_validate(whole)


@pytest.fixture(scope="module")
def server(realm: Keycloak, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server that has the configuration which the operator would put into the ConfigMap."""
    file: Path = tmp_path_factory.mktemp("authentication") / "authentication.yaml"
    file.write_text(authentication(federation(realm), realm.authority.ca.read_text()))
    with ApiServer(f"--authentication-config={file}") as server:
        yield server


def who(server: ApiServer, bearer: str) -> dict[str, Any] | None:
    """Who the API server takes the bearer for, None where it refuses the token."""
    cluster = yaml.safe_load(server.kubeconfig.read_text())["clusters"][0]["cluster"]
    trust = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    with httpx.Client(base_url=server.url, verify=trust, trust_env=False, timeout=30) as http:
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        answer = http.post(path, json=review, headers={"Authorization": f"Bearer {bearer}"})
    return None if answer.status_code == 401 else dict(answer.raise_for_status().json()["status"]["userInfo"])


async def computed(realm: Keycloak, bearer: str) -> dict[str, Any]:
    """Who the operator takes the claims of a token for."""
    example = {"name": "it", "claims": claims(bearer), "expectError": "nobody compares this"}
    asked = Claims(claims_request(federation(realm, example)))
    answer = await ClaimsProbe(RULES).judge(asked, timedelta(seconds=30))
    assert answer is not None
    return dict(answer["users"][0])


async def test_a_token_is_the_same_user_with_the_same_groups(server: ApiServer, realm: Keycloak) -> None:
    bearer = token(realm, "developer")
    found, ours = who(server, bearer), await computed(realm, bearer)
    assert found is not None
    assert ours == {
        "username": "dev@example.com",
        "groups": ["corp:team-checkout"],
        "uid": claims(bearer)["sub"],
        "extra": {"example.com/client": [CLIENT]},
    }
    assert (found["username"], found["uid"]) == (ours["username"], ours["uid"])
    assert set(found["groups"]) == {*ours["groups"], "system:authenticated"}
    assert found["extra"].items() >= ours["extra"].items()


@pytest.mark.parametrize(("user", "error"), [("unverified", "must be verified"), ("intruder", "reserved prefix")])
async def test_a_token_that_the_rules_refuse_is_refused_by_both(
    server: ApiServer, realm: Keycloak, user: str, error: str
) -> None:
    bearer = token(realm, user)
    assert who(server, bearer) is None
    assert error in (await computed(realm, bearer))["error"]


def test_a_token_for_another_audience_is_refused(server: ApiServer, realm: Keycloak) -> None:
    assert who(server, token(realm, "developer", OTHER)) is None
