"""`kubectl integrations plan` without a cluster."""

from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.versions import ROOT
from integration_operator import registry
from tests.unit.cli.support import CASES, run

EXAMPLES = ROOT / "examples"
HEAD = "apiVersion: integration.threehorizons.io/v1alpha1\n"
ROUTE = HEAD + (
    "kind: ApiRoute\nmetadata: {name: NAME, namespace: shop}\n"
    "spec: {hostnames: [api.example.com], auth: {anonymous: true},"
    " versions: [{name: v1, backends: [{BACKEND}]}]}\n"
)


def route(name: str, backend: str = "serviceRef: {name: orders, port: 8080}") -> str:
    return ROUTE.replace("NAME", name).replace("BACKEND", backend)


@pytest.mark.parametrize("path", [EXAMPLES, *sorted(EXAMPLES.rglob("*.yaml"))], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_example_can_be_planned(path: Path) -> None:
    ended = run("plan", "-f", path, "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.json["problems"] == []
    assert all(one["children"] for one in ended.json["objects"])


def test_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    ended = run("plan", "-f", "shop.yaml")
    assert ended.code == 0
    assert ended.out == (CASES / "shop.out").read_text()


def test_the_yaml_holds_whole_children_with_placeholders_for_what_only_a_cluster_knows() -> None:
    ended = run("plan", "-f", CASES / "shop.yaml", "-o", "yaml")
    assert ended.code == 0
    children = list(yaml.safe_load_all(ended.out))
    assert len(children) == 9
    for child in children:
        meta = child["metadata"]
        assert meta["namespace"] == "shop"
        assert meta["labels"]["app.kubernetes.io/managed-by"] == "integration-operator"
        assert meta["ownerReferences"][0]["uid"] == "<uid>"
        assert meta["annotations"]["integration.threehorizons.io/applied"] == "<known once applied>"
    by_kind = {child["kind"]: child for child in children}
    assert set(by_kind["Secret"]["data"].values()) == {"<secret>"}
    assert by_kind["ConfigMap"]["data"] == {"ca.crt": "<ca.crt of Secret shop/billing-ca>"}
    (block,) = by_kind["NetworkPolicy"]["spec"]["egress"][-1]["to"]
    assert block == {"ipBlock": {"cidr": "<addresses of billing.example.net>"}}


def test_only_what_is_made_from_unknown_things_is_unknown() -> None:
    (child,) = run("plan", "-f", EXAMPLES / "first", "-o", "json").json["objects"][0]["children"]
    assert str(child).count("<known once applied>") == 1  # the digest, which the uid goes into
    (route,) = [
        child
        for one in run("plan", "-f", CASES / "shop.yaml", "-o", "json").json["objects"]
        for child in one["children"]
        if child["kind"] == "HTTPRoute" and child["metadata"]["name"] == "billing"
    ]
    assert str(route).count("<known once applied>") == 3  # and the marks of a configuration with a CA from a Secret


def test_bad_objects_are_named_with_what_to_write_and_the_good_one_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    ended = run("plan", "-f", "bad.yaml", "-o", "json")
    assert ended.code == 1
    assert ended.err == (CASES / "bad.err").read_text()
    assert [one["name"] for one in ended.json["objects"]] == ["good"]
    assert len(ended.json["problems"]) == 7


@pytest.mark.parametrize("output", ["tree", "yaml", "json"])
def test_no_secret_value_is_ever_printed(output: str) -> None:
    ended = run("plan", "-f", CASES / "shop.yaml", "-o", output)
    value = "tell-nobody-of-this"
    for text in (value, b64encode(value.encode()).decode(), b64encode(f"Bearer {value}".encode()).decode()):
        assert text not in ended.out + ended.err


def test_a_key_that_a_secret_in_the_files_lacks_is_told() -> None:
    text = (CASES / "shop.yaml").read_text().replace("stringData: {token:", "stringData: {tokem:")
    ended = run("plan", "-f", "-", stdin=text)
    assert ended.code == 1
    assert "ResolvedRefs=False RefNotFound: Secret billing has no key token, or it is empty" in ended.out
    assert "nothing is made" in ended.out


def test_yaml_goes_to_stdout_and_refusals_to_stderr() -> None:
    ended = run("plan", "-f", "-", "-o", "yaml", stdin=f"{route('first')}---\n{route('second')}")
    assert ended.code == 1
    assert [d["metadata"]["name"] for d in yaml.safe_load_all(ended.out)] == ["first"]
    assert "ApiRoute shop/second" in ended.err
    assert "api.example.com/v1 belongs to ApiRoute shop/first, which is older" in ended.err


def test_the_first_in_the_files_is_the_older_one_whatever_the_names() -> None:
    ended = run("plan", "-f", "-", "-o", "json", stdin=f"{route('zebra')}---\n{route('ant')}")
    held = {one["name"]: one["children"] is None for one in ended.json["objects"]}
    assert held == {"zebra": False, "ant": True}


def test_what_is_not_in_the_files_is_taken_for_granted_and_listed() -> None:
    ended = run("plan", "-f", "-", "-o", "json", stdin=route("orders", "connectionRef: {name: legacy}"))
    assert ended.code == 0
    assert [(one["kind"], one["namespace"], one["name"]) for one in ended.json["assumed"]] == [
        ("Gateway", "integration-system", "public"),
        ("ServiceConnection", "shop", "legacy"),
    ]
    (backend,) = [c for c in ended.json["objects"][0]["children"] if c["kind"] == "Backend"]
    (endpoint,) = backend["spec"]["endpoints"]
    assert endpoint == {"ip": {"address": "<addresses of ServiceConnection shop/legacy>", "port": 443}}


def test_a_service_in_the_files_must_have_the_port() -> None:
    service = (
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: orders, namespace: shop}\nspec: {ports: [{port: 80}]}"
    )
    assert "PortNotFound" in run("plan", "-f", "-", stdin=route("orders") + service).out
    unseen = run("plan", "-f", "-", stdin=route("orders"))
    assert unseen.code == 0
    assert "Service shop/orders: has the ports that are asked for" in unseen.out


def test_a_gateway_in_the_files_is_asked_and_not_assumed() -> None:
    gateway = (
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: public, namespace: edge}\n"
        "spec: {gatewayClassName: eg, listeners: [{name: https, protocol: HTTPS, port: 443}]}\n"
    )
    ended = run("plan", "-f", "-", "--operator-namespace", "edge", stdin=route("orders") + gateway)
    assert ended.code == 1
    assert "NotAllowedByListener" in ended.out


