"""The gateway: its kinds, its controller, and the operator's own Gateway."""

from collections.abc import Mapping
from typing import Any

import yaml

from integration_operator import registry
from integration_operator.cli.conditions import bad, is_true
from integration_operator.cli.examine.finding import Finding, Patient, examination, ok, problem, warning
from integration_operator.cli.listing import listed
from integration_operator.core.model import API_VERSION
from integration_operator.engine.cluster import NotFound

GATEWAY_API = "gateway.networking.k8s.io/v1"
ENVOY_API = "gateway.envoyproxy.io/v1alpha1"
CONFIGURATION = ("envoy-gateway-config", "envoy-gateway.yaml")
ENABLE = "helm upgrade Envoy Gateway with --set config.envoyGateway.extensionApis.enableBackend=true"


@examination("kinds of the gateway")
async def kinds(patient: Patient) -> list[Finding]:
    """Does the cluster serve every kind that is made?"""
    wanted = {child for kind in registry.KINDS for child in kind.children if "." in child[0]}
    wanted |= {(GATEWAY_API, "Gateway"), (GATEWAY_API, "GatewayClass"), (ENVOY_API, "ClientTrafficPolicy")}
    missing = []
    for api_version, kind in sorted(wanted):
        try:
            await patient.cluster.path(api_version, kind)
        except NotFound:
            missing.append(f"{kind} ({api_version})")
    if missing:
        return [problem(f"kinds of the gateway: missing {', '.join(missing)}", "install Envoy Gateway with its CRDs")]
    return [ok("kinds of the gateway: all that are made are served")]


@examination("gateway controller")
async def controller(patient: Patient) -> list[Finding]:
    """Does Envoy Gateway run, and may it have backends outside?"""
    place = patient.environment.gateway_controller_namespace
    found = await listed(patient.cluster, "apps/v1", "Deployment", place, "control-plane=envoy-gateway")
    if not found:
        return [problem(f"gateway controller: no Envoy Gateway in namespace {place}", "install Envoy Gateway there")]
    name = f"gateway controller {place}/{found[0]['metadata']['name']}"
    if not is_true(found[0], "Available"):
        return [
            problem(f"{name}: is not available", f"kubectl -n {place} describe deploy {found[0]['metadata']['name']}")
        ]
    return [ok(f"{name}: is available")]


@examination("backends outside")
async def backends(patient: Patient) -> list[Finding]:
    """Is the Backend extension of Envoy Gateway on?"""
    place = patient.environment.gateway_controller_namespace
    name, key = CONFIGURATION
    found = await patient.cluster.get("v1", "ConfigMap", place, name)
    if found is None:
        return [warning(f"backends outside: no ConfigMap {place}/{name} to see whether they are enabled", ENABLE)]
    try:
        configuration = yaml.safe_load((found.get("data") or {}).get(key, "")) or {}
    except yaml.YAMLError:
        configuration = {}
    if (configuration.get("extensionApis") or {}).get("enableBackend") is True:
        return [ok("backends outside: enabled")]
    routes = await listed(patient.cluster, API_VERSION, "ApiRoute")
    using = sorted(f"{r['metadata']['namespace']}/{r['metadata']['name']}" for r in routes if _uses_connection(r))
    if using:
        return [problem(f"backends outside: not enabled, but {', '.join(using[:5])} have connectionRef", ENABLE)]
    return [warning("backends outside: not enabled, so no ApiRoute can have connectionRef", ENABLE)]


def _uses_connection(route: Mapping[str, Any]) -> bool:
    versions = route["spec"].get("versions") or ()
    return any("connectionRef" in backend for version in versions for backend in version.get("backends") or ())


@examination("Gateway")
async def own_gateway(patient: Patient) -> list[Finding]:
    """Is the operator's own Gateway programmed, with an HTTPS listener?"""
    environment = patient.environment
    name = f"Gateway {environment.namespace}/{environment.gateway}"
    gateway = await patient.cluster.get(GATEWAY_API, "Gateway", environment.namespace, environment.gateway)
    if gateway is None:
        return [problem(f"{name}: is missing", "helm upgrade the operator's chart with gateway.enabled=true")]
    describe = f"kubectl -n {environment.namespace} describe gateway {environment.gateway}"
    current = gateway["metadata"]["generation"]
    conditions = (gateway.get("status") or {}).get("conditions") or ()
    programmed = [c for c in conditions if c["type"] == "Programmed" and c.get("observedGeneration") == current]
    if not any(c["status"] == "True" for c in programmed):
        said = "; ".join(bad(gateway)) or "its controller has not judged it"
        return [problem(f"{name}: is not programmed: {said}", describe)]
    if not any(listener["protocol"] == "HTTPS" for listener in gateway["spec"]["listeners"]):
        return [problem(f"{name}: has no HTTPS listener, and routes are served by no other", "add one")]
    return [ok(f"{name}: is programmed and has an HTTPS listener")]


@examination("probes of routes")
async def headers(patient: Patient) -> list[Finding]:
    """Does the Gateway tell what a backend answered from what it made itself?"""
    environment = patient.environment
    for policy in await listed(patient.cluster, ENVOY_API, "ClientTrafficPolicy", environment.namespace):
        spec = policy["spec"]
        targets = [*(spec.get("targetRefs") or ()), *filter(None, [spec.get("targetRef")])]
        aimed = any(t["kind"] == "Gateway" and t["name"] == environment.gateway for t in targets)
        if aimed and (spec.get("headers") or {}).get("enableEnvoyHeaders"):
            name = f"probes of routes: ClientTrafficPolicy {policy['metadata']['name']}"
            if said := bad(policy):
                return [problem(f"{name}: {'; '.join(said)}", "mend or delete the policy that it conflicts with")]
            return [ok("probes of routes: the Gateway marks what backends answered")]
    what = "probes of routes: the Gateway does not mark what backends answered, so probes prove less"
    return [problem(what, f"a ClientTrafficPolicy for {environment.gateway} with headers.enableEnvoyHeaders: true")]
