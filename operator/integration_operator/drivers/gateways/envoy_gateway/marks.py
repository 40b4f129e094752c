"""Marks: each rule returns what a probe sends in a header whose name is known only from the whole configuration.

Conditions of the gateway say that it read a configuration, not that Envoy serves it. A response header set to
`%REQ(name)%` is not sent where a request has no such header: callers never see it.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from integration_operator.core.plan import Manifest
from integration_operator.drivers.gateway import Mark, Rendered, Route
from integration_operator.drivers.gateways.envoy_gateway.objects import CONFIGURATION

ANSWER = "x-integration-probe"


def marked(objects: list[Manifest], route: Route) -> Rendered:
    """The objects, the last one being the HTTPRoute, with a mark in each rule or in the filter that answers for it."""
    digest = _digest([_public(o) for o in objects])
    marks = {v.name: Mark(f"{ANSWER}-{_digest([digest, v.name])}", ANSWER) for v in route.versions}
    *others, http_route = objects
    answering = {}
    rules = []
    for rule in http_route["spec"]["rules"]:
        header = {"name": ANSWER, "value": f"%REQ({marks[rule['name']].ask})%"}
        if "backendRefs" in rule:
            rules.append({**rule, "filters": _with_header(rule["filters"], header)})
        else:
            answering[rule["filters"][0]["extensionRef"]["name"]] = header
            rules.append(rule)
    meta = {**http_route["metadata"], "annotations": {CONFIGURATION: digest}}
    spec = {**http_route["spec"], "rules": rules}
    others = [_answering(o, answering[o["metadata"]["name"]]) if _name(o) in answering else o for o in others]
    return Rendered((*others, {**http_route, "metadata": meta, "spec": spec}), marks)


def unmarked(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of the cluster without its mark: what it would be rendered from again."""
    filters = []
    for one in rule.get("filters") or ():
        if one["type"] == "ResponseHeaderModifier":
            headers = [h for h in one["responseHeaderModifier"].get("set") or () if h["name"] != ANSWER]
            one = {"type": one["type"], "responseHeaderModifier": {"set": headers}} if headers else None
        if one:
            filters.append(one)
    return {**rule, "filters": filters}


def _name(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"]) if manifest["kind"] == "HTTPRouteFilter" else ""


def _with_header(filters: list[dict[str, Any]], header: dict[str, str]) -> list[dict[str, Any]]:
    """A rule may have one filter of a type: the mark joins the headers that are there."""
    there = next((f for f in filters if f["type"] == "ResponseHeaderModifier"), None)
    headers = [*(there["responseHeaderModifier"]["set"] if there else ()), header]
    modifier = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": headers}}
    return [*(f for f in filters if f is not there), modifier]


def _answering(manifest: Manifest, header: dict[str, str]) -> Manifest:
    response = manifest["spec"]["directResponse"]
    headers = [*(response.get("header") or {"set": []})["set"], header]
    return {**manifest, "spec": {"directResponse": {**response, "header": {"set": headers}}}}


def _public(manifest: Manifest) -> Manifest:
    """What makes a configuration, and may go into a digest that others can read.

    A Secret only by name; a Backend without its addresses, which come and go as the name's do.
    """
    if manifest["kind"] == "Secret":
        return manifest["metadata"]  # type: ignore[no-any-return]
    if manifest["kind"] == "Backend":
        ports = sorted({endpoint["ip"]["port"] for endpoint in manifest["spec"]["endpoints"]})
        return {**manifest, "spec": {**manifest["spec"], "endpoints": ports}}
    return manifest


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()[:12]
