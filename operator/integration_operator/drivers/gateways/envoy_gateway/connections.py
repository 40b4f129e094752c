"""Systems outside: a Backend, how its certificate is checked, and what proves who we are.

All of it stands in the route's own namespace, as the gateway wants it.
"""

from base64 import b64encode
from ipaddress import ip_address
from typing import Any

from integration_operator.core.plan import Identity, Manifest
from integration_operator.drivers.gateway import ConnectionBackend, Route
from integration_operator.drivers.gateways.envoy_gateway.objects import (
    CONNECTION,
    ENVOY_API,
    ENVOY_GROUP,
    GATEWAY_API,
    HOST,
    child_name,
)

MOST_ADDRESSES = 16
"""Of one name: more share its requests no better."""


def connections_of(route: Route) -> list[ConnectionBackend]:
    """The connections that a route uses, each once."""
    found = {(b.namespace, b.name): b for v in route.versions for b in v.backends if isinstance(b, ConnectionBackend)}
    return list(found.values())


def connection_objects(route: Route, backend: ConnectionBackend) -> list[Manifest]:
    """Every object for one connection; what is referred to comes before what refers to it."""
    objects: list[Manifest] = []
    if backend.certificate and backend.key:
        objects.append(_client_certificate(route, backend, backend.certificate, backend.key))
    if backend.tls:
        if backend.ca:
            objects.append(_ca(route, backend, backend.ca))
        objects.append(_tls_policy(route, backend))
    objects.append(_backend(route, backend))
    if backend.header and backend.header_value:
        objects += _credential(route, backend, backend.header, backend.header_value)
    return objects


def connection_identities(route: Route, namespace: str, name: str) -> frozenset[Identity]:
    """Every object that there may be for one connection."""
    kinds = {
        "": ((GATEWAY_API, "BackendTLSPolicy"), (ENVOY_API, "Backend")),
        "ca": (("v1", "ConfigMap"),),
        "client": (("v1", "Secret"),),
        "credential": (("v1", "Secret"), (ENVOY_API, "HTTPRouteFilter")),
    }
    return frozenset(
        (*kind, child_name(route, namespace, name, *filter(None, [part]))) for part, of in kinds.items() for kind in of
    )


def credential_filter(route: Route, backend: ConnectionBackend) -> str:
    """Name of the HTTPRouteFilter that adds the credential."""
    return child_name(route, backend.namespace, backend.name, "credential")


def _name(route: Route, backend: ConnectionBackend, *parts: str) -> str:
    return child_name(route, backend.namespace, backend.name, *parts)


def _backend(route: Route, backend: ConnectionBackend) -> Manifest:
    spec: dict[str, Any] = {
        "endpoints": [{"ip": {"address": a, "port": backend.port}} for a in _reached(backend.addresses)]
    }
    if backend.tls and backend.certificate:
        reference = {"group": "", "kind": "Secret", "name": _name(route, backend, "client")}
        spec["tls"] = {"clientCertificateRef": reference}
    return {
        "apiVersion": ENVOY_API,
        "kind": "Backend",
        "metadata": {
            "name": _name(route, backend),
            "annotations": {CONNECTION: f"{backend.namespace}/{backend.name}", HOST: backend.host},
        },
        "spec": spec,
    }


def _reached(addresses: tuple[str, ...]) -> list[str]:
    """Those of IPv4 where there are any: from a node without IPv6 each request to another would fail."""
    found = [ip_address(address) for address in addresses]
    fours = [ip for ip in found if ip.version == 4]
    return [ip.exploded for ip in (fours or found)[:MOST_ADDRESSES]]  # shortened ones it takes only in part


def _tls_policy(route: Route, backend: ConnectionBackend) -> Manifest:
    validation: dict[str, Any] = {"hostname": backend.server_name}
    if backend.ca:
        reference = {"group": "", "kind": "ConfigMap", "name": _name(route, backend, "ca")}
        validation["caCertificateRefs"] = [reference]
    else:
        validation["wellKnownCACertificates"] = "System"
    target = {"group": ENVOY_GROUP, "kind": "Backend", "name": _name(route, backend)}
    return {
        "apiVersion": GATEWAY_API,
        "kind": "BackendTLSPolicy",
        "metadata": {"name": _name(route, backend)},
        "spec": {"targetRefs": [target], "validation": validation},
    }


def _ca(route: Route, backend: ConnectionBackend, pem: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _name(route, backend, "ca")},
        "data": {"ca.crt": pem},
    }


def _client_certificate(route: Route, backend: ConnectionBackend, certificate: str, key: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": _name(route, backend, "client")},
        "data": {"tls.crt": _encoded(certificate), "tls.key": _encoded(key)},
    }


def _credential(route: Route, backend: ConnectionBackend, header: str, value: str) -> list[Manifest]:
    name = credential_filter(route, backend)
    injection = {"header": header, "overwrite": True, "credential": {"valueRef": {"name": name}}}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {"credential": _encoded(value)}},
        {
            "apiVersion": ENVOY_API,
            "kind": "HTTPRouteFilter",
            "metadata": {"name": name},
            "spec": {"credentialInjection": injection},
        },
    ]


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
