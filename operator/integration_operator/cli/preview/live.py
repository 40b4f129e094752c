"""A cluster as what lies beyond the files: read-only, and honest about what may not be read."""

from pydantic import ValidationError

from integration_operator import registry
from integration_operator.cli.listing import listed
from integration_operator.cli.preview.reader import Identity
from integration_operator.core.errors import Forbidden
from integration_operator.core.model import API_VERSION
from integration_operator.core.plan import Manifest
from integration_operator.core.ports import Key
from integration_operator.engine.cluster import Cluster


class Live:
    """See preview.Beyond; every object and list is read once."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._read: dict[Identity, Manifest | None] = {}
        self._lists: dict[tuple[str, str, str], list[Manifest]] = {}
        self._forbidden: set[Identity] = set()

    @property
    def unreadable(self) -> list[str]:
        """What could not be read for want of rights."""
        return sorted(f"{kind} {namespace}/{name}".strip("/") for _, kind, namespace, name in self._forbidden)

    async def get(self, wanted: Identity) -> Manifest | None:
        """See preview.Beyond."""
        if wanted not in self._read:
            api_version, kind, namespace, name = wanted
            try:
                self._read[wanted] = await self._cluster.get(api_version, kind, namespace or None, name)
            except Forbidden:
                self._forbidden.add(wanted)
                self._read[wanted] = None
        return self._read[wanted]

    async def list(self, api_version: str, kind: str, namespace: str) -> list[Manifest]:
        """See preview.Beyond."""
        place = (api_version, kind, namespace)
        if place not in self._lists:
            try:
                self._lists[place] = list(await listed(self._cluster, *place))
            except Forbidden:
                self._forbidden.add((*place, "*"))
                self._lists[place] = []
        return self._lists[place]

    def certain(self, wanted: Identity) -> bool:
        """See preview.Beyond."""
        return wanted not in self._forbidden

    async def objects(self, namespaces: set[str]) -> dict[Key, Manifest]:
        """Every valid object of ours, since the older one has a place; where rights lack, those of these namespaces."""
        found: dict[Key, Manifest] = {}
        for kind in registry.KINDS:
            try:
                items: list[Manifest] = list(await listed(self._cluster, API_VERSION, kind.name))
            except Forbidden:
                self._forbidden.add((API_VERSION, kind.name, "*", "*"))
                items = [
                    o for namespace in sorted(namespaces) for o in await self.list(API_VERSION, kind.name, namespace)
                ]
            for item in items:
                try:
                    kind.model.model_validate(item)
                except ValidationError:
                    continue
                meta = item["metadata"]
                found[Key(kind.name, meta["namespace"], meta["name"])] = item
        return found
