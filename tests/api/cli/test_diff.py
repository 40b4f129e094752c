"""`kubectl integrations plan --diff`: what would change in a cluster. Nothing is ever written."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from integration_operator.core.model import API_VERSION
from tests.api.cli.cluster import Server, namespace, operating, secret
from tests.api.kube import until

READ = ("get,list", "integration.threehorizons.io,gateway.networking.k8s.io,gateway.envoyproxy.io", "*")
READ_CORE = (
    "get,list",
    ",apps,networking.k8s.io",
    "services,configmaps,secrets,namespaces,deployments,networkpolicies",
)


def service(place: str) -> dict[str, Any]:
    spec = {"selector": {"app": "orders"}, "ports": [{"port": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "orders", "namespace": place}, "spec": spec}


def route(place: str, **traffic: Any) -> dict[str, Any]:
    versions = [{"name": "v1", "backends": [{"serviceRef": {"name": "orders", "port": 8080}}]}]
    return {
        "apiVersion": API_VERSION,
        "kind": "ApiRoute",
        "metadata": {"name": "orders", "namespace": place},
        "spec": {
            "hostnames": [f"{place}.example.com"],
            "auth": {"anonymous": True},
            "versions": versions,
            "traffic": traffic,
        },
    }


def connection(place: str) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "ServiceConnection",
        "metadata": {"name": "billing", "namespace": place},
        "spec": {
            "http": {"url": "https://localhost:9"},
            "credentials": {"bearer": {"tokenRef": {"name": "billing", "key": "token"}}},
            "consumers": [{"podSelector": {"matchLabels": {"app": "checkout"}}}],
        },
    }


def diff(server: Server, *manifests: dict[str, Any], kubeconfig: Path | None = None, output: str = "json") -> Any:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
    return server.plugin("plan", "-f", "-", "--diff", "-o", output, stdin=text, kubeconfig=kubeconfig)


def summary(ended: Any) -> set[tuple[str, str]]:
    return {(change["action"], change["kind"]) for change in ended.json["changes"]}


async def reconciled(server: Server, place: str, *manifests: dict[str, Any]) -> None:
    """Let the operator make it so, and stop."""
    await asyncio.to_thread(server.apply, namespace(place), *manifests)
    async with operating(server) as engine:

        def same() -> bool:
            ours = [m for m in manifests if m["apiVersion"] == API_VERSION]
            return engine.quiet and diff(server, *ours).code == 0

        await until(lambda: asyncio.to_thread(same), "the cluster is as planned", 60)


async def test_a_change_in_a_file_shows_as_the_change_of_its_children(server: Server) -> None:
    place = "diff-files"
    before = route(place, timeout="5s", rateLimit={"limit": 10, "period": "1s"})
    new = diff(server, service(place), before)
    assert new.code == 1
    assert summary(new) == {("create", "HTTPRoute"), ("create", "BackendTrafficPolicy")}
    await reconciled(server, place, service(place), before)

    changed = diff(server, route(place, timeout="7s"))
    assert changed.code == 1
    assert summary(changed) == {("update", "HTTPRoute"), ("delete", "BackendTrafficPolicy")}
    (update,) = [c for c in changed.json["changes"] if c["action"] == "update"]
    assert "\n-      request: 5s\n+      request: 7s\n" in update["diff"]
    assert diff(server, before, output="tree").out == ""


async def test_a_child_that_was_changed_by_hand_shows(server: Server) -> None:
    place = "diff-drift"
    await reconciled(server, place, service(place), route(place))
    patch = json.dumps({"spec": {"hostnames": ["elsewhere.example.com"]}})
    server.kubectl("-n", place, "patch", "httproute", "orders", "--type=merge", "-p", patch)
    ended = diff(server, route(place), output="tree")
    assert ended.code == 1
    assert "-  - elsewhere.example.com\n+  - diff-drift.example.com" in ended.out
    found = json.loads(server.kubectl("-n", place, "get", "httproute", "orders", "-o", "json"))
    assert found["spec"]["hostnames"] == ["elsewhere.example.com"]


async def test_secret_values_and_addresses_do_not_differ_and_are_not_shown(server: Server) -> None:
    place, value = "diff-secret", "tell-nobody-of-this"
    await reconciled(server, place, secret(place, "billing", token=value), connection(place))
    fewer = connection(place)
    del fewer["spec"]["credentials"]
    ended = diff(server, fewer)
    assert summary(ended) == {("update", "Secret")}
    assert "-  header-value: <secret>" in ended.json["changes"][0]["diff"]
    encoded = server.kubectl("-n", place, "get", "secret", "billing-binding", "-o", "jsonpath={.data.token}")
    assert value not in ended.out
    assert encoded not in ended.out


async def test_what_the_cluster_has_is_not_assumed(server: Server) -> None:
    place = "diff-known"
    server.apply(namespace(place))
    missing = diff(server, route(place), output="tree")
    assert missing.code == 2
    assert "ServiceNotFound: version v1: Service orders does not exist" in missing.err
    server.apply(service(place), {**route(place), "metadata": {"name": "older", "namespace": place}})
    taken = diff(server, route(place), output="tree")
    assert taken.code == 2
    assert f"belongs to ApiRoute {place}/older, which is older" in taken.err


async def test_without_the_right_to_patch_it_compares_what_it_can_read_and_says_so(server: Server) -> None:
    place = "diff-reader"
    await reconciled(server, place, service(place), route(place, timeout="5s"))
    reader = server.account(place, "reader", READ, READ_CORE)
    same = diff(server, route(place, timeout="5s"), kubeconfig=reader)
    assert (same.code, summary(same)) == (0, set())
    assert "without the right to patch or list HTTPRoute" in same.err
    changed = diff(server, route(place, timeout="7s"), kubeconfig=reader)
    assert (changed.code, summary(changed)) == (1, {("update", "HTTPRoute")})
    nobody = diff(server, route(place), kubeconfig=server.account(place, "nobody"))
    assert nobody.code == 2
    assert "your rights in the cluster do not suffice" in nobody.err


def test_a_name_that_is_taken_and_a_refusal_are_errors(server: Server) -> None:
    place = "diff-taken"
    server.apply(
        namespace(place),
        service(place),
        secret(place, "billing-binding", mine="1"),
        secret(place, "billing", token="t"),
    )
    taken = diff(server, connection(place))
    assert taken.code == 2
    assert f"Secret {place}/billing-binding: exists and belongs to somebody else" in taken.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--context", "none"), "no way to the cluster"),
        (("--kubeconfig", "/nonexistent"), "no kubeconfig at /nonexistent"),
        (("-o", "yaml"), "--diff prints a diff"),
    ],
)
def test_what_stands_in_the_way_is_one_line(server: Server, arguments: tuple[str, ...], says: str) -> None:
    ended = server.plugin("plan", "-f", "examples/first", "--diff", *arguments)
    assert ended.code == 2
    assert says in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_cluster_that_does_not_answer_is_named(server: Server, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(server.kubeconfig.read_text().replace(server.url, "https://127.0.0.1:1"))
    ended = server.plugin("plan", "-f", "examples/first", "--diff", kubeconfig=config)
    assert ended.code == 2
    assert "the API server did not answer" in ended.err
    assert "https://127.0.0.1:1" in ended.err
