"""What the objects in the cluster say: whether the gateway took them, what they serve, and with which connections."""

from collections.abc import Iterable
from typing import Any

from integration_operator.core.plan import Manifest
from integration_operator.drivers.gateway import Match, Rendered, Standing, Verdict
from integration_operator.drivers.gateways.envoy_gateway.marks import unmarked
from integration_operator.drivers.gateways.envoy_gateway.objects import CONFIGURATION, CONNECTION, CONTROLLER, HOST

JUDGED = {"HTTPRoute", "BackendTrafficPolicy", "SecurityPolicy", "BackendTLSPolicy", "Backend"}
"""Kinds whose status the controller writes; a filter that is wrong shows in the route's."""

DECISIVE = {"Accepted", "ResolvedRefs", "Programmed"}
"""Others, as Overridden or BackendsAvailable, say what is worth knowing, or what a probe finds out."""


def verdict(live: Iterable[Manifest], rendered: Rendered) -> Verdict:
    """Refused by one is refused; a configuration that is not applied yet, or not judged by all, is awaited."""
    seen = {_identity(m): m for m in live}
    waiting = False
    for wanted in rendered.objects:
        if wanted["kind"] not in JUDGED:
            continue
        found = seen.get(_identity(wanted))
        judged = _judgement(found, whole=not rendered.kept) if found and _current(found, wanted) else None
        if judged is None:
            waiting = True
        elif judged:
            return Verdict(False, f"{wanted['kind']} {wanted['metadata']['name']}: {judged}")
    return Verdict(None if waiting else True)


def _identity(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def _current(live: Manifest, wanted: Manifest) -> bool:
    """Whether the live route is of this rendering: it is applied last, so the rest is then there as well."""
    expected = (wanted["metadata"].get("annotations") or {}).get(CONFIGURATION)
    return expected is None or (live["metadata"].get("annotations") or {}).get(CONFIGURATION) == expected


def _judgement(live: Manifest, whole: bool) -> str | None:
    """What the controller holds against this generation: empty for nothing, None when it has not spoken yet.

    A part of a route that is not planned as a `whole` may refer to what is gone, which says nothing of the rest.
    """
    generation = live["metadata"].get("generation")
    fresh = [c for c in _conditions(live) if c.get("observedGeneration") == generation]
    if live["kind"] == "Backend":
        # A Backend that is refused has a condition named Invalid, beside an Accepted that may be an older one.
        bad = [c for c in fresh if c["status"] == "False"]
    else:
        counted = DECISIVE if whole or live["kind"] != "HTTPRoute" else DECISIVE - {"ResolvedRefs"}
        bad = [c for c in fresh if c["type"] in counted and c["status"] == "False"]
    if not bad and not any(c["type"] == "Accepted" for c in fresh):
        return None
    return "; ".join(f"{c['reason']}: {c.get('message', '')}" for c in bad)


def _conditions(live: Manifest) -> list[dict[str, Any]]:
    status = live.get("status") or {}
    if live["kind"] == "Backend":
        return list(status.get("conditions") or ())
    entries = [
        e for e in status.get("parents") or status.get("ancestors") or () if e.get("controllerName") == CONTROLLER
    ]
    return [c for e in entries for c in e.get("conditions") or ()]


def places(live: Iterable[Manifest]) -> frozenset[tuple[str, Match]]:
    """(host, match) of every rule."""
    return frozenset(
        (host, _match(match))
        for manifest in live
        if manifest["kind"] == "HTTPRoute"
        for host in manifest["spec"].get("hostnames") or ()
        for rule in manifest["spec"].get("rules") or ()
        for match in rule.get("matches") or ()
    )


def _match(match: dict[str, Any]) -> Match:
    header, query = (match.get("headers") or [None])[0], (match.get("queryParams") or [None])[0]
    return Match(
        path=(match.get("path") or {}).get("value", "/"),
        header=(header["name"], header["value"]) if header else None,
        query=(query["name"], query["value"]) if query else None,
    )


def connections(live: Iterable[Manifest]) -> frozenset[tuple[str, str]]:
    """(namespace, name) of the ServiceConnections that Backends stand for."""
    return frozenset(_connections_by_backend(live).values())


def standing(live: Iterable[Manifest]) -> dict[str, Standing]:
    """See drivers.gateway.GatewayDriver; a rule with a Backend of which nothing is known does not count."""
    objects = list(live)
    known = _connections_by_backend(objects)
    found = {}
    for manifest in objects:
        for rule in manifest["spec"].get("rules") or () if manifest["kind"] == "HTTPRoute" else ():
            used = {ref["name"] for ref in rule.get("backendRefs") or () if ref.get("kind") == "Backend"}
            if rule.get("name") and rule.get("matches") and rule.get("backendRefs") and used <= known.keys():
                connections_used = frozenset(known[name] for name in used)
                found[rule["name"]] = Standing(_match(rule["matches"][0]), connections_used, unmarked(rule))
    return found


def _connections_by_backend(live: Iterable[Manifest]) -> dict[str, tuple[str, str]]:
    found = {}
    for manifest in live:
        connection = (manifest["metadata"].get("annotations") or {}).get(CONNECTION, "")
        if manifest["kind"] == "Backend" and "/" in connection:
            namespace, _, name = connection.partition("/")
            found[manifest["metadata"]["name"]] = (namespace, name)
    return found


def addresses(live: Iterable[Manifest]) -> dict[tuple[str, str, str], tuple[str, ...]]:
    """By namespace, name and host of the ServiceConnections that Backends stand for."""
    found = {}
    for manifest in live:
        annotations = manifest["metadata"].get("annotations") or {}
        if manifest["kind"] == "Backend" and "/" in annotations.get(CONNECTION, "") and HOST in annotations:
            namespace, _, name = annotations[CONNECTION].partition("/")
            endpoints = manifest["spec"].get("endpoints") or ()
            found[namespace, name, annotations[HOST]] = tuple(e["ip"]["address"] for e in endpoints if "ip" in e)
    return found
