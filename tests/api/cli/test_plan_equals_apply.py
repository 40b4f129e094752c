"""What `kubectl integrations plan` prints without a cluster is what the operator then creates, to the letter.

What stands outside (`*.outside.test` in the examples) is on loopback here, and the identity provider is this test's:
what is compared is the plan, not the probes.
"""

import asyncio
import json
import re
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nkeys
import pytest
import yaml
from aiohttp import web

from dev.pki import Authority
from dev.versions import ROOT
from integration_operator import registry
from integration_operator.cli.preview.files import read
from integration_operator.core.model import API_VERSION, MANAGER
from integration_operator.drivers.identity import Keys
from tests.api.cli.cluster import Server, namespace, operating
from tests.api.kube import until
from tests.drivers.provider import EC, public

EXAMPLES = ROOT / "examples"
OURS = "app.kubernetes.io/managed-by=integration-operator"
TOKEN = "token-of-this-test"

Identity = tuple[str, str, str]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


@asynccontextmanager
async def identities(authority: Authority) -> AsyncIterator[int]:
    """A provider of tokens, with discovery and keys for any realm, on loopback, and its port."""

    async def issue(_: web.Request) -> web.Response:
        return web.json_response({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600})

    async def discover(request: web.Request) -> web.Response:
        issuer = f"https://{request.host}{request.path.partition('/.well-known/')[0]}"
        return web.json_response({"issuer": issuer, "jwks_uri": f"{issuer}/keys"})

    async def keys(_: web.Request) -> web.Response:
        return web.json_response({"keys": [public(EC)]})

    app = web.Application()
    app.router.add_post("/{path:.*}", issue)
    app.router.add_get("/{realm:.*}/.well-known/openid-configuration", discover)
    app.router.add_get("/{realm:.*}/keys", keys)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("identities", "localhost", hosts=["localhost"]))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "localhost", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def brought_home(target: Path, port: int) -> list[dict[str, Any]]:
    """A copy of the examples whose outside is on loopback; every object in it."""
    documents, problems = read([str(EXAMPLES)])
    assert not problems
    for number, document in enumerate(documents):
        text = json.dumps(document.manifest)
        text = re.sub(
            r"((?:tokenUrl|issuerUrl)\": \"https://)[a-z0-9.-]+\.outside\.test:\d+", rf"\g<1>localhost:{port}", text
        )
        text = re.sub(r"[a-z0-9-]+\.outside\.test", "localhost", text)
        (target / f"{number:03}.json").write_text(text)
    return [document.manifest for document in documents]


def value_of(key: str, authority: Authority) -> str:
    """Something that fits what a key of a Secret or ConfigMap is called."""
    if key == "ca.crt":
        return authority.ca.read_text()
    if key == "seed":
        return nkeys.encode_seed(b"\0" * 32, nkeys.PREFIX_BYTE_USER).decode()
    return f"value-of-{key}"


def given(assumed: list[dict[str, Any]], authority: Authority) -> list[dict[str, Any]]:
    """What the plan took for granted, made real."""
    objects = []
    for one in assumed:
        if one["keys"]:
            data = {key: value_of(key, authority) for key in one["keys"]}
            field = "stringData" if one["kind"] == "Secret" else "data"
            meta = {"name": one["name"], "namespace": one["namespace"]}
            objects.append({"apiVersion": "v1", "kind": one["kind"], "metadata": meta, field: data})
    return objects


def identity(manifest: dict[str, Any]) -> Identity:
    return manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def applied(server: Server) -> dict[Identity, dict[str, Any]]:
    """What the operator applied last of each object, as the API server recorded the request."""
    found = {}
    for event in server.written():
        by_operator = event.get("userAgent", "").split("/")[0] == MANAGER
        body = event.get("requestObject")
        if (
            by_operator
            and not event["objectRef"].get("subresource")
            and isinstance(body, dict)
            and "labels" in body.get("metadata", {})
        ):
            body["metadata"].pop("resourceVersion", None)  # a condition of the write, no part of the object
            found[identity(body)] = body
    return found


