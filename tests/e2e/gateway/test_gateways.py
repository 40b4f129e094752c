"""Another Gateway than the operator's own: its listeners, its address, its certificate."""

import json
import ssl
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx

from dev.images import ALL
from dev.pki import Authority
from tests.e2e.conftest import Client, api_route, echo

ENVOY = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "internal"}


def gateway_objects(host: str, certificate: Path, key: Path) -> list[dict[str, Any]]:
    """A Gateway with a plain-text listener beside the one with TLS, whose Secret names no CA."""
    container = {"image": ALL["envoy"].reference}
    kubernetes = {"envoyDeployment": {"container": container}, "envoyService": {"type": "NodePort"}}
    provider = {"type": "Kubernetes", "kubernetes": kubernetes}
    files = {"tls.crt": certificate, "tls.key": key}
    listeners = [
        {"name": "plain", "port": 80, "protocol": "HTTP"},
        {
            "name": "secure",
            "port": 8443,
            "protocol": "HTTPS",
            "hostname": f"*.{host}",
            "tls": {"certificateRefs": [{"name": "internal-tls"}]},
        },
    ]
    return [
        {
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "EnvoyProxy",
            "metadata": {"name": "internal"},
            "spec": {"provider": provider},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": "internal-tls"},
            "data": {name: b64encode(file.read_bytes()).decode() for name, file in files.items()},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "internal"},
            "spec": {
                "gatewayClassName": "integration-operator",
                "infrastructure": {"parametersRef": ENVOY},
                "listeners": listeners,
            },
        },
    ]


def entrance(client: Client, namespace: str) -> tuple[str, dict[int, int]]:
    """A node that has the proxy, and the node port of each port."""
    selector = f"gateway.envoyproxy.io/owning-gateway-namespace={namespace}"
    found = json.loads(client.kubectl("get", "pods,services", "-A", "-l", selector, "-o", "json"))["items"]
    address = next(o["status"]["hostIP"] for o in found if o["kind"] == "Pod")
    return address, {p["port"]: p["nodePort"] for o in found if o["kind"] == "Service" for p in o["spec"]["ports"]}


def test_a_gateway_of_a_teams_own_serves_by_its_secure_listener_only(
    client: Client, namespace: str, host: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    crt, key = authority.issue("internal", "internal", hosts=[f"*.{host}"])
    client.apply(namespace, *echo("echo"), *gateway_objects(host, crt, key))
    name = f"api.{host}"
    client.apply(namespace, api_route("orders", name, gatewayRef={"name": "internal"}))
    client.until_condition("apiroute", namespace, "orders", "True", "Serving")
    parents = client.get("httproute", namespace, "orders")["spec"]["parentRefs"]  # type: ignore[index]
    assert [p["sectionName"] for p in parents] == ["secure"]
    address, ports = entrance(client, namespace)
    trust = ssl.create_default_context(cafile=str(authority.ca))
    with httpx.Client(verify=trust, trust_env=False) as http:
        secure = http.get(
            f"https://{address}:{ports[8443]}/api/v1/", headers={"Host": name}, extensions={"sni_hostname": name}
        )
        assert secure.json()["name"] == "echo"
        assert http.get(f"http://{address}:{ports[80]}/api/v1/", headers={"Host": name}).status_code == 404
    client.apply(namespace, api_route("elsewhere", f"elsewhere-{host}", gatewayRef={"name": "internal"}))
    wildcard = api_route("wildcard", f"*.{host}", basePath="/all", gatewayRef={"name": "internal"})
    client.apply(namespace, wildcard)
    client.until_condition("apiroute", namespace, "wildcard", "True", "Serving")
    said = client.until_condition("apiroute", namespace, "elsewhere", "False", "NotAllowedByListener")
    assert f"elsewhere-{host}" in said["message"]
