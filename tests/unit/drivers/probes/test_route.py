"""How answers to the route probe are judged."""

import httpx
import pytest

from integration_operator.drivers.gateway import Mark, ProbeRequest
from integration_operator.drivers.probes.route import ANSWERED, judge

MARKED, BACKEND = {"x-integration-probe": "n1"}, {ANSWERED: "3"}
MARK = Mark("x-integration-probe-abc", "x-integration-probe")
PLAIN, GONE = {}, {"gone": True}
WANTS, CREDENTIAL = {"expected": (200, 404, 503)}, {"credential": True}


@pytest.mark.parametrize(
    ("request_", "status", "headers", "reason"),
    [
        (PLAIN, 200, {**MARKED, **BACKEND}, None),
        (PLAIN, 404, {**MARKED, **BACKEND}, None),
        (PLAIN, 500, {**MARKED, **BACKEND}, None),
        (PLAIN, 401, {**MARKED, **BACKEND}, None),
        (PLAIN, 200, BACKEND, "AnsweredByAnother"),
        (PLAIN, 200, {**BACKEND, "x-integration-probe": "n0"}, "AnsweredByAnother"),
        (PLAIN, 404, {}, "NotRouted"),
        (PLAIN, 503, {}, "AnsweredByAnother"),
        (PLAIN, 503, MARKED, "BackendUnavailable"),
        (PLAIN, 504, MARKED, "BackendUnavailable"),
        (PLAIN, 403, MARKED, "GatewayAnswered"),
        (PLAIN, 429, MARKED, None),
        (PLAIN, 429, {}, "AnsweredByAnother"),
        (GONE, 410, MARKED, None),
        (GONE, 410, {}, "AnsweredByAnother"),
        (GONE, 200, {**MARKED, **BACKEND}, "NotGone"),
        (WANTS, 404, {**MARKED, **BACKEND}, None),
        (WANTS, 503, MARKED, None),
        (WANTS, 502, MARKED, "BackendUnavailable"),
        (WANTS, 201, {**MARKED, **BACKEND}, "UnexpectedStatus"),
        (WANTS, 200, BACKEND, "AnsweredByAnother"),
        (CREDENTIAL, 401, {**MARKED, **BACKEND}, "CredentialRefused"),
        (CREDENTIAL, 403, {**MARKED, **BACKEND}, None),
    ],
)
def test_answers_of_the_operators_own_gateway(
    request_: dict[str, object], status: int, headers: dict[str, str], reason: str | None
) -> None:
    request = ProbeRequest("v1", "GET", "/v1", mark=MARK, **request_)  # type: ignore[arg-type]
    found = judge(True, "api.example.com", request, status, httpx.Headers(headers), "n1")
    assert (found.reason if found else None) == reason
    assert found is None or (found.ok is False and "/v1" in found.message + "/v1")


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (200, MARKED, None),
        (404, MARKED, None),
        (500, MARKED, "BackendUnavailable"),
        (500, {**MARKED, **BACKEND}, None),
        (200, {}, "AnsweredByAnother"),
    ],
)
def test_answers_of_a_gateway_that_does_not_tell_backends_from_itself(
    status: int, headers: dict[str, str], reason: str | None
) -> None:
    request = ProbeRequest("v1", "GET", "/v1", mark=MARK)
    found = judge(False, "api.example.com", request, status, httpx.Headers(headers), "n1")
    assert (found.reason if found else None) == reason
