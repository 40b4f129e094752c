"""Every rule on a real API server, and the same verdict from the model that `kubectl integrations plan` uses."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.crds.corpus import Case, cases, judged, offer
from tests.api.kube import AuditedApiServer

NAMESPACE = "corpus"
GOOD, BAD = cases("good"), cases("bad")


@pytest.fixture(scope="module")
def http(server: AuditedApiServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, verify=server.client_context(), trust_env=False) as http:
        answer = http.post("/api/v1/namespaces", json={"metadata": {"name": NAMESPACE}})
        assert answer.status_code == 201, answer.text
        yield http


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_refused_with_its_message(http: httpx.Client, case: Case) -> None:
    answer = offer(http, NAMESPACE, case)
    assert answer.status_code in (400, 422), answer.text
    assert case.message, "the first line of the file is its message"
    assert case.message in answer.json()["message"]


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_accepted(http: httpx.Client, case: Case) -> None:
    answer = offer(http, NAMESPACE, case)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("case", [c for c in BAD if len(c.documents) == 1], ids=lambda case: case.name)
def test_the_model_refuses_it_too(case: Case) -> None:
    found = judged(case.documents[-1])
    assert found
    ours = [message for message in found if case.message in message]
    assert ours or not own(case), found


def own(case: Case) -> bool:
    """Whether the message is a rule of ours, not one that every API server has."""
    general = (" in body ", "Required value", "unknown field", "Too long", "Too many", "Unsupported value")
    return not any(words in case.message for words in general)


@pytest.mark.parametrize(
    "case",
    [*GOOD, *(Case(f"{c.name}-before", "", c.documents[:1]) for c in BAD if len(c.documents) > 1)],
    ids=lambda case: case.name,
)
def test_the_model_accepts_it_too(case: Case) -> None:
    for document in case.documents:
        assert judged(document) == []


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(BAD) >= 150
    assert {case.documents[0]["kind"] for case in BAD} == {case.documents[0]["kind"] for case in GOOD}
