"""The shared cluster as a lab for gateway drivers: see tests.drivers.conformance.Lab."""

import itertools
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from integration_operator.core.plan import Manifest
from integration_operator.drivers.gateway import GatewayDriver, Rendered, Route, Traffic, Version
from tests.e2e.conftest import Client, Gateway
from tests.e2e.gateway.partner import Partner, partner


class ClusterLab:
    """A namespace with the two backends; what drivers render is applied there as it is, without the operator."""

    def __init__(self, driver: GatewayDriver, client: Client, gateway: Gateway, namespace: str, folder: Path) -> None:
        self.driver = driver
        self._client, self._gateway, self._namespace, self._folder = client, gateway, namespace, folder
        self._numbers = itertools.count(1)

    def route(self, *versions: Version, traffic: Traffic | None = None, hosts: int = 1) -> Route:
        number = next(self._numbers)
        return Route(
            name=f"route-{number}",
            namespace=self._namespace,
            gateway="public",
            gateway_namespace="integration-system",
            listeners=("https",),
            hostnames=tuple(f"{self._namespace}-{number}-{i}.example.com" for i in range(hosts)),
            versions=versions,
            traffic=traffic or Traffic(),
        )

    def serve(self, route: Route) -> None:
        assert route.needs() <= self.driver.features
        assert self.driver.refusals(route) == []
        rendered = self.driver.render(route)
        self._client.apply(self._namespace, *rendered.objects)
        self._client.until("the gateway's verdict", lambda: self._accepted(rendered))
        for version in route.versions:
            self._client.until(f"version {version.name} is served", lambda v=version: self._marked(route, rendered, v))

    def ask(self, host: str, path: str = "/", method: str = "GET", **more: Any) -> httpx.Response:
        return self._gateway.ask(host, path, method, **more)

    @contextmanager
    def partner(self, *names: str, clients: bool = False) -> Iterator[Partner]:
        folder = self._folder / f"partner-{next(self._numbers)}"
        with partner(self._client.cluster.host_address(), folder, names, clients=clients) as found:
            yield found

    def client_certificate(self, outside: Partner, name: str) -> tuple[str, str]:
        crt, key = outside.authority.issue(name, name, client=True)
        return crt.read_text(), key.read_text()

    def _accepted(self, rendered: Rendered) -> bool:
        live = [self._live(o) for o in rendered.objects if o["kind"] not in ("Secret", "ConfigMap")]
        verdict = self.driver.verdict([o for o in live if o], rendered)
        assert verdict.accepted is not False, verdict.message
        return bool(verdict.accepted)

    def _live(self, manifest: Manifest) -> dict[str, Any] | None:
        return self._client.get(manifest["kind"].lower(), self._namespace, manifest["metadata"]["name"])

    def _marked(self, route: Route, rendered: Rendered, version: Version) -> bool:
        mark, nonce = rendered.marks[version.name], secrets.token_hex(4)
        headers = {mark.ask: nonce, **dict([version.match.header] if version.match.header else [])}
        query = "&".join(f"{k}={v}" for k, v in [version.match.query] if k) if version.match.query else ""
        found = [self.ask(host, f"{version.match.path}?{query}", headers=headers) for host in route.hostnames]
        return all(answer.headers.get(mark.answer) == nonce for answer in found)
