"""Every child of the golden cases, and every ApiRoute in them, is taken by an API server that checks each field."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from dev.crds import gateway_crds
from integration_operator.core.model import API_VERSION, MANAGER
from integration_operator.kinds.api_route import KIND
from tests.api.kube import AuditedApiServer, Kube, install

CASES = Path(__file__).parents[2] / "unit" / "kinds" / "api_route" / "cases"
OUTPUTS = sorted(path.name.removesuffix(".out.yaml") for path in CASES.glob("*.out.yaml"))


@pytest.fixture(scope="module")
def served(server: AuditedApiServer) -> Iterator[AuditedApiServer]:
    """The API server with the CRDs of Gateway API and of Envoy Gateway."""
    asyncio.run(install(server, *needed()))
    yield server


def needed() -> list[dict[str, Any]]:
    """CRDs of the children."""
    wanted = {kind for _, kind in KIND.children}
    return [d for d in gateway_crds() if d["spec"]["names"]["kind"] in wanted]


async def applied(kube: Kube, plural: str, manifest: dict[str, Any]) -> httpx.Response:
    """Server-side apply, tried only; an unknown field is an error."""
    api = manifest["apiVersion"]
    root = f"/apis/{api}" if "/" in api else f"/api/{api}"
    path = f"{root}/namespaces/{kube.namespace}/{plural}/{manifest['metadata']['name']}"
    query = {"fieldManager": MANAGER, "fieldValidation": "Strict", "dryRun": "All"}
    headers = {"Content-Type": "application/apply-patch+yaml"}
    return await kube.http.patch(path, params=query, content=yaml.safe_dump(manifest), headers=headers)


def plural(kind: str) -> str:
    return kind.lower().removesuffix("y") + "ies" if kind.endswith("Policy") else kind.lower() + "s"


@pytest.mark.parametrize("name", OUTPUTS)
async def test_children_of_a_golden_case(served: AuditedApiServer, kube: Kube, name: str) -> None:
    children = yaml.safe_load((CASES / f"{name}.out.yaml").read_text())["children"]
    for child in children if children != "kept" else ():
        answer = await applied(kube, plural(child["kind"]), child)
        assert answer.status_code < 300, f"{child['kind']} {child['metadata']['name']}: {answer.text}"


async def test_every_kind_of_child_is_in_a_golden_case() -> None:
    found = [yaml.safe_load((CASES / f"{name}.out.yaml").read_text())["children"] for name in OUTPUTS]
    assert {c["kind"] for children in found if children != "kept" for c in children} == {k for _, k in KIND.children}


async def test_a_misspelt_field_would_be_noticed(served: AuditedApiServer, kube: Kube) -> None:
    spec = {"hostnames": ["api.example.com"], "rules": [{"timeouts": {"reqest": "1s"}}]}
    route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "x"}, "spec": spec}
    answer = await applied(kube, "httproutes", route)
    assert answer.status_code >= 400
    assert "reqest: field not declared in schema" in answer.text


@pytest.mark.parametrize("name", OUTPUTS)
async def test_the_route_of_a_golden_case(kube: Kube, name: str) -> None:
    given = yaml.safe_load((CASES / f"{name}.in.yaml").read_text())["resource"]
    metadata = {"name": given["metadata"]["name"]}
    route = {"apiVersion": API_VERSION, "kind": "ApiRoute", "metadata": metadata, "spec": given["spec"]}
    answer = await applied(kube, "apiroutes", route)
    assert answer.status_code < 300, answer.text


async def test_a_name_that_no_label_can_carry_is_refused(kube: Kube) -> None:
    given = yaml.safe_load((CASES / "first.in.yaml").read_text())["resource"]["spec"]
    for length, taken in ((63, True), (64, False)):
        route = {"apiVersion": API_VERSION, "kind": "ApiRoute", "metadata": {"name": "x" * length}, "spec": given}
        answer = await applied(kube, "apiroutes", route)
        assert (answer.status_code < 300) is taken, answer.text
    assert "a name has at most 63 characters" in answer.text
