"""What is taken for granted of things that are not in the files. Everything taken is noted, and printed at the end."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from integration_operator.cli.preview.placeholders import UID, Anything, Placeholders
from integration_operator.core.model import API_VERSION
from integration_operator.core.plan import Check, Manifest, Outcome
from integration_operator.drivers import connection, identity
from integration_operator.drivers.base import Probe

TOKEN_SECONDS = 3600
CLASS = "integration-operator"
"""The GatewayClass that the chart makes."""


@dataclass(frozen=True, order=True)
class Assumed:
    """One thing that was taken to be there: what was taken of it, or which keys."""

    kind: str
    namespace: str
    name: str
    says: str = ""
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {where}: {self.says or 'with ' + ', '.join(self.keys)}"


class EveryPort:
    """The ports of a Service that nobody has seen: whichever is asked for."""

    def __iter__(self) -> Iterator[Mapping[str, int]]:
        return ({"port": port} for port in range(1, 65536))


class Assumptions:
    """Answers where files are silent."""

    def __init__(self, placeholders: Placeholders, controller: str) -> None:
        """`controller` serves Gateways that nobody has seen."""
        self._placeholders, self._controller = placeholders, controller
        self._taken: dict[tuple[str, str, str], Assumed] = {}
        self._makers: Mapping[tuple[str, str], Callable[[str, str], Manifest]] = {
            ("gateway.networking.k8s.io/v1", "Gateway"): self._gateway,
            ("gateway.networking.k8s.io/v1", "GatewayClass"): self._gateway_class,
            ("v1", "Service"): self._service,
            (API_VERSION, "ServiceConnection"): self._connection,
        }

    def get(self, api_version: str, kind: str, name: str, namespace: str) -> Manifest | None:
        """An object as it will probably be; None where nothing can be said of it."""
        make = self._makers.get((api_version, kind))
        return make(name, namespace) if make else None

    def secret(self, name: str, namespace: str) -> Mapping[str, bytes]:
        """The data of a Secret, with stand-ins for values."""
        return Anything(lambda key: self._entry(key, "Secret", name, namespace).encode())

    def config_map(self, name: str, namespace: str) -> Mapping[str, str]:
        """The data of a ConfigMap, with stand-ins for values."""
        return Anything(lambda key: self._entry(key, "ConfigMap", name, namespace))

    def forget(self, kind: str, namespace: str, name: str) -> None:
        """It turned out to be known."""
        self._taken.pop((kind, namespace, name), None)

    def listed(self) -> list[Assumed]:
        """What was taken for granted, sorted."""
        return sorted(self._taken.values())

    def _note(self, kind: str, namespace: str, name: str, says: str = "", key: str = "") -> None:
        known = self._taken.get((kind, namespace, name), Assumed(kind, namespace, name, says))
        keys = tuple(sorted({*known.keys, key} - {""}))
        self._taken[kind, namespace, name] = replace(known, keys=keys)

    def _entry(self, key: str, kind: str, name: str, namespace: str) -> str:
        self._note(kind, namespace, name, key=key)
        return self._placeholders.entry(key, kind, namespace, name)

    def _gateway(self, name: str, namespace: str) -> Manifest:
        self._note("Gateway", namespace, name, f"an HTTPS listener for all namespaces, served by {self._controller}")
        listener = {
            "name": "https",
            "protocol": "HTTPS",
            "port": 443,
            "allowedRoutes": {"namespaces": {"from": "All"}},
        }
        return {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"gatewayClassName": CLASS, "listeners": [listener]},
        }

    def _gateway_class(self, name: str, _: str) -> Manifest:
        if name != CLASS:
            self._note("GatewayClass", "", name, f"served by {self._controller}")
        return {"metadata": {"name": name}, "spec": {"controllerName": self._controller}}

    def _service(self, name: str, namespace: str) -> Manifest:
        self._note("Service", namespace, name, "has the ports that are asked for")
        selector = {"app": self._placeholders.text(f"<selector of Service {namespace}/{name}>")}
        return {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"ports": EveryPort(), "selector": selector},
        }

    def _connection(self, name: str, namespace: str) -> Manifest:
        self._note("ServiceConnection", namespace, name, "an https API without credentials, open to this namespace")
        host = self._placeholders.host("ServiceConnection", namespace, name)
        return {
            "apiVersion": API_VERSION,
            "kind": "ServiceConnection",
            "metadata": {"name": name, "namespace": namespace, "uid": self._placeholders.text(UID)},
            "spec": {"http": {"url": f"https://{host}"}, "allowedNamespaces": {"from": "All"}},
        }


async def foreseen(
    check: Check, placeholders: Placeholders, now: datetime, drivers: Mapping[str, object]
) -> Outcome | None:
    """The outcome of a check that brings something which the plan goes on with; None for those that only judge."""
    if isinstance(check.target, connection.TokenRequest):
        text = placeholders.text(f"<token from {check.target.url}>")
        token = connection.issued(text, now, TOKEN_SECONDS, check.target)
        return Outcome(True, "Issued", data={"token": token})
    if isinstance(check.target, identity.Provider):
        keys = identity.Keys.of([{"kid": placeholders.text(f"<keys of {check.target.issuer}>")}])
        return Outcome(True, "Fetched", data={"keys": keys})
    if isinstance(check.target, identity.Claims) and isinstance(probe := drivers.get(check.driver), Probe):
        # Nobody outside is asked: what the operator will find is found here.
        return await probe.probe(check.target, check.timeout)
    return None
