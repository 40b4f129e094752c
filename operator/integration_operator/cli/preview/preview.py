"""Plans every object of ours in files with its kind's own look() and plan(), each after those that it refers to."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from integration_operator import registry
from integration_operator.cli.preview import certificates
from integration_operator.cli.preview.assumed import Assumptions, foreseen
from integration_operator.cli.preview.files import Document, Problem
from integration_operator.cli.preview.placeholders import UID, Placeholders
from integration_operator.cli.preview.reader import Identity, PreviewReader, identity
from integration_operator.cli.preview.validate import Invalid, ours, validated
from integration_operator.cli.run import DEBUG
from integration_operator.core.addresses import AddressRules
from integration_operator.core.model import API_VERSION, Resource
from integration_operator.core.plan import Manifest, Outcome, Plan
from integration_operator.core.ports import Claimant, Environment, Key
from integration_operator.engine.children import finished

PASSES = 4
"""Looks at one object at most: the second knows its own children, a later one what its checks bring."""


@dataclass(frozen=True)
class Planned:
    """One object of the files, its plan, and its children as they would be applied."""

    key: Key
    source: str
    plan: Plan
    children: tuple[Manifest, ...]

    @property
    def held(self) -> bool:
        """Whether it is blocked: what it has now would stay, and nothing be made."""
        return self.plan.children is None

    @property
    def refused(self) -> bool:
        """Whether a condition is False already, whatever the cluster would add."""
        return any(c.status is False for c in self.plan.conditions)


class Beyond(Protocol):
    """What lies beyond the files: nothing, or a cluster."""

    async def get(self, wanted: Identity) -> Manifest | None:
        """An object of the cluster."""
        ...

    async def list(self, api_version: str, kind: str, namespace: str) -> list[Manifest]:
        """Objects of the cluster."""
        ...

    def certain(self, wanted: Identity) -> bool:
        """Whether an object that was not found is known not to be there."""
        ...


class Nothing:
    """Offline: whatever is not in the files may or may not be there."""

    async def get(self, wanted: Identity) -> Manifest | None:
        """See Beyond."""
        return None

    async def list(self, api_version: str, kind: str, namespace: str) -> list[Manifest]:
        """See Beyond."""
        return []

    def certain(self, wanted: Identity) -> bool:
        """See Beyond."""
        return False


class Preview:
    """All that is known while planning; asks `beyond` for what the files don't have, then assumes."""

    def __init__(self, environment: Environment, beyond: Beyond, placeholders: Placeholders, now: datetime) -> None:
        self.environment, self.placeholders, self.now = environment, placeholders, now
        self.drivers: dict[str, object] = {d.name: d for d in (make(AddressRules()) for make in registry.LOCAL)}
        self.assumptions = Assumptions(self.placeholders, environment.gateway_controller)
        self.problems: list[Problem] = []
        self._beyond = beyond
        self._kinds = {kind.name: kind for kind in registry.KINDS}
        self._resources: dict[Key, tuple[Resource[Any], dict[str, Any], str]] = {}
        """Validated, raw, and where it stands."""
        self._others: dict[Identity, Manifest] = {}
        self._children: dict[Identity, Manifest] = {}
        self._names: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        """Of all of these, by apiVersion, kind and namespace."""
        self._claims: dict[str, list[Claimant]] = {}
        self._planned: dict[Key, Planned] = {}
        self._under_way: set[Key] = set()

    def add(self, documents: Iterable[Document], namespace: str, live: Mapping[Key, Manifest] | None = None) -> None:
        """Take the objects of files; what is invalid becomes a problem. `live`: those of the cluster, by key."""
        for document in documents:
            if not ours(document):
                # Whether a kind has namespaces is known in a cluster: one that names none may be in the default one.
                for place in ("", namespace):
                    self._others[self._named(document.manifest, place)] = document.manifest
                continue
            try:
                self._take(document, namespace, live or {})
            except Invalid as error:
                self.problems.append(Problem(document.source, document.title, error.messages))
        for key in (live or {}).keys() - self._resources.keys():
            self._know(key, dict((live or {})[key]), "")

    def _take(self, document: Document, namespace: str, live: Mapping[Key, Manifest]) -> None:
        validated(document, self._kinds)
        meta = {"namespace": namespace, **document.manifest["metadata"]}
        key = Key(document.manifest["kind"], meta["namespace"], meta["name"])
        if key in self._resources:
            raise Invalid([f"stands twice, first in {self._resources[key][2]}"])
        # As the API server would have it: what is older owns a place, and files create in their order.
        born = self.now + timedelta(microseconds=len(self._resources))
        given = {"uid": self.placeholders.text(UID), "creationTimestamp": born.isoformat()}
        if there := live.get(key):
            given = {k: there["metadata"][k] for k in given}
        raw = {**document.manifest, "metadata": {**meta, **given}}
        self._know(key, raw, document.source)

    def _know(self, key: Key, raw: dict[str, Any], source: str) -> None:
        kind = self._kinds[key.kind]
        resource = kind.model.model_validate(raw)
        self._resources[key] = (resource, raw, source)
        self._names[API_VERSION, key.kind, key.namespace].add(key.name)
        created = resource.metadata.creation_timestamp or self.now
        for expected in certificates.entries(resource):
            self.placeholders.expect(*expected)
        for claim in kind.claims(resource, self.environment):
            self._claims.setdefault(claim, []).append(Claimant(created, key))

    def _named(self, manifest: Manifest, namespace: str = "") -> Identity:
        found = identity(manifest, namespace)
        self._names[found[:3]].add(found[3])
        return found

    async def run(self) -> list[Planned]:
        """Every object of the files, planned, in the order of the files."""
        listed = [key for key, (_, _, source) in self._resources.items() if source]
        return [planned for key in listed if (planned := await self._plan(key))]

    async def _plan(self, key: Key) -> Planned | None:
        """None where it is being planned already: it refers to itself, by way of others."""
        if key in self._planned or key in self._under_way:
            return self._planned.get(key)
        self._under_way.add(key)
        resource, raw, source = self._resources[key]
        try:
            plan = await self._decide(key, resource)
        except Exception as error:  # one object that a kind stumbles over must not stop the others
            if os.environ.get(DEBUG):
                raise
            fault = f"could not be planned, by a fault of the program: {type(error).__name__}: {error}"
            self.problems.append(Problem(source, f"{key.kind} {key.namespace}/{key.name}", (fault,)))
            return None
        children = tuple(finished(child, raw) for child in plan.children or ())
        self._planned[key] = planned = Planned(key, source, plan, children)
        self._children |= {self._named(child): child for child in children}
        return planned

    async def _decide(self, key: Key, resource: Resource[Any]) -> Plan:
        kind = self._kinds[key.kind]
        own: frozenset[Identity] = frozenset()
        outcomes: dict[str, Outcome] = {}
        for _ in range(PASSES):
            reader = PreviewReader(self, key, own, outcomes)
            plan = kind.plan(resource, await kind.look(resource, reader), self.now)
            made = {identity(child, key.namespace) for child in plan.children or ()} & reader.read
            awaited = [c for c in plan.checks if c.name not in outcomes]
            brought = {c.name: await foreseen(c, self.placeholders, self.now, self.drivers) for c in awaited}
            found = {name: outcome for name, outcome in brought.items() if outcome}
            if made <= own and not found:
                break
            own, outcomes = own | made, {**outcomes, **found}
        for _, child, namespace, name in own:
            self.assumptions.forget(child, namespace, name)
        return plan

    async def find(self, wanted: Identity) -> Manifest | None:
        """An object by all that is known; one of ours is planned first, so that its children are there too."""
        api_version, kind, namespace, name = wanted
        if api_version == API_VERSION:
            return await self._resource(Key(kind, namespace, name))
        for known in (self._others, self._children):
            if wanted in known:
                return known[wanted]
        found = await self._beyond.get(wanted)
        if found is None and not self._beyond.certain(wanted):
            found = self.assumptions.get(api_version, kind, name, namespace)
        return found

    async def _resource(self, key: Key) -> Manifest | None:
        if key not in self._resources:
            wanted = (API_VERSION, *key)
            found = await self._beyond.get(wanted)
            if found is None and not self._beyond.certain(wanted):
                found = self.assumptions.get(API_VERSION, key.kind, key.name, key.namespace)
            if found is None:
                return None
            self._know(key, dict(found), "")
        await self._plan(key)
        return self._resources[key][1]

    async def all(self, api_version: str, kind: str, namespace: str) -> list[Manifest]:
        """All objects of a kind in a namespace, sorted by name."""
        names = list(self._names.get((api_version, kind, namespace), ()))
        found = {name: o for name in names if (o := await self.find((api_version, kind, namespace, name)))}
        beyond = {o["metadata"]["name"]: o for o in await self._beyond.list(api_version, kind, namespace)}
        return [o for _, o in sorted({**beyond, **found}.items())]

    def claimants(self, claim: str) -> tuple[Claimant, ...]:
        """Who claims this, oldest first."""
        return tuple(sorted(self._claims.get(claim, ())))

    def planned_child(self, wanted: Identity) -> Manifest | None:
        """A child that an object of the files would have."""
        return self._children.get(wanted)

    def unseen_secret(self, name: str, namespace: str) -> Mapping[str, bytes] | None:
        """The data of a Secret that is nowhere; None where it is known not to be there."""
        certain = self._beyond.certain(("v1", "Secret", namespace, name))
        return None if certain else self.assumptions.secret(name, namespace)

    def unseen_config_map(self, name: str, namespace: str) -> Mapping[str, str] | None:
        """As `unseen_secret`."""
        certain = self._beyond.certain(("v1", "ConfigMap", namespace, name))
        return None if certain else self.assumptions.config_map(name, namespace)

    def stand_in(self, key: str, name: str, namespace: str) -> bytes:
        """What stands for the value of a Secret's entry."""
        return self.placeholders.entry(key, "Secret", namespace, name).encode()
