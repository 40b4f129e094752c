"""The operator itself: its Deployment, who leads, and the CRDs."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

from integration_operator import registry
from integration_operator.cli.conditions import is_true
from integration_operator.cli.examine.finding import Finding, Patient, examination, ok, problem, warning
from integration_operator.cli.installation import Installation
from integration_operator.core.crd import crd
from integration_operator.core.errors import Forbidden
from integration_operator.core.model import MANAGER
from integration_operator.engine.children import covers

SKEW = timedelta(seconds=30)
"""By how much clocks may differ."""


@examination("operator")
async def deployments(patient: Patient) -> list[Finding]:
    """Is it installed, does it run, is it of this version?"""
    if patient.unseen:
        raise Forbidden(patient.unseen)
    if not patient.installations:
        return [
            problem("operator: is not installed here", "install it with its chart: helm install integration-operator")
        ]
    return [finding for one in patient.installations for finding in _deployment(one)]


def _deployment(one: Installation) -> Iterator[Finding]:
    wanted = one.deployment["spec"].get("replicas", 1)
    there = (one.deployment.get("status") or {}).get("availableReplicas", 0)
    name = f"operator {one.namespace}/{one.name}"
    logs = f"kubectl -n {one.namespace} describe pods -l app.kubernetes.io/name={MANAGER}, and logs deploy/{one.name}"
    if there == 0:
        yield problem(f"{name}: none of {wanted} replicas is available", logs)
    elif there < wanted:
        yield warning(f"{name}: {there} of {wanted} replicas are available", logs)
    else:
        yield ok(f"{name}: {there} of {wanted} replicas are available")
    running = (one.deployment["metadata"].get("labels") or {}).get("app.kubernetes.io/version", "")
    if running != (own := version(MANAGER)):
        yield warning(f"{name}: is version {running or 'unknown'}, this command is {own}", "use those of one version")


@examination("leader")
async def leaders(patient: Patient) -> list[Finding]:
    """Does a replica lead?"""
    found = []
    for one in patient.installations:
        name = f"leader in {one.namespace}"
        lease = await patient.cluster.get("coordination.k8s.io/v1", "Lease", one.namespace, MANAGER)
        spec: Mapping[str, Any] = (lease or {}).get("spec") or {}
        holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
        late = timedelta(seconds=spec.get("leaseDurationSeconds", 0)) + SKEW
        if not holder or not renewed:
            found.append(problem(f"{name}: none, so nothing is reconciled", "see the operator's logs"))
        elif datetime.now(UTC) - datetime.fromisoformat(renewed) > late:
            found.append(
                problem(f"{name}: {holder} has not renewed its lease since {renewed}", "see the operator's logs")
            )
        else:
            found.append(ok(f"{name}: {holder}"))
    return found


@examination("CRDs")
async def definitions(patient: Patient) -> list[Finding]:
    """Are the CRDs there, and those of this version?"""
    found = []
    for kind in registry.KINDS:
        wanted = crd(kind)
        name = wanted["metadata"]["name"]
        live = await patient.cluster.get(wanted["apiVersion"], wanted["kind"], None, name)
        upgrade = "helm upgrade the operator's chart with crds.install=true"
        if live is None:
            found.append(problem(f"CRD {name}: is missing", upgrade))
        elif not is_true(live, "Established"):
            found.append(problem(f"CRD {name}: the API server does not serve it", f"kubectl describe crd {name}"))
        elif not _same(live, wanted):
            found.append(warning(f"CRD {name}: is not that of this version", upgrade))
        else:
            found.append(ok(f"CRD {name}: is that of this version"))
    return found


def _same(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    schemas = [[v["schema"] for v in one["spec"]["versions"]] for one in (live, wanted)]
    return schemas[0] == schemas[1] and covers(live["spec"], wanted["spec"])
