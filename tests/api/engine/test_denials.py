"""What a quota or a policy denies is told apart from missing rights, and heals when they change."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from integration_operator.core.errors import DeniedByAdmission
from tests.api.conftest import Operating
from tests.api.engine.widgets import widget
from tests.api.kube import AuditedApiServer, Kube, connect, until

ADMISSION = "/apis/admissionregistration.k8s.io/v1"


@contextlib.asynccontextmanager
async def quota(kube: Kube) -> AsyncIterator[None]:
    """No room for Secrets, as the quota's controller would have told: none runs here."""
    path = f"/api/v1/namespaces/{kube.namespace}/resourcequotas"
    hard = {"count/secrets": "0"}
    await kube.post(path, {"metadata": {"name": "small"}, "spec": {"hard": hard}})
    headers = {"Content-Type": "application/merge-patch+json"}
    told = {"status": {"hard": hard, "used": hard}}
    (await kube.http.patch(f"{path}/small/status", json=told, headers=headers)).raise_for_status()
    yield
    await kube.http.delete(f"{path}/small")


@contextlib.asynccontextmanager
async def policy(kube: Kube, reason: str) -> AsyncIterator[None]:
    """No NetworkPolicy in this namespace."""
    rule = {"apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"], "resources": ["networkpolicies"]}
    where = {"matchLabels": {"kubernetes.io/metadata.name": kube.namespace}}
    matching = {"namespaceSelector": where, "resourceRules": [{**rule, "operations": ["CREATE"]}]}
    validation = {"expression": "false", "message": "ask the platform team", "reason": reason}
    spec = {"matchConstraints": matching, "validations": [validation]}
    name = f"no-{kube.namespace}"
    policies, bindings = (f"{ADMISSION}/validatingadmissionpolic{end}" for end in ("ies", "ybindings"))
    await kube.post(policies, {"metadata": {"name": name}, "spec": spec})
    bound = {"policyName": name, "validationActions": ["Deny"]}
    await kube.post(bindings, {"metadata": {"name": name}, "spec": bound})
    try:
        await until(lambda: denies(kube), "the policy is in force")
        yield
    finally:
        await kube.http.delete(f"{bindings}/{name}")
        await kube.http.delete(f"{policies}/{name}")


async def denies(kube: Kube) -> bool:
    body: dict[str, Any] = {"metadata": {"name": "trial"}, "spec": {"podSelector": {}}}
    answer = await kube.http.post(f"{kube.path('NetworkPolicy')}?dryRun=All", json=body)
    return answer.status_code in (403, 422)


async def test_a_quota_that_is_used_up_is_told_and_waited_for(kube: Kube, operator: Operating) -> None:
    async with operator():
        async with quota(kube):

            async def full() -> bool:
                trial = {"metadata": {"name": "trial"}}
                return (await kube.http.post(f"{kube.path('Secret')}?dryRun=All", json=trial)).status_code == 403

            await until(full, "the quota is in force")
            await kube.create(widget("one", hidden=True))
            found = await kube.ready("one", "False", "QuotaExceeded")
            (message,) = {c["message"] for c in found["status"]["conditions"]}
            assert "exceeded quota: small" in message
            assert message.endswith("raise the quota, or make room")
        await kube.ready("one")


@pytest.mark.parametrize("reason", ["Forbidden", "Invalid"])
async def test_what_a_policy_denies_is_told_and_tried_again(kube: Kube, operator: Operating, reason: str) -> None:
    async with operator():
        async with policy(kube, reason):
            await kube.create(widget("one", policy=True), widget("other", text="x"))
            found = await kube.ready("one", "False", "DeniedByAdmission")
            assert "ask the platform team" in str(found["status"]["conditions"])
            await kube.ready("other")
        await kube.ready("one")


async def test_what_a_pod_security_standard_denies_is_no_missing_right(server: AuditedApiServer, kube: Kube) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    headers = {"Content-Type": "application/merge-patch+json"}
    root = f"/api/v1/namespaces/{kube.namespace}"
    (await kube.http.patch(root, json={"metadata": {"labels": labels}}, headers=headers)).raise_for_status()
    await kube.post(f"{root}/serviceaccounts", {"metadata": {"name": "default"}})
    pod = {"metadata": {"name": "p"}, "spec": {"hostNetwork": True, "containers": [{"name": "c", "image": "none"}]}}
    cluster = await connect(server)

    async def denied() -> str:
        try:
            await cluster.request("POST", f"{root}/pods", body=pod, params={"dryRun": "All"})
        except DeniedByAdmission as error:
            return str(error)
        return ""

    try:
        assert "violates PodSecurity" in await until(denied, "the label has reached the admission plug-in")
    finally:
        await cluster.close()
