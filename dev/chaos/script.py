"""What happens to the objects: the same steps for the same seed. Objects are created, changed, deleted, made again."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from integration_operator.core.model import API_VERSION

NAMESPACE = "chaos"
SECRETS = SERVICES = 8


@dataclass(frozen=True)
class Step:
    """Apply a manifest, or delete an object."""

    kind: str
    name: str
    manifest: dict[str, Any] | None
    """None: delete it."""

    @property
    def api_version(self) -> str:
        """Of the object."""
        return "v1" if self.kind in ("Secret", "Service", "ConfigMap") else API_VERSION


@dataclass
class _Author:
    chance: random.Random
    count: int
    answering: int
    """Port on which an HTTP server answers."""
    silent: int
    """Port on which nobody listens."""
    alive: list[tuple[str, str]] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)
    made: int = 0
    missing: set[tuple[str, str]] = field(default_factory=set)
    """Secrets and Services that are deleted at the moment."""

    def write(self) -> Iterator[Step]:
        for number in range(SECRETS):
            yield self._secret(f"token-{number}")
        for number in range(SERVICES):
            yield self._service(f"service-{number}")
        while self.made < self.count:
            yield from self._create() if self.chance.random() < 0.5 else self._disturb()
        for _ in range(self.count):
            yield from self._disturb()
        yield from self._mend()

    def _mend(self) -> Iterator[Step]:
        """Let nothing be blocked at the end that was not from its beginning.

        What is blocked keeps serving what it served: that depends on which of its earlier selves were ever seen.
        """
        for kind, name in sorted(self.missing):
            yield self._secret(name) if kind == "Secret" else self._service(name)
        for number in range(SERVICES):
            yield self._service(f"service-{number}", ports=(8080,))
        for kind, name in self.alive:
            if kind == "ApiRoute":
                yield self._object(kind, name)

    def _create(self) -> Iterator[Step]:
        kind = self.chance.choice(("ApiRoute", "ApiRoute", "ServiceConnection", "ServiceConnection", "Widget"))
        yield self._object(kind, f"{kind.lower()}-{self.made:03}")
        self.alive.append((kind, f"{kind.lower()}-{self.made:03}"))
        self.made += 1

    def _disturb(self) -> Iterator[Step]:
        dice = self.chance.random()
        if dice < 0.15:
            yield self._below("Secret", f"token-{self.chance.randrange(SECRETS)}")
        elif dice < 0.2:
            yield self._below("Service", f"service-{self.chance.randrange(SERVICES)}")
        elif dice < 0.4 and self.alive:
            chosen = self.alive.pop(self.chance.randrange(len(self.alive)))
            self.gone.append(chosen)
            yield Step(*chosen, manifest=None)
        elif dice < 0.55 and self.gone:
            chosen = self.gone.pop(self.chance.randrange(len(self.gone)))
            self.alive.append(chosen)
            yield self._object(*chosen)
        elif self.alive:
            yield self._object(*self.chance.choice(self.alive))

    def _below(self, kind: str, name: str) -> Step:
        """Change something that objects refer to; now and then it is missing for a while."""
        if (kind, name) not in self.missing and self.chance.random() < 0.3:
            self.missing.add((kind, name))
            return Step(kind, name, None)
        self.missing.discard((kind, name))
        return self._secret(name) if kind == "Secret" else self._service(name)

    def _secret(self, name: str) -> Step:
        return self._step("v1", "Secret", name, stringData={"token": f"{self.chance.getrandbits(64):x}"})

    def _service(self, name: str, ports: tuple[int, ...] = ()) -> Step:
        chosen = ports or self.chance.choice(((8080,), (8080, 9090), (9090,)))
        listed = [{"port": port, "name": f"p{port}"} for port in chosen]
        return self._step("v1", "Service", name, spec={"selector": {"app": name}, "ports": listed})

    def _object(self, kind: str, name: str) -> Step:
        specs = {"ApiRoute": self._route, "ServiceConnection": self._connection, "Widget": self._widget}
        return self._step(API_VERSION, kind, name, spec=specs[kind](name))

    def _step(self, api_version: str, kind: str, name: str, **body: Any) -> Step:
        meta = {"name": name, "namespace": NAMESPACE}
        return Step(kind, name, {"apiVersion": api_version, "kind": kind, "metadata": meta, **body})

    def _route(self, name: str) -> dict[str, Any]:
        backend = {"serviceRef": {"name": "never", "port": 8080}} if name.endswith("9") else self._backend()
        versions: list[dict[str, Any]] = [{"name": "v2", "backends": [backend]}]
        if self.chance.random() < 0.5:
            lifecycle = self.chance.choice(("Draft", "Deprecated", "Retired"))
            old: dict[str, Any] = {"name": "v1", "lifecycle": lifecycle, "backends": [self._backend()]}
            if lifecycle != "Draft":
                old |= {"deprecatedAt": "2026-01-01T00:00:00Z", "successor": "v2"}
            versions.insert(0, old)
        traffic = {
            "timeout": f"{self.chance.randint(1, 30)}s",
            "rateLimit": {"limit": self.chance.randint(1, 100), "period": "1s"},
            "cors": {"allowOrigins": ["https://portal.example.com"]},
        }
        kept = {k: v for k, v in traffic.items() if self.chance.random() < 0.5}
        return {
            "hostnames": ["chaos.example.com"],
            "basePath": f"/{name}",
            "auth": {"anonymous": True},
            "versions": versions,
            **({"traffic": kept} if kept else {}),
        }

    def _backend(self) -> dict[str, Any]:
        connections = [name for kind, name in self.alive if kind == "ServiceConnection"]
        if connections and self.chance.random() < 0.3:
            return {"connectionRef": {"name": self.chance.choice(connections)}}
        return {"serviceRef": {"name": f"service-{self.chance.randrange(SERVICES)}", "port": 8080}}

    def _connection(self, name: str) -> dict[str, Any]:
        port = self.answering if self.chance.random() < 0.7 else self.silent
        spec: dict[str, Any] = {
            "http": {"url": f"http://127.0.0.1:{port}/{name}"},
            "allowInsecure": True,
            "healthCheck": {"interval": "5s", "timeout": "5s"},
        }
        if self.chance.random() < 0.7:
            ref = {"name": f"token-{self.chance.randrange(SECRETS)}", "key": "token"}
            spec["credentials"] = {"bearer": {"tokenRef": ref}}
        consumers = self.chance.randrange(3)
        if consumers:
            spec["consumers"] = [
                {"name": f"c{n}", "podSelector": {"matchLabels": {"app": f"{name}-{n}"}}} for n in range(consumers)
            ]
        return spec

    def _widget(self, name: str) -> dict[str, Any]:
        spec: dict[str, Any] = {"text": f"{self.chance.getrandbits(32):x}", "copies": self.chance.randint(1, 3)}
        spec["external"] = f"{NAMESPACE}.{name}"
        if self.chance.random() < 0.4:
            spec["secret"] = f"token-{self.chance.randrange(SECRETS)}"
        if self.chance.random() < 0.3:
            spec["needs"] = f"widget-{self.chance.randrange(self.count):03}"
        spec["policy"] = self.chance.random() < 0.3
        return spec


def steps(seed: int, count: int, answering: int, silent: int) -> list[Step]:
    """All steps for so many objects."""
    return list(_Author(random.Random(seed), count, answering, silent).write())
