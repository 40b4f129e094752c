"""The Reader that a `look` gets: answers from mirrors where there is one, and remembers all that was asked."""

import time
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from integration_operator.core.addresses import Outbound, Resolution
from integration_operator.core.errors import Forbidden
from integration_operator.core.model import API_VERSION, Resource
from integration_operator.core.plan import Manifest, Outcome
from integration_operator.core.ports import Claimant, Environment, Key
from integration_operator.drivers import names
from integration_operator.engine.checks import Checks
from integration_operator.engine.cluster import Cluster
from integration_operator.engine.mirror import METADATA_ONLY, Gvk
from integration_operator.engine.mirrors import Mirrors
from integration_operator.engine.objects import Dependencies, Dependency, Objects, list_dependency, object_dependency

R = TypeVar("R", bound="Resource[Any]")

DNS_SECONDS, DNS_ERROR_SECONDS = 60.0, 10.0
"""How long an answer of the resolver is taken to hold; an error may pass sooner."""
UNWATCHED_SECONDS = 60.0
"""How often what can't be watched is read again."""


class Resolver:
    """Names to addresses, under the rules; answers are kept for a while, so that many may ask."""

    def __init__(self, rules: Outbound) -> None:
        self._rules = rules
        self._answers: dict[str, tuple[float, list[str], str]] = {}
        """Until when it holds, addresses, and the error where there are none: rules may change before the answer."""

    async def resolve(self, host: str) -> tuple[Resolution, float]:
        """All addresses of a host, sorted, and for how many seconds they hold; an error is an answer too."""
        known = self._answers.get(host)
        if known is None or time.monotonic() >= known[0]:
            addresses, error = await _ask(host)
            known = (time.monotonic() + (DNS_ERROR_SECONDS if error else DNS_SECONDS), addresses, error)
            if len(self._answers) > 10_000:
                self._answers.clear()
            self._answers[host] = known
        until, addresses, error = known
        resolution = Resolution(
            addresses=tuple(a for a in addresses if self._rules.permit(a)),
            denied=tuple(a for a in addresses if not self._rules.permit(a)),
            error=error,
        )
        return resolution, max(until - time.monotonic(), 0.1)


async def _ask(host: str) -> tuple[list[str], str]:
    try:
        return sorted(await names.addresses(host)), ""
    except (names.UnknownName, names.NoAnswer) as error:
        return [], str(error)


class EngineReader:
    """One look of one object. `read` is what it depended on, `again_in` when it must look again anyhow."""

    def __init__(
        self,
        key: Key,
        *,
        environment: Environment,
        cluster: Cluster,
        mirrors: Mirrors,
        objects: Objects,
        dependencies: Dependencies,
        checks: Checks,
        resolver: Resolver,
        drivers: Mapping[str, object],
        children: tuple[Gvk, ...],
    ) -> None:
        self.environment = environment
        self.read: set[Dependency] = set()
        self.again_in: float | None = None
        self.unsettled: set[str] = set()
        """Checks that had found nothing yet when they were asked about."""
        self._key, self._cluster, self._mirrors = key, cluster, mirrors
        self._objects, self._checks, self._resolver = objects, checks, resolver
        self._drivers, self._children = drivers, children
        self._dependencies = dependencies
        self._contents: dict[tuple[str, str, str], Manifest | None] = {}

    async def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        """See core.ports.Reader."""
        self._depend(object_dependency(api_version, kind, namespace or "", name))
        if api_version == API_VERSION:
            return self._objects.get(Key(kind, namespace or "", name))
        gvk = Gvk(api_version, kind)
        mirror = await self._mirrors.get(gvk, namespace)
        if mirror is None:
            return await self._unwatched(api_version, kind, name, namespace)
        seen = mirror.get((namespace or "", name))
        if seen is None or gvk not in METADATA_ONLY or kind == "Namespace":
            return seen
        # One look sees one version of it, however many of its entries it asks for.
        identity = (kind, namespace or "", name)
        if identity not in self._contents:
            self._contents[identity] = await self._cluster.get(api_version, kind, namespace, name)
        return self._contents[identity]

    async def list(
        self, api_version: str, kind: str, namespace: str, selector: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        """See core.ports.Reader."""
        self._depend(list_dependency(api_version, kind, namespace))
        if api_version == API_VERSION:
            keys = sorted(k for k in self._objects.keys(kind) if k.namespace == namespace)
            found = [self._objects.get(k) for k in keys]
        elif (mirror := await self._mirrors.get(Gvk(api_version, kind), namespace)) is not None:
            found = [mirror.get((namespace, name)) for name in mirror.names(namespace)]
        else:
            self._look_again(UNWATCHED_SECONDS)
            found = await self._cluster.list_all(api_version, kind, namespace)
        wanted = (selector or {}).items()
        return [o for o in found if o and wanted <= (o["metadata"].get("labels") or {}).items()]

    async def _unwatched(self, api_version: str, kind: str, name: str, namespace: str | None) -> Manifest | None:
        """Read at the API server, and again in a while. What lies outside the watched namespaces may be hidden."""
        self._look_again(UNWATCHED_SECONDS)
        try:
            return await self._cluster.get(api_version, kind, namespace, name)
        except Forbidden:
            if namespace is not None and self._mirrors.inside(namespace):
                raise
            return None

    async def children(self) -> tuple[Manifest, ...]:
        """See core.ports.Reader. A change of a child asks its owner again anyhow."""
        found: list[Manifest] = []
        for gvk in self._children:
            if mirror := await self._mirrors.get(gvk):
                found.extend(mirror.owned(self._key))
        return tuple(found)

    async def resource(self, model: type[R], name: str, namespace: str) -> R | None:
        """See core.ports.Reader."""
        kind = str(model.model_fields["kind"].default)
        raw = await self.get(API_VERSION, kind, name, namespace)
        try:
            return model.model_validate(raw) if raw is not None else None
        except ValidationError:
            return None

    async def secret(self, name: str, namespace: str) -> Mapping[str, bytes] | None:
        """See core.ports.Reader."""
        found = await self.get("v1", "Secret", name, namespace)
        return None if found is None else {k: b64decode(v) for k, v in (found.get("data") or {}).items()}

    async def config_map(self, name: str, namespace: str) -> Mapping[str, str] | None:
        """See core.ports.Reader."""
        found = await self.get("v1", "ConfigMap", name, namespace)
        return None if found is None else found.get("data") or {}

    async def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """See core.ports.Reader."""
        found = await self.get("v1", "Namespace", namespace)
        return (found["metadata"].get("labels") or {}) if found else {}

    async def resolve(self, host: str) -> Resolution:
        """See core.ports.Reader."""
        resolution, seconds = await self._resolver.resolve(host)
        self._look_again(seconds)
        return resolution

    def driver(self, name: str) -> object | None:
        """See core.ports.Reader."""
        return self._drivers.get(name)

    def claimants(self, claim: str) -> tuple[Claimant, ...]:
        """See core.ports.Reader."""
        self._depend(("claim", claim))
        return self._objects.claimants(claim)

    def outcome(self, check: str) -> Outcome | None:
        """See core.ports.Reader."""
        found = self._checks.outcome(self._key, check)
        if found is None:
            self.unsettled.add(check)
        return found

    def _depend(self, dependency: Dependency) -> None:
        """Before it is read: what changes while it is read must not be missed."""
        self.read.add(dependency)
        self._dependencies.add(self._key, dependency)

    def _look_again(self, seconds: float) -> None:
        self.again_in = seconds if self.again_in is None else min(self.again_in, seconds)
