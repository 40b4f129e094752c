"""`kubectl integrations doctor`: each trouble is found, named, and told what to do about."""

import asyncio
import json
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from dev.pki import Authority
from integration_operator.core.model import GROUP
from integration_operator.registry import KINDS
from tests.api.cli.cluster import SYSTEM, Server, namespace, operating, secret
from tests.api.cli.test_diff import READ, connection, route
from tests.api.kube import until
from tests.unit.cli.support import Ended

ENVOY_SYSTEM = "envoy-gateway-system"


def deployment(place: str, name: str, **labels: str) -> dict[str, Any]:
    """As its controller would leave it: all replicas available."""
    env = [{"name": "INTEGRATION_OPERATOR_OUTBOUND_DENY_CLUSTER", "value": "true"}]
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name, "image": "none", "env": env}]}}
    meta = {"name": name, "namespace": place, "labels": labels}
    available = {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": pod},
        "status": {"replicas": 2, "readyReplicas": 2, "availableReplicas": 2, "conditions": [available]},
    }


@pytest.fixture
def certificate(tmp_path: Path) -> dict[str, Any]:
    """The Gateway's, for every host right below example.com."""
    crt, key = Authority(tmp_path / "pki").issue("gateway", "gateway", hosts=["*.example.com"])
    return secret(SYSTEM, "gateway-tls", **{"tls.crt": crt.read_text(), "tls.key": key.read_text()})


def installed() -> list[dict[str, Any]]:
    labels = {
        "app.kubernetes.io/name": "integration-operator",
        "app.kubernetes.io/component": "operator",
        "app.kubernetes.io/version": version("integration-operator"),
    }
    return [
        namespace(ENVOY_SYSTEM),
        deployment(SYSTEM, "integration-operator", **labels),
        deployment(ENVOY_SYSTEM, "envoy-gateway", **{"control-plane": "envoy-gateway"}),
        envoy_configuration(True),
        {
            # The API server of these tests listens on loopback, of which it tells nobody.
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "kubernetes-told",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": "kubernetes"},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["192.0.2.1"]}],
            "ports": [],
        },
        {
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "ClientTrafficPolicy",
            "metadata": {"name": "public", "namespace": SYSTEM},
            "spec": {
                "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"}],
                "headers": {"enableEnvoyHeaders": True},
            },
        },
    ]


def envoy_configuration(backend: bool) -> dict[str, Any]:
    text = json.dumps({"kind": "EnvoyGateway", "extensionApis": {"enableBackend": backend}})
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "envoy-gateway-config", "namespace": ENVOY_SYSTEM},
        "data": {"envoy-gateway.yaml": text},
    }


def lease() -> dict[str, Any]:
    renewed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "integration-operator", "namespace": SYSTEM},
        "spec": {"holderIdentity": "a-pod", "leaseDurationSeconds": 600, "renewTime": renewed},
    }


def found(ended: Ended, about: str) -> list[tuple[str, str, str]]:
    """(level, what, do) of the findings about something."""
    return [(f["level"], f["what"], f["do"]) for f in ended.json if f["what"].startswith(about)]


def examined(server: Server) -> Ended:
    return server.plugin("doctor", "-o", "json")


def test_a_cluster_with_nothing_installed_is_told_what_is_missing(bare: Server) -> None:
    ended = bare.plugin("doctor")
    assert ended.code == 1
    assert "problem operator: is not installed here" in ended.out
    assert f"problem CRD apiroutes.{GROUP}: is missing" in ended.out
    assert "problem kinds of the gateway: missing " in ended.out
    assert "problem gateway controller: no Envoy Gateway in namespace envoy-gateway-system" in ended.out
    assert "problem Gateway integration-system/public: is missing" in ended.out
    assert "        → " in ended.out