def differences(planned: Any, real: Any, authority: Authority, path: str = "") -> list[str]:
    """Where they differ otherwise than by a placeholder in a place where the plan may have one."""
    if isinstance(planned, dict) and isinstance(real, dict) and planned.keys() == real.keys():
        return [d for k in planned for d in differences(planned[k], real[k], authority, f"{path}.{k}")]
    if isinstance(planned, list) and isinstance(real, list):
        if planned == [{"ipBlock": {"cidr": "<addresses of localhost>"}}]:
            cidrs = {block["ipBlock"]["cidr"] for block in real}
            return [] if cidrs and cidrs <= {"127.0.0.1/32", "::1/128"} else [f"{path}: {cidrs}"]
        if len(planned) == len(real):
            pairs = enumerate(zip(planned, real, strict=True))
            return [d for n, (p, r) in pairs for d in differences(p, r, authority, f"{path}[{n}]")]
    if path.endswith(".authentication.yaml") and isinstance(planned, str):
        return differences(yaml.safe_load(planned), yaml.safe_load(real), authority, f"{path}.")
    if isinstance(planned, str) and re.fullmatch(r'\{"keys":\[\{"kid":"<keys of \S+>"}]}', planned):
        planned = Keys.of([{**public(EC), "use": "sig"}]).jwks
    if planned == "<addresses of localhost>" and real == "127.0.0.1":
        return []
    if planned in ("<uid>", "<known once applied>", "<secret>") and isinstance(real, str) and real:
        return []
    if isinstance(planned, str) and (entry := re.fullmatch(r"<(\S+) of (Secret|ConfigMap) \S+>", planned)):
        planned = value_of(entry[1], authority).rstrip("\n")
    return [] if planned == real else [f"{path}: planned {planned!r}, really {real!r}"]


async def test_the_plan_is_what_is_created(server: Server, tmp_path: Path, authority: Authority) -> None:
    async with identities(authority) as port:
        folder = tmp_path / "examples"
        folder.mkdir()
        documents = brought_home(folder, port)
        plan = server.plugin("plan", "-f", folder, "-o", "json", kubeconfig=tmp_path / "no-cluster")
        assert plan.code == 0, plan.out + plan.err
        objects = plan.json["objects"]
        ours = {(d["kind"], d["metadata"]["name"]) for d in documents if d["apiVersion"] == API_VERSION}
        assert {(o["kind"], o["name"]) for o in objects} == ours
        planned = {identity(child): child for one in objects for child in one["children"]}
        assert len(planned) == sum(len(one["children"]) for one in objects) > 10

        places = {o["namespace"] for o in objects}
        server.apply(*(namespace(name) for name in sorted(places)), *given(plan.json["assumed"], authority))
        async with operating(server) as engine:
            await asyncio.to_thread(server.kubectl, "apply", "-R", "-f", str(folder))
            kinds = sorted({child for kind in registry.KINDS for _, child in kind.children})

            def created() -> set[Identity]:
                found = json.loads(server.kubectl("get", ",".join(kinds), "-A", "-l", OURS, "-o", "json"))["items"]
                return {identity(item) for item in found if item["metadata"]["namespace"] in places}

            def all_there() -> bool:
                return created() >= planned.keys() and engine.quiet

            await until(lambda: asyncio.to_thread(all_there), f"children of {sorted(ours)}", 60)
            assert created() == planned.keys()
            real = applied(server)
            for one, child in sorted(planned.items()):
                assert differences(child, real[one], authority) == [], one

            tokens_seen = b64decode(real[("Secret", "finance", "billing-binding")]["data"]["token"]).decode()
            assert tokens_seen == TOKEN
            again = await asyncio.to_thread(server.plugin, "plan", "-f", folder, "--diff")
            assert (again.code, again.out) == (0, ""), again.err


@pytest.mark.parametrize(
    ("planned", "real"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": 1, "b": 1}),
        ({"a": 1, "b": 1}, {"a": 1}),
        ([1], [1, 1]),
        ({"data": "<secret>"}, {"data": ""}),
        ({"data": "<seed of Secret shop/hub>"}, {"data": "another"}),
        ("<addresses of localhost>", "127.0.0.2"),
        ([{"ipBlock": {"cidr": "<addresses of localhost>"}}], []),
        ([{"ipBlock": {"cidr": "<addresses of localhost>"}}], [{"ipBlock": {"cidr": "10.0.0.1/32"}}]),
    ],
)
def test_a_difference_is_seen(planned: Any, real: Any, authority: Authority) -> None:
    assert differences(planned, real, authority)
