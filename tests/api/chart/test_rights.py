"""The chart's rights against those that the operator uses: it works with just these, and has no others.

What it may do to children is the same for every kind of child (see test_rendered.py), so only the rest is compared.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev import stack
from dev.bench.process import OperatorProcess
from dev.processes import wait_until
from integration_operator.core.model import API_VERSION, GROUP
from integration_operator.registry import KINDS
from tests.api.chart.test_rendered import plural, rendered
from tests.api.cli.cluster import SYSTEM, Server, namespace, secret

CERTIFICATE = f"{stack.RELEASE}-gateway-tls"
CONTROLLER = "envoy-gateway-system"
ACCOUNT = f"system:serviceaccount:{SYSTEM}:{stack.RELEASE}"
CHILDREN = {(version.rpartition("/")[0], plural(kind)) for one in KINDS for version, kind in one.children}
OURS = {kind.plural for kind in KINDS}
EXTERNAL = f"{GROUP}/external"

HIDDEN = {
    ("", "gateway.networking.k8s.io", "gatewayclasses", "get"),
    ("", "networking.k8s.io", "servicecidrs", "list"),
    ("", "", "nodes", "list"),
}
"""What is cluster-wide is not for who serves some namespaces: it asks, and lives without an answer."""

Right = tuple[str, str, str, str]
"""Namespace (empty: all), group, resource, verb."""


class RecordingServer(Server):
    """Records every request of the operator's account."""

    def __init__(self) -> None:
        super().__init__()
        rules = [{"level": "Metadata", "users": [ACCOUNT]}, {"level": "None"}]
        policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": rules}
        (self.home / "audit-policy.json").write_text(json.dumps(policy))

    def token(self) -> Path:
        """A kubeconfig of the operator's account."""
        path = self.home / "operator.kubeconfig"
        token = self.kubectl("-n", SYSTEM, "create", "token", stack.RELEASE).strip()
        config = json.loads(self.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        path.write_text(json.dumps(config))
        return path

    def condition(self, place: str, name: str, status: str, reason: str) -> None:
        """Wait until a connection is Ready so, for this reason."""
        where = ("-n", place, "get", "serviceconnection", name, "-o")
        path = "jsonpath={range .status.conditions[?(@.type=='Ready')]}{.status} {.reason}{end}"
        wait_until(lambda: self.kubectl(*where, path) == f"{status} {reason}", 60, f"{name} is {status} {reason}")

    def requests(self) -> Iterator[dict[str, Any]]:
        """All that the operator asked of resources."""
        return (event for event in self.written() if event.get("objectRef"))


@pytest.fixture(scope="module")
def recording() -> Iterator[RecordingServer]:
    with RecordingServer() as server:
        server.install()
        server.apply(namespace(CONTROLLER))
        named = [{"op": "replace", "path": "/spec/listeners/0/tls/certificateRefs/0/name", "value": CERTIFICATE}]
        server.kubectl("-n", SYSTEM, "patch", "gateway", "public", "--type=json", "-p", json.dumps(named))
        yield server


def granted(roles: list[dict[str, Any]]) -> set[Right]:
    return {
        (role["metadata"].get("namespace", ""), group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in map(whose, rule["resources"])
        for verb in rule["verbs"]
    }


def whose(resource: str) -> str:
    """What is so for one of our kinds is so for all."""
    plural, slash, sub = resource.partition("/")
    return ("ours" if plural in OURS else plural) + slash + sub


def used(event: dict[str, Any]) -> Right:
    ref = event["objectRef"]
    resource = whose("/".join(filter(None, (ref["resource"], ref.get("subresource")))))
    return ref.get("namespace", ""), ref.get("apiGroup", ""), resource, event["verb"]


def covers(right: Right, use: Right) -> bool:
    return right[1:] == use[1:] and right[0] in ("", use[0])


def connection(place: str, name: str, **more: Any) -> dict[str, Any]:
    spec = {
        "nats": {"host": "nats.example.com"},
        "credentials": {"basic": {f"{part}Ref": {"name": "login", "key": part} for part in ("username", "password")}},
        "healthCheck": {"interval": "1s", "timeout": "1s"},
    }
    meta = {"name": name, "namespace": place, **more}
    return {"apiVersion": API_VERSION, "kind": "ServiceConnection", "metadata": meta, "spec": spec}


def route(place: str, name: str, **spec: Any) -> dict[str, Any]:
    backends = [{"serviceRef": {"name": "orders", "port": 80}}]
    base = {"hostnames": [f"{name}.example.com"], "auth": {"anonymous": True}}
    versions = [{"name": "v1", "backends": backends}]
    return {
        "apiVersion": API_VERSION,
        "kind": "ApiRoute",
        "metadata": {"name": name, "namespace": place},
        "spec": {**base, "versions": versions, **spec},
    }


def work(server: RecordingServer, place: str) -> None:
    """A day in the life: what each right is for."""
    service = {"metadata": {"name": "orders", "namespace": place}, "spec": {"ports": [{"port": 80}]}}
    server.apply({"apiVersion": "v1", "kind": "Service", **service})
    gateway = json.loads(server.kubectl("-n", SYSTEM, "get", "gateway", "public", "-o", "json"))
    meta = {"name": "own", "namespace": place}
    server.apply({**{k: gateway[k] for k in ("apiVersion", "kind", "spec")}, "metadata": meta})
    server.apply(route(place, "first"), route(place, "second", gatewayRef={"name": "own"}))
    server.kubectl("-n", place, "wait", "apiroute/first", "--for=condition=Accepted", "--timeout=60s")
    server.apply(connection(place, "login"))
    server.condition(place, "login", "False", "RefNotFound")
    server.apply(secret(place, "login", username="u", password="p"))
    server.condition(place, "login", "False", "DNSNotFound")
    # An object that an older operator held.
    server.apply(connection(place, "held", finalizers=[EXTERNAL]))
    server.kubectl("-n", place, "delete", "serviceconnection", "held", "--timeout=60s")
    server.kubectl("-n", place, "delete", "secret", "login")
    server.condition(place, "login", "False", "RefNotFound")
    # A child that vanishes: is its owner still there?
    children = ("-n", place, "get", "httproute", "-l", f"{GROUP}/name=first", "-o")
    (before,) = server.kubectl(*children, "jsonpath={.items[*].metadata.uid}").split()
    server.kubectl("-n", place, "delete", "httproute", "-l", f"{GROUP}/name=first")
    wait_until(
        lambda: server.kubectl(*children, "jsonpath={.items[*].metadata.uid}") not in ("", before), 60, "it is back"
    )
    wait_until(
        lambda: bool(server.kubectl("-n", SYSTEM, "get", "secret", CERTIFICATE, "--ignore-not-found")),
        60,
        "a certificate",
    )


@pytest.mark.parametrize("mode", ["cluster", "namespaced"])
def test_the_operator_uses_every_right_that_it_has_and_needs_no_other(
    recording: RecordingServer, mode: str, tmp_path: Path
) -> None:
    team, before = f"team-{mode}", len(list(recording.requests()))
    namespaces = [team] if mode == "namespaced" else []
    kinds = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    rbac = [d for d in rendered(watchNamespaces=namespaces) if d["kind"] in kinds]
    rbac = [d for d in rbac if "let-go" not in d["metadata"]["name"]]
    recording.apply(namespace(team), *rbac)
    settings = {
        "WATCH_NAMESPACES": ",".join(namespaces),
        "OUTBOUND_DENY_CLUSTER": "true",
        "LOCAL_CERTIFICATE": CERTIFICATE,
        "LOCAL_CERTIFICATE_NAMES": "*.example.com",
    }
    operator = OperatorProcess(recording.token(), tmp_path / "operator.log", settings=settings)
    operator.start()
    try:
        work(recording, team)
    finally:
        operator.stop()
        clean(recording, rbac)
    rights = granted([d for d in rbac if "rules" in d])
    requests = list(recording.requests())[before:]
    refused = {used(e) for e in requests if e["responseStatus"]["code"] == 403}
    uses = {used(event) for event in requests} - refused
    unused = {r for r in rights if r[1:3] not in CHILDREN and not any(covers(r, use) for use in uses)}
    assert unused == set()
    assert refused == (HIDDEN if namespaces else set())


def clean(server: RecordingServer, rbac: list[dict[str, Any]]) -> None:
    """Leave nothing that the next operator could live on."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": rbac})
    server.kubectl("delete", "-f", "-", stdin=text)
    server.kubectl("-n", SYSTEM, "delete", "lease,secret", "--all")
