"""What all objects for Envoy Gateway share: API groups, names, texts that Envoy does not interpret."""

import hashlib
import json
from typing import Any
from urllib.parse import quote

from integration_operator.core.model import GROUP
from integration_operator.drivers.gateway import Route

GATEWAY_API = "gateway.networking.k8s.io/v1"
ENVOY_API = "gateway.envoyproxy.io/v1alpha1"
ROUTE_GROUP = "gateway.networking.k8s.io"
ENVOY_GROUP = "gateway.envoyproxy.io"
CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"

CONNECTION = f"{GROUP}/connection"
"""Annotation on a Backend: namespace/name of the ServiceConnection that it stands for."""
HOST = f"{GROUP}/host"
"""Annotation on a Backend: the host name (or address) whose addresses it has."""
CONFIGURATION = f"{GROUP}/configuration"
"""Annotation on an HTTPRoute: digest of everything that was rendered with it."""

PROBLEM = "application/problem+json"


def child_name(route: Route, *parts: str) -> str:
    """A name for a further object of a route: readable, at most 253 characters, the same for no other parts."""
    digest = hashlib.sha256("\0".join((route.name, *parts)).encode()).hexdigest()[:10]
    return f"{'-'.join((route.name, *parts))[:242].rstrip('-.')}-{digest}"


def problem(status: int, title: str, detail: str) -> dict[str, Any]:
    """Content type and body of a problem document (RFC 9457)."""
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return {"contentType": PROBLEM, "body": {"type": "Inline", "inline": literal(json.dumps(document))}}


def literal(text: str) -> str:
    """A text in which Envoy finds no command operator: %ENVIRONMENT(…)% would show what is not for callers."""
    return text.replace("%", "%%")


def link_target(url: str) -> str:
    """A URL as it may stand between < and > in a header: printable ASCII, what is encoded already kept."""
    return quote(url, safe="%/:=&!$'()*+,;~-._[]")


def seconds(value: float) -> str:
    """A duration as Gateway API has it (GEP-2257): whole milliseconds, at most five digits a unit."""
    whole, milliseconds = divmod(round(value * 1000), 1000)
    if not milliseconds:
        return f"{whole}s"
    return f"{whole}s{milliseconds}ms" if whole else f"{milliseconds}ms"


def extension(name: str) -> dict[str, Any]:
    """A filter of a rule or backend that refers to an HTTPRouteFilter."""
    return {
        "type": "ExtensionRef",
        "extensionRef": {"group": ENVOY_GROUP, "kind": "HTTPRouteFilter", "name": name},
    }