def test_a_healthy_installation_is_well_and_each_harm_is_found(server: Server, certificate: dict[str, Any]) -> None:
    server.apply(*installed(), lease(), certificate)
    well = [(f["level"], f["what"]) for f in examined(server).json if f["what"].split(":")[0] != "objects"]
    general = [(level, what) for level, what in well if not what.startswith((*(kind.name for kind in KINDS), "egress"))]
    assert {level for level, _ in general} == {"ok"}, general
    assert len([what for _, what in general if what.startswith("CRD ")]) == len(KINDS)
    assert len(general) == 9 + len(KINDS)

    server.apply(envoy_configuration(False))
    server.kubectl("-n", SYSTEM, "delete", "clienttrafficpolicy", "public")
    server.kubectl("-n", SYSTEM, "delete", "secret", "gateway-tls")
    server.kubectl("-n", SYSTEM, "delete", "lease", "integration-operator")
    crd = f"crd/apiroutes.{GROUP}"
    server.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "silent"}})
    drop = [{"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/probe"}]
    server.kubectl("patch", crd, "--type=json", "-p", json.dumps(drop))
    gone = deployment(SYSTEM, "integration-operator", **installed()[1]["metadata"]["labels"])
    gone["status"] = {"replicas": 2, "availableReplicas": 0, "readyReplicas": 0, "conditions": []}
    server.apply(gone)
    ill = examined(server)
    assert ill.code == 1
    levels = {f["what"].split(":")[0]: f["level"] for f in ill.json}
    assert levels[f"operator {SYSTEM}/integration-operator"] == "problem"
    assert levels[f"leader in {SYSTEM}"] == "problem"
    assert levels[f"CRD apiroutes.{GROUP}"] == "warning"
    assert levels[f"CRD serviceconnections.{GROUP}"] == "ok"
    assert levels["backends outside"] in ("warning", "problem")
    assert levels["probes of routes"] == "problem"
    assert levels["certificates"] == "problem"
    assert levels[f"outbound rules of {SYSTEM}/integration-operator"] == "warning"
    assert all(f["do"] for f in ill.json if f["level"] != "ok")
    server.kubectl("delete", "node", "silent")
    server.install()


def test_a_certificate_that_ends_or_does_not_cover_a_host_is_told(server: Server, tmp_path: Path) -> None:
    place = "doctor-tls"
    server.apply(namespace(place), route(place))
    authority = Authority(tmp_path / "pki")

    def with_certificate(days: float, host: str) -> list[tuple[str, str]]:
        crt, key = authority.issue(f"{days}-{host[0]}", "gateway", hosts=[host], days=days)
        server.apply(secret(SYSTEM, "gateway-tls", **{"tls.crt": crt.read_text(), "tls.key": key.read_text()}))
        return [(level, what) for level, what, _ in found(examined(server), "certificates")]

    name = f"certificates: Secret {SYSTEM}/gateway-tls of listener https"
    assert ("warning", f"{name} ends in 4 days") in with_certificate(5, "*.example.com")
    assert any(
        level == "problem" and f"{name} ended at" in what for level, what in with_certificate(-1, "*.example.com")
    )
    uncovered = f"certificates: none names {place}.example.com of ApiRoute {place}/orders"
    assert ("warning", uncovered) in with_certificate(90, "other.example.com")


async def test_objects_that_are_not_ready_and_pods_that_are_cut_off(server: Server) -> None:
    place = "doctor-egress"
    needy = connection(place)
    needy["metadata"] = {"name": "needy", "namespace": place}
    needy["spec"]["credentials"]["bearer"]["tokenRef"]["name"] = "nowhere"
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": place, "labels": {"app": name}},
            "spec": {"serviceAccountName": "none", "containers": [{"name": name, "image": "none"}]},
        }
        for name in ("checkout", "other")
    ]
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "none", "namespace": place}}
    given = secret(place, "billing", token="t")
    await asyncio.to_thread(server.apply, namespace(place), account, given, connection(place), needy, *pods)
    async with operating(server) as engine:

        def programmed() -> bool:
            return engine.quiet and "billing-egress-default" in server.kubectl(
                "-n", place, "get", "netpol", "-o", "name"
            )

        await until(lambda: asyncio.to_thread(programmed), "the egress policy is there", 60)
    ended = examined(server)
    (cut,) = found(ended, f"egress policies: in {place}")
    assert cut[:2] == ("warning", f"egress policies: in {place}, pod checkout may reach only billing and DNS")
    (not_ready,) = found(ended, f"ServiceConnection {place}/needy")
    assert not_ready == (
        "problem",
        f"ServiceConnection {place}/needy: Ready=False RefNotFound: Secret nowhere does not exist",
        f"kubectl integrations status needy -n {place}",
    )
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}
    meta = {"name": "all-out", "namespace": place}
    server.apply({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec})
    assert found(examined(server), f"egress policies: in {place}") == []


def test_without_rights_what_can_not_be_examined_is_said(server: Server) -> None:
    place = "doctor-rights"
    server.apply(namespace(place))
    ended = server.plugin("doctor", "-o", "json", kubeconfig=server.account(place, "reader", READ))
    unexamined = [f["what"] for f in ended.json if "not examined" in f["what"]]
    assert any(what.startswith("operator") for what in unexamined)
    assert any(what.startswith("egress policies") for what in unexamined)
    assert all(f["level"] != "problem" for f in ended.json if "not examined" in f["what"])
