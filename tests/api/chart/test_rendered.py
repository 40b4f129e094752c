"""What the chart renders, by a real Helm: rights that suffice for every kind and are no wider, and the models' CRDs."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev import build, stack
from dev.processes import run
from integration_operator.core.addresses import LINK_LOCAL, METADATA
from integration_operator.core.crd import crd
from integration_operator.core.model import GROUP
from integration_operator.registry import KINDS


def rendered(namespace: str = stack.NAMESPACE, **values: Any) -> list[dict[str, Any]]:
    return _rendered(namespace, yaml.safe_dump(values))


@cache
def _rendered(namespace: str, values: str) -> list[dict[str, Any]]:
    build.ensure("helm")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(values)
        file.flush()
        options = ("--namespace", namespace, "--kube-version", "1.37.0", "--values", file.name)
        text = run([build.BINARIES["helm"], "template", stack.RELEASE, str(stack.CHART), *options])
    return [d for d in yaml.safe_load_all(text) if d]


def rules(*kinds: str, **values: Any) -> list[dict[str, Any]]:
    found = [d for d in rendered(**values) if d["kind"] in kinds and "let-go" not in d["metadata"]["name"]]
    return [rule for d in found for rule in d["rules"]]


def granted(found: list[dict[str, Any]], group: str, resource: str) -> set[str]:
    return {v for r in found if group in r["apiGroups"] and resource in r["resources"] for v in r["verbs"]}


def plural(kind: str) -> str:
    word = kind.lower()
    return word[:-1] + "ies" if word.endswith("y") else word + "s"


@pytest.mark.parametrize("values", [{}, {"watchNamespaces": ["a"]}], ids=["cluster", "namespaced"])
def test_rights_suffice_for_every_kind_and_its_children(values: dict[str, Any]) -> None:
    found = rules("Role", "ClusterRole", **values)
    for kind in KINDS:
        assert granted(found, GROUP, kind.plural) >= {"get", "list", "watch", "patch"}
        assert granted(found, GROUP, f"{kind.plural}/status") == {"patch"}
        for api_version, child in kind.children:
            group = api_version.rpartition("/")[0]
            wanted = {"get", "list", "watch", "create", "patch", "delete"}
            assert granted(found, group, plural(child)) == wanted, f"{kind.name}: {child}"


@pytest.mark.parametrize("values", [{}, {"watchNamespaces": ["a", "b"]}], ids=["cluster", "namespaced"])
def test_no_right_is_a_wildcard(values: dict[str, Any]) -> None:
    for rule in rules("Role", "ClusterRole", **values):
        assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"]), rule


def test_a_namespaced_install_has_no_cluster_role() -> None:
    found = {d["kind"] for d in rendered(watchNamespaces=["a"])}
    assert not found & {"ClusterRole", "ClusterRoleBinding"}


@pytest.mark.parametrize("values", [{}, {"watchNamespaces": ["a"]}], ids=["cluster", "namespaced"])
def test_releases_of_one_name_in_two_namespaces_do_not_collide(values: dict[str, Any]) -> None:
    """But for what is meant for all: CRDs, and the GatewayClass, whose name is a value."""
    shared = {("CustomResourceDefinition", "", f"{kind.plural}.{GROUP}") for kind in KINDS}
    shared.add(("GatewayClass", "", "integration-operator"))
    one, other = (identities(rendered(namespace, **values)) for namespace in ("one", "other"))
    assert one & other == shared


def identities(found: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(d["kind"], d["metadata"].get("namespace", ""), d["metadata"]["name"]) for d in found}


def test_secrets_are_listed_only_where_they_may_be_watched() -> None:
    assert granted(rules("ClusterRole"), "", "secrets") == {"get", "list", "watch", "create", "patch", "delete"}
    unwatched = granted(rules("ClusterRole", secrets={"watch": False}), "", "secrets")
    assert unwatched == {"get", "create", "patch", "delete"}


@pytest.mark.parametrize("values", [{}, {"watchNamespaces": ["a"]}], ids=["cluster", "namespaced"])
def test_what_the_cluster_calls_its_own_can_be_read(values: dict[str, Any]) -> None:
    found = [d for d in rendered(**values) if d["kind"] == "Role" and d["metadata"]["namespace"] == "default"]
    (group, resource) = ("discovery.k8s.io", "endpointslices")
    assert granted([r for d in found for r in d["rules"]], group, resource) == {"list"}
    of_cluster = rules("ClusterRole", **values)
    wanted = set() if values else {"list"}  # what is cluster-wide can't be read by who serves some namespaces
    assert granted(of_cluster, "", "nodes") == granted(of_cluster, "networking.k8s.io", "servicecidrs") == wanted
    off = rules("Role", "ClusterRole", outbound={"denyCluster": False}, **values)
    assert granted(off, group, resource) == granted(off, "", "nodes") == set()


def test_crds_are_those_of_the_models_and_are_kept() -> None:
    found = {d["metadata"]["name"]: d for d in rendered() if d["kind"] == "CustomResourceDefinition"}
    assert found.keys() == {f"{k.plural}.{GROUP}" for k in KINDS}
    for kind in KINDS:
        one = found[f"{kind.plural}.{GROUP}"]
        assert one["spec"] == crd(kind)["spec"]
        assert one["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert not [d for d in rendered(crds={"install": False}) if d["kind"] == "CustomResourceDefinition"]


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_pods_go_where_the_values_say(kind: str) -> None:
    placement: dict[str, Any] = {
        "imagePullSecrets": [{"name": "registry"}],
        "nodeSelector": {"pool": "platform"},
        "tolerations": [{"key": "platform", "operator": "Exists"}],
        "priorityClassName": "system-cluster-critical",
    }
    (found,) = [d for d in rendered(**placement) if d["kind"] == kind]
    assert placement.items() <= found["spec"]["template"]["spec"].items()


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_pods_are_restricted(kind: str) -> None:
    (found,) = [d for d in rendered() if d["kind"] == kind]
    pod = found["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_it_renders_the_same_each_time() -> None:
    """Else Argo CD, which renders it again and again without a cluster, would never find it in sync."""
    first = rendered()
    _rendered.cache_clear()
    assert rendered() == first


def test_the_operator_makes_a_certificate_only_where_nobody_brings_one() -> None:
    assert local_certificate() == "integration-operator-gateway-tls"
    assert local_certificate(gateway={"tls": {"secretName": "mine"}}) is None
    assert local_certificate(gateway={"tls": {"certManager": {"issuerRef": {"name": "x"}}}}) is None
    assert local_certificate(gateway={"enabled": False}) is None


def local_certificate(**values: Any) -> str | None:
    """The Secret that the operator is told to keep."""
    (deployment,) = [d for d in rendered(**values) if d["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    found = {e["name"]: e.get("value") for e in container["env"]}
    return found.get("INTEGRATION_OPERATOR_LOCAL_CERTIFICATE")


@pytest.mark.parametrize(
    ("gateway", "policy"),
    [
        ({"serviceType": "NodePort"}, "Cluster"),
        ({"serviceType": "NodePort", "externalTrafficPolicy": "Local"}, "Local"),
        ({}, "Local"),
    ],
)
def test_a_node_port_answers_on_every_node_unless_asked_otherwise(gateway: dict[str, str], policy: str) -> None:
    (proxy,) = [d for d in rendered(gateway=gateway) if d["kind"] == "EnvoyProxy"]
    assert proxy["spec"]["provider"]["kubernetes"]["envoyService"]["externalTrafficPolicy"] == policy


def test_the_gateway_is_held_to_the_outbound_rules() -> None:
    found = rendered(outbound={"deny": ["10.1.0.0/16", "fd01::/64"], "allow": ["10.1.2.0/24"]})
    (policy,) = [d for d in found if d["kind"] == "NetworkPolicy" and d["metadata"]["name"].endswith("-egress")]
    blocks = [peer["ipBlock"] for rule in policy["spec"]["egress"] for peer in rule.get("to", ()) if "ipBlock" in peer]
    never = (*LINK_LOCAL, *METADATA)
    fours, sixes = [n for n in never if ":" not in n], [n for n in never if ":" in n]
    assert blocks == [
        {"cidr": "0.0.0.0/0", "except": [*fours, "10.1.0.0/16"]},
        {"cidr": "::/0", "except": [*sixes, "fd01::/64"]},
        {"cidr": "10.1.2.0/24"},
    ]


def test_every_switch_turns_off_what_it_names() -> None:
    off = {"enabled": False}
    found = rendered(gateway=off, networkPolicy=off, podDisruptionBudget=off, serviceAccount={"create": False})
    kinds = {d["kind"] for d in found if "helm.sh/hook" not in (d["metadata"].get("annotations") or {})}
    assert not kinds & {
        "Gateway",
        "GatewayClass",
        "EnvoyProxy",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "ServiceAccount",
    }


def test_the_schema_names_every_value() -> None:
    """A misspelt value is refused: the schema knows all of values.yaml and nothing else."""
    schema = yaml.safe_load((Path(stack.CHART) / "values.schema.json").read_text())
    values = yaml.safe_load((Path(stack.CHART) / "values.yaml").read_text())
    assert schema["additionalProperties"] is False
    assert values.keys() == schema["properties"].keys() - {"global"}
