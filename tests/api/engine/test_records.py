"""What the operator tells of itself: audit lines, logs, health, metrics."""

import json
from collections import Counter
from pathlib import Path

import httpx
import structlog
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import Operating
from tests.api.engine.widgets import widget
from tests.api.kube import AuditedApiServer, Kube, until
from tests.api.process import Replica, connection
from tests.api.proxy import Proxy

KINDS = {"configmaps": "ConfigMap", "networkpolicies": "NetworkPolicy", "widgets": "Widget"}
PASSWORD = "correct-horse-battery-staple"
SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "audit.schema.json"


async def test_every_write_has_its_audit_line(kube: Kube, operator: Operating) -> None:
    with structlog.testing.capture_logs() as entries:
        async with operator() as op:
            await kube.secret("token", token=PASSWORD)
            await kube.create(
                widget("one", text="x", copies=2, policy=True, secret="token"), widget("two", external="topic")
            )
            await kube.ready("one")
            await kube.ready("two")
            await kube.spec("one", copies=1, policy=False)
            await kube.says("one-1", None)
            await kube.ready("one")
            await kube.delete("Widget", "two")

            async def gone() -> bool:
                return await kube.get("Widget", "two") is None

            await until(gone, "two is gone")
            await op.quiet()
    lines = [e for e in entries if e["event"] == "audit" and e["object"]["namespace"] == kube.namespace]
    inside = Counter((line["action"], line["target"]) for line in lines if not line["target"].startswith("memory/"))
    done = Counter()
    for verb, resource, name in kube.writes():
        if resource in ("widgets/status", "events"):
            continue
        action = {"patch": "apply", "delete": "delete"}[verb]
        if resource == "widgets":
            action = "release" if done[("hold", f"Widget/{name}")] else "hold"
        done[action, f"{KINDS[resource]}/{name}"] += 1
    assert inside == done
    outside = [(line["action"], line["target"]) for line in lines if line["target"].startswith("memory/")]
    assert outside == [("ensure", "memory/topic"), ("delete", "memory/topic")]
    assert {line["outcome"] for line in lines} == {"done"}
    assert {line["actor"] for line in lines} == {"python-httpx"}
    assert PASSWORD not in str(entries)
    uid = (await kube.get("Widget", "one") or {})["metadata"]["uid"]
    assert {line["object"]["uid"] for line in lines if line["object"]["name"] == "one"} == {uid}


async def test_what_failed_is_on_record_with_its_reason(kube: Kube, operator: Operating) -> None:
    with structlog.testing.capture_logs() as entries:
        async with operator() as op:
            op.memory.reachable = False
            await kube.create(widget("one", external="topic"))
            await until(lambda: [e for e in entries if e["event"] == "audit" and e["outcome"] == "failed"], "a line")
            op.memory.reachable = True
            await kube.ready("one")
            await kube.create(widget("two", policy=True, port=99999))
            await kube.ready("two", "False", "RefusedByCluster")
    failed = {
        (e["action"], e["target"], e["reason"]) for e in entries if e["event"] == "audit" and e["outcome"] == "failed"
    }
    assert failed == {("ensure", "memory/topic", "Unavailable"), ("apply", "NetworkPolicy/two", "RefusedByCluster")}


async def test_logs_are_json_with_one_id_a_pass_and_no_secret(server: AuditedApiServer, kube: Kube) -> None:
    schema = Draft202012Validator(json.loads(SCHEMA.read_text()))
    basic = {"usernameRef": {"name": "db", "key": "user"}, "passwordRef": {"name": "db", "key": "password"}}
    with Replica(server, kube, "solo", LOG_LEVEL="DEBUG") as replica:
        await kube.secret("db", user="admin", password=PASSWORD)
        await kube.create(
            connection(
                "db",
                credentials={"basic": basic},
                consumers=[{"podSelector": {"matchLabels": {"app": "shop"}}}],
            )
        )

        async def told() -> bool:
            ready = await kube.condition("db", kind="ServiceConnection")
            return ready.get("reason") == "AddressDenied"

        await until(told, "the connection is judged", 30)
    lines = replica.lines()
    assert PASSWORD not in replica.log.read_text()
    for line in lines:
        assert {"message", "level", "timestamp", "logger"} <= line.keys(), line
    audit = [line for line in lines if line["logger"] == "audit"]
    for line in audit:
        schema.validate(line)
        assert line["reconcile"]
    assert not [line for line in lines if line["level"] in ("error", "critical")]


async def test_health_readiness_and_metrics(kube: Kube, operator: Operating, proxy: Proxy) -> None:
    await kube.create(widget("one", text="x"))
    await proxy.cut()
    async with operator(url=proxy.url) as op, httpx.AsyncClient(base_url=op.url, trust_env=False) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).status_code == 503, "it has not seen the objects yet"
        proxy.mend()

        async def ready() -> bool:
            return (await http.get("/readyz")).status_code == 200

        await until(ready, "it is ready", 60)
        await kube.ready("one")
        text = (await http.get("/metrics")).text
        samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
        found = {(s.name, *sorted(s.labels.items())): s.value for s in samples}
        assert found["integration_leading",] == 1
        assert found["integration_queue_depth",] == 0
        assert found["integration_reconciles_total", ("kind", "Widget"), ("result", "done")] >= 1
        assert found["integration_api_writes_total", ("kind", "ConfigMap"), ("verb", "apply")] >= 1
        assert found["integration_objects", ("kind", "Widget"), ("ready", "True")] >= 1
