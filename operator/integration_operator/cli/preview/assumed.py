"""What is taken for granted of things that are not in the files. Everything taken is noted, and printed at the end."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from integration_operator.cli.preview.placeholders import Anything, Placeholders
from integration_operator.core.model import API_VERSION
from integration_operator.core.plan import Check, Manifest, Outcome
from integration_operator.drivers import connection
from integration_operator.drivers.gateway import GatewayDriver

TOKEN_SECONDS = 3600
KEY = "with "
"""How the sentence begins that names the keys which were asked for."""
CLASS = "integration-operator"
"""The GatewayClass that the chart makes."""


class EveryPort:
    """The ports of a Service that nobody has seen: whichever is asked for."""

    def __iter__(self) -> Iterator[Mapping[str, int]]:
        return ({"port": port} for port in range(1, 65536))


class Assumptions:
    """Answers where files are silent."""

    def __init__(self, placeholders: Placeholders, drivers: Mapping[str, object]) -> None:
        self._placeholders = placeholders
        self._controller = next(name for name, driver in drivers.items() if isinstance(driver, GatewayDriver))
        self._noted: dict[tuple[str, str, str], set[str]] = {}
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
        self._noted.pop((kind, namespace, name), None)

    def sentences(self) -> list[str]:
        """What was taken for granted, one thing a line."""
        lines = []
        for (kind, namespace, name), details in sorted(self._noted.items()):
            where = f"{namespace}/{name}" if namespace else name
            keys = sorted(d.removeprefix(KEY) for d in details if d.startswith(KEY))
            said = [*(d for d in sorted(details) if not d.startswith(KEY)), *([KEY + ", ".join(keys)] if keys else [])]
            lines.append(f"{kind} {where}: {'; '.join(said)}")
        return lines

    def _note(self, kind: str, namespace: str, name: str, detail: str) -> None:
        self._noted.setdefault((kind, namespace, name), set()).add(detail)

    def _entry(self, key: str, kind: str, name: str, namespace: str) -> str:
        self._note(kind, namespace, name, KEY + key)
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
        selector = {f"<selector of Service {namespace}/{name}>": ""}
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
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"http": {"url": f"https://{host}"}, "allowedNamespaces": {"from": "All"}},
        }


def foreseen(check: Check, now: datetime) -> Outcome | None:
    """The outcome of a check that brings something which the plan goes on with; None for those that only judge."""
    if isinstance(check.target, connection.TokenRequest):
        token = connection.issued(f"<token from {check.target.url}>", now, TOKEN_SECONDS, check.target)
        return Outcome(True, "Issued", data={"token": token})
    return None
