"""The generated CRDs as kubectl and the API server take them."""

import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from dev.versions import KUBE_BIN
from integration_operator import registry
from tests.api.crds.corpus import ROOT, cases, path_of
from tests.api.kube import AuditedApiServer, generated

NAMESPACE = "kubectl"
KINDS = [kind.name for kind in registry.KINDS]


@pytest.fixture(scope="module", autouse=True)
def objects(server: AuditedApiServer) -> Iterator[None]:
    """Every good object of the corpus, created by kubectl."""
    kubectl(server, "create", "namespace", NAMESPACE)
    for case in cases("good"):
        document = yaml.safe_dump({**case.documents[0], "metadata": {"name": case.name}})
        kubectl(server, "apply", "-f", "-", stdin=document)
    yield
    for kind in KINDS:
        kubectl(server, "delete", kind, "--all")


def kubectl(server: AuditedApiServer, *arguments: str, stdin: str = "", fails: bool = False) -> str:
    command = [KUBE_BIN / "kubectl", f"--kubeconfig={server.kubeconfig}", f"--namespace={NAMESPACE}", *arguments]
    done = subprocess.run([str(c) for c in command], input=stdin, capture_output=True, text=True)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


@pytest.fixture(scope="module")
def http(server: AuditedApiServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, verify=server.client_context(), trust_env=False) as http:
        yield http


def crd_of(kind: str) -> dict[str, Any]:
    return next(crd for crd in generated() if crd["spec"]["names"]["kind"] == kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_api_server_has_nothing_against_it(http: httpx.Client, kind: str) -> None:
    """Structural, within the cost budget of rules, and accepted as it is written."""
    name = crd_of(kind)["metadata"]["name"]
    found = http.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}").json()
    conditions = {c["type"]: c["status"] for c in found["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions["NamesAccepted"] == "True"
    assert "NonStructuralSchema" not in conditions
    assert found["spec"]["versions"][0]["schema"] == crd_of(kind)["spec"]["versions"][0]["schema"], "nothing is pruned"


@pytest.mark.parametrize("kind", KINDS)
def test_kubectl_get_shows_the_columns(server: AuditedApiServer, kind: str) -> None:
    expected = [c["name"].upper() for c in crd_of(kind)["spec"]["versions"][0]["additionalPrinterColumns"]]
    header, *rows = kubectl(server, "get", kind).splitlines()
    assert header.split() == ["NAME", *expected]
    assert expected[-3:] == ["READY", "REASON", "AGE"]
    assert all(row.split()[-3:-1] == ["Unknown", "Pending"] for row in rows), "nobody has looked at them yet"
    assert len(rows) == sum(case.documents[0]["kind"] == kind for case in cases("good"))


@pytest.mark.parametrize("name", [name for kind in registry.KINDS for name in kind.short_names])
def test_short_names(server: AuditedApiServer, name: str) -> None:
    assert kubectl(server, "get", name, "-o", "name")


def test_the_category_lists_every_kind(server: AuditedApiServer) -> None:
    found = kubectl(server, "get", "integrations", "-o", "name").splitlines()
    assert {line.partition(".")[0] for line in found} == {kind.lower() for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_kubectl_explain_describes_every_field(server: AuditedApiServer, kind: str) -> None:
    told = kubectl(server, "explain", kind, "--recursive")
    properties = crd_of(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    for name in properties:
        assert f"  {name}\t" in told
        assert "DESCRIPTION" in kubectl(server, "explain", f"{kind}.spec.{name}")
        assert "<empty>" not in kubectl(server, "explain", f"{kind}.spec.{name}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_object_is_not_taken_for_done(http: httpx.Client, kind: str) -> None:
    """kstatus: who reads an absent status takes it for success."""
    case = next(c for c in cases("good") if c.documents[0]["kind"] == kind)
    path = f"{path_of(case.documents[0], NAMESPACE)}/{case.name}"
    (ready,) = http.get(path).json()["status"]["conditions"]
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "Unknown", "Pending")


@pytest.mark.parametrize("kind", KINDS)
def test_status_is_a_subresource(http: httpx.Client, kind: str) -> None:
    case = next(c for c in cases("good") if c.documents[0]["kind"] == kind)
    path = f"{path_of(case.documents[0], NAMESPACE)}/{case.name}"
    patch = {"status": {"observedGeneration": 7}, "spec": {"description": "changed"}}
    headers = {"Content-Type": "application/merge-patch+json"}
    through_spec = http.patch(path, json=patch, headers=headers, params={"dryRun": "All"}).json()
    assert "observedGeneration" not in through_spec["status"]
    assert through_spec["metadata"]["generation"] == 2
    through_status = http.patch(f"{path}/status", json=patch, headers=headers, params={"dryRun": "All"}).json()
    assert through_status["status"]["observedGeneration"] == 7
    assert through_status["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("kind", "selector"), [(k.name, path.lstrip(".")) for k in registry.KINDS for path in k.selectable_fields]
)
def test_selectable_fields(server: AuditedApiServer, kind: str, selector: str) -> None:
    every = kubectl(server, "get", kind, "-o", f"jsonpath={{.items[*].{selector}}}").split()
    value = every[0]
    found = kubectl(server, "get", kind, f"--field-selector={selector}={value}", "-o", "name").split()
    assert len(found) == every.count(value)


def test_kubectl_refuses_unknown_fields_by_itself(server: AuditedApiServer) -> None:
    text = (ROOT / "bad" / "serviceconnection-inline-password.yaml").read_text()
    assert "unknown field" in kubectl(server, "create", "-f", "-", stdin=text, fails=True)
