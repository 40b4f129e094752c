"""What the API server's answers mean."""

import json

import pytest

from integration_operator.engine.cluster import _error

RIGHTS = 'secrets is forbidden: User "system:serviceaccount:a:b" cannot create resource "secrets" in API group ""'
QUOTA = 'secrets "x" is forbidden: exceeded quota: small, requested: count/secrets=1, used: 5, limited: 5'
POLICY = "configmaps \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"
SECURITY = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged'
WEBHOOK = 'admission webhook "check.example.com" denied the request: not like this'


@pytest.mark.parametrize(
    ("code", "message", "reason", "again"),
    [
        (403, RIGHTS, "Forbidden", True),
        (403, "", "Forbidden", True),
        (403, QUOTA, "QuotaExceeded", True),
        (403, POLICY, "DeniedByAdmission", True),
        (422, POLICY, "DeniedByAdmission", True),
        (403, SECURITY, "DeniedByAdmission", True),
        (403, WEBHOOK, "DeniedByAdmission", True),
        (400, WEBHOOK, "DeniedByAdmission", True),
        (422, 'ConfigMap "x" is invalid', "RefusedByCluster", False),
        (404, "not found", "NotFound", True),
        (409, "the object has been modified", "Conflict", True),
        (429, "slow down", "Unavailable", True),
        (500, 'failed calling webhook "check.example.com"', "Unavailable", True),
    ],
)
def test_each_answer_has_its_reason(code: int, message: str, reason: str, again: bool) -> None:
    error = _error(code, json.dumps({"message": message}).encode(), None)
    assert (error.reason, error.retry) == (reason, again)
    assert message in str(error)


@pytest.mark.parametrize("payload", [b"", b"<html>", b"[]", b'"text"', b"\xff"])
def test_an_answer_of_somebody_in_between_is_no_news_of_the_api_server(payload: bytes) -> None:
    assert _error(403, payload, None).reason == "Forbidden"
    assert _error(503, payload, "7").retry_after == 7
