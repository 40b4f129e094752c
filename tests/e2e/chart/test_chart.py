"""The chart's life with a real Helm, on a cluster of its own. The tests go in this order."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev import addons, clusters, stack
from dev.processes import Failed
from integration_operator.core.model import GROUP
from tests.e2e.conftest import API, Client, api_route, echo

ACCOUNT = f"system:serviceaccount:{stack.NAMESPACE}:{stack.RELEASE}"
CRD = f"apiroutes.{GROUP}"


@pytest.fixture(scope="module")
def own() -> Iterator[Client]:
    """A cluster with Envoy Gateway, and two teams in it, each with a backend and a route."""
    if isinstance(clusters.choose("chart"), clusters.Current):
        pytest.skip("the current cluster is not ours to install into again and again")
    client = Client(clusters.choose("chart"))
    try:
        client.cluster.up()
        addons.install(client.cluster)
        client.cluster.load(["integration-operator", "echo"])
        for team in ("team-a", "team-b"):
            client.kubectl("create", "namespace", team)
            client.apply(team, *echo("echo"))
        client.kubectl("create", "namespace", stack.NAMESPACE)
        restricted = "pod-security.kubernetes.io/enforce=restricted"
        client.kubectl("label", "namespace", stack.NAMESPACE, restricted)
        yield client
    finally:
        client.cluster.down()


def helm(client: Client, *arguments: str, chart: Path = stack.CHART, **values: Any) -> None:
    text = yaml.safe_dump({**stack.values(client.cluster), **values})
    file = client.kubeconfig.parent / "values.yaml"
    file.write_text(text)
    upgrade = ("upgrade", "--install", stack.RELEASE, str(chart), "--namespace", stack.NAMESPACE)
    addons.helm(client.cluster, *upgrade, "--values", str(file), "--wait", "--timeout", "180s", *arguments)


def may(client: Client, *what: str) -> bool:
    try:
        return client.kubectl("auth", "can-i", f"--as={ACCOUNT}", *what).strip() == "yes"
    except Failed as error:
        assert str(error).endswith("no"), error
        return False


def older(tmp_path: Path) -> Path:
    """The chart as an earlier version: its CRD lacks a column, as an older one would."""
    chart = tmp_path / "chart"
    shutil.copytree(stack.CHART, chart)
    file = chart / "templates" / "crds" / f"{CRD}.yaml"
    text = file.read_text()
    column = text[text.index("    - name: Auth\n") : text.index("    - name: Ready\n")]
    file.write_text(text.replace(column, ""))
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump({**about, "version": "0.0.1"}))
    return chart


def test_a_namespaced_install_serves_its_namespaces_and_sees_no_others(own: Client, tmp_path: Path) -> None:
    helm(own, chart=older(tmp_path), watchNamespaces=["team-a"])
    own.kubectl("-n", stack.NAMESPACE, "wait", "gateway/public", "--for=condition=Programmed", "--timeout=120s")
    for team in ("team-a", "team-b"):
        own.apply(team, api_route("route", f"{team}.example.com"))
    own.until_condition("apiroute", "team-a", "route", "True", "Serving", seconds=150)
    untouched = own.get("apiroute", "team-b", "route") or {}
    assert untouched["status"]["conditions"][0]["reason"] == "Pending"
    assert may(own, "get", "secrets", "-n", "team-a")
    for where in (("-n", "team-b"), ("-A",)):
        assert not may(own, "list", "secrets", *where)
        assert not may(own, "list", "apiroutes", *where)
    assert not may(own, "get", "secrets/other", "-n", stack.NAMESPACE)


def test_an_upgrade_brings_new_crds_and_widens_to_the_whole_cluster(own: Client) -> None:
    columns = ("get", "crd", CRD, "-o", "jsonpath={.spec.versions[0].additionalPrinterColumns[*].name}")
    assert "Auth" not in own.kubectl(*columns).split()
    helm(own)
    assert "Auth" in own.kubectl(*columns).split()
    own.until_condition("apiroute", "team-b", "route", "True", "Serving", seconds=150)
    own.until_condition("apiroute", "team-a", "route", "True", "Serving")


def test_the_operator_runs_as_two_restricted_replicas_and_one_leads(own: Client) -> None:
    available = ("get", "deployment", stack.RELEASE, "-o", "jsonpath={.status.availableReplicas}")
    assert own.kubectl("-n", stack.NAMESPACE, *available) == "2"
    lease = ("get", "lease", stack.RELEASE, "-o", "jsonpath={.spec.holderIdentity}")
    holder = own.kubectl("-n", stack.NAMESPACE, *lease)
    pods = own.kubectl("-n", stack.NAMESPACE, "get", "pods", "-o", "name")
    assert f"pod/{holder}" in pods.split()


def test_a_leader_that_is_killed_is_followed_by_the_other(own: Client) -> None:
    lease = ("get", "lease", stack.RELEASE, "-o", "jsonpath={.spec.holderIdentity}")
    before = own.kubectl("-n", stack.NAMESPACE, *lease)
    own.kubectl("-n", stack.NAMESPACE, "delete", "pod", before, "--grace-period=0", "--force")
    own.until("another leads", lambda: own.kubectl("-n", stack.NAMESPACE, *lease) not in ("", before))
    own.apply("team-a", api_route("second", "second.example.com"))
    own.until_condition("apiroute", "team-a", "second", "True", "Serving")


def test_values_that_are_no_values_are_refused_by_the_schema(own: Client) -> None:
    with pytest.raises(Failed, match="replicas"):
        helm(own, "--dry-run", replicas="many")
    with pytest.raises(Failed, match="watchNamespace"):
        helm(own, "--dry-run", watchNamespace=["typo"])


def test_an_uninstall_keeps_objects_and_blocks_none_of_them(own: Client) -> None:
    finalizer = '{"metadata": {"finalizers": ["%s/external"]}}' % GROUP  # noqa: UP031 - braces
    own.kubectl("-n", "team-a", "patch", "apiroute", "route", "--type=merge", "-p", finalizer)
    addons.helm(own.cluster, "uninstall", stack.RELEASE, "--namespace", stack.NAMESPACE, "--wait", "--timeout", "180s")
    kept = own.get("apiroute", "team-a", "route") or {}
    assert kept["apiVersion"] == API
    assert not kept["metadata"].get("finalizers")
    secrets = ("-n", stack.NAMESPACE, "get", "secrets", "-o", "name")
    own.until("the local certificate went with its Gateway", lambda: "gateway-tls" not in own.kubectl(*secrets))
    own.kubectl("delete", "namespace", "team-a", "team-b", "--timeout=90s")
    left = own.kubectl("get", "clusterrole,clusterrolebinding,gatewayclass", "-o", "name", "--ignore-not-found")
    assert stack.RELEASE not in left