def test_a_namespace_is_given_to_objects_that_name_none() -> None:
    text = route("orders").replace(", namespace: shop", "")
    for arguments, namespace in (((), "default"), (("-n", "mine"), "mine")):
        ended = run("plan", "-f", "-", "-o", "json", *arguments, stdin=text)
        (child,) = ended.json["objects"][0]["children"]
        assert child["metadata"]["namespace"] == namespace


def test_directories_are_read_with_all_below_and_lists_are_taken_apart(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    items = [yaml.safe_load(route(name)) for name in ("one",)]
    (tmp_path / "deep" / "er" / "list.yml").write_text(
        yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items})
    )
    (tmp_path / "README.md").write_text("not YAML: [")
    assert [one["name"] for one in run("plan", "-f", tmp_path, "-o", "json").json["objects"]] == ["one"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing to plan in standard input: it has no ApiRoute, IdentityFederation, ServiceConnection"),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n", "nothing to plan"),
        ("a: [", "is not YAML: line 1"),
        ("a: 1\n\tb: 2", "is not YAML: line 2"),
        ("{{- if .Values.x }}", "is not YAML"),
        (route("a").replace("spec:", "spec: {}\nspec:"), "line 5: the key spec stands twice in one object"),
        (f"{route('a')}---\n{route('a')}", "stands twice, first in standard input:1"),
        (route("a").replace("name: a,", "generateName: a-,"), "metadata.name is missing"),
        ("\0", "is not YAML"),
    ],
)
def test_what_can_not_be_planned_is_said_in_a_line(text: str, says: str) -> None:
    ended = run("plan", "-f", "-", stdin=text)
    assert ended.code == 1
    assert says in ended.err
    assert "Traceback" not in ended.err


def test_a_missing_file_and_an_empty_directory_are_errors_and_do_not_stop_the_rest(tmp_path: Path) -> None:
    ended = run("plan", "-f", tmp_path / "none.yaml", "-f", tmp_path, "-f", CASES / "shop.yaml", "-o", "json")
    assert ended.code == 1
    assert "No such file or directory" in ended.err
    assert "no file ends with .json, .yaml, .yml" in ended.err
    assert len(ended.json["objects"]) == 3


def test_merge_keys_and_unquoted_times_are_read_as_kubectl_reads_them() -> None:
    text = route("a").replace(
        "versions: [{name: v1,", "versions: [{<<: {name: v0}, name: v1, sunsetAt: 2036-03-01T00:00:00Z,"
    )
    assert run("plan", "-f", "-", stdin=text).code == 0


def test_a_fault_of_a_kind_stops_only_its_object(monkeypatch: pytest.MonkeyPatch) -> None:
    api_route, _, connection = registry.KINDS

    def stumble(*_: Any) -> Any:
        raise KeyError("port")

    monkeypatch.setattr(registry, "KINDS", (api_route, replace(connection, plan=stumble)))
    text = f"{HEAD}kind: ServiceConnection\nmetadata: {{name: c}}\nspec: {{http: {{url: 'https://a.b'}}}}\n---\n{route('r')}"
    ended = run("plan", "-f", "-", "-o", "json", stdin=text)
    assert ended.code == 1
    assert "could not be planned, by a fault of the program: KeyError: 'port'" in ended.err
    assert [one["name"] for one in ended.json["objects"]] == ["r"]
