"""What applying files would change in a cluster, asked of its API server by dry runs: nothing is written."""

from base64 import b64encode
from collections.abc import Mapping
from difflib import unified_diff
from typing import Any

from integration_operator import registry
from integration_operator.cli.listing import listed
from integration_operator.cli.output import to_yaml
from integration_operator.cli.preview.changes import Change, Comparison
from integration_operator.cli.preview.placeholders import Placeholders, masked
from integration_operator.cli.preview.preview import Planned, Preview
from integration_operator.core.errors import Forbidden, Refused
from integration_operator.core.model import MANAGER
from integration_operator.core.plan import Manifest
from integration_operator.core.ports import Key
from integration_operator.engine.children import DIGEST, MANAGED_BY, OWNER_KIND, OWNER_NAME, covers, owner_of
from integration_operator.engine.cluster import APPLY, Cluster, NotFound

OF_THE_SERVER = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")


class Differ:
    """Compares planned children with those of a cluster."""

    def __init__(self, cluster: Cluster, preview: Preview) -> None:
        self._cluster, self._placeholders = cluster, preview.placeholders
        self.found = Comparison()

    async def compare(self, planned: Planned) -> None:
        """Add what would change for one object; a held one keeps what it has."""
        if planned.held:
            return
        for child in planned.children:
            await self._child(planned.key, child)
        await self._gone(planned)

    async def _child(self, key: Key, child: Manifest) -> None:
        meta = child["metadata"]
        title = f"{child['kind']} {meta['namespace']}/{meta['name']}"
        try:
            await self._cluster.path(child["apiVersion"], child["kind"])
            live = await self._cluster.get(child["apiVersion"], child["kind"], meta["namespace"], meta["name"])
            if live is not None and not _same_owner(live, key, child):
                self.found.problems.append(
                    f"{title}: exists and belongs to somebody else: rename or delete one of the two"
                )
                return
            after = await self._applied(filled(child, live, self._placeholders), live)
        except NotFound as error:
            self.found.problems.append(f"{title}: {error}: install what brings it")
            return
        except Refused as error:
            self.found.problems.append(f"{title}: the cluster would refuse it: {error}")
            return
        self._note("update" if live else "create", live, after)

    async def _applied(self, child: Manifest, live: Manifest | None) -> Manifest:
        """The child as it would be after server-side apply."""
        meta = child["metadata"]
        path = await self._cluster.path(child["apiVersion"], child["kind"], meta["namespace"], meta["name"])
        params = {"fieldManager": MANAGER, "force": "true", "dryRun": "All"}
        try:
            after: Manifest = await self._cluster.request("PATCH", path, params=params, body=child, content_type=APPLY)
            return after
        except NotFound:  # its namespace is not there yet
            return child
        except Forbidden:
            self.found.unasked.add(child["kind"])
            return overlaid(live, child) if live else child

    async def _gone(self, planned: Planned) -> None:
        """Children that are there and no longer planned."""
        key = planned.key
        selector = f"{MANAGED_BY}={MANAGER},{OWNER_KIND}={key.kind},{OWNER_NAME}={key.name}"
        names = planned.plan.kept | {(c["apiVersion"], c["kind"], c["metadata"]["name"]) for c in planned.children}
        kind = next(k for k in registry.KINDS if k.name == key.kind)
        for api_version, child_kind in kind.children:
            try:
                there = await listed(self._cluster, api_version, child_kind, key.namespace, selector)
            except Forbidden:
                self.found.unasked.add(child_kind)
                continue
            for live in there:
                going = live["metadata"].get("deletionTimestamp")
                if not going and (api_version, child_kind, live["metadata"]["name"]) not in names:
                    self._note("delete", live, None)

    def _note(self, action: str, before: Manifest | None, after: Manifest | None) -> None:
        one = after or before
        assert one is not None
        meta = one["metadata"]
        place = f"{one['kind']} {meta['namespace']}/{meta['name']}"
        old, new = (self._printed(manifest) if manifest else [] for manifest in (before, after))
        lines = unified_diff(old, new, f"cluster: {place}", f"planned: {place}", n=4)
        if diff := "".join(lines):
            self.found.changes.append(Change(action, one["kind"], meta["namespace"], meta["name"], diff))

    def _printed(self, manifest: Manifest) -> list[str]:
        return to_yaml(self._placeholders.revealed(masked(bare(manifest)))).splitlines(keepends=True)


def _same_owner(live: Manifest, key: Key, child: Manifest) -> bool:
    """By labels, or by owner reference where somebody took the labels away."""
    uids = {ref["uid"] for ref in child["metadata"]["ownerReferences"]}
    references = live["metadata"].get("ownerReferences") or ()
    return owner_of(live["metadata"]) == key or any(ref.get("uid") in uids for ref in references)


def bare(manifest: Manifest) -> dict[str, Any]:
    """What people compare: without status, and what the API server and the operator keep for themselves."""
    meta = {k: v for k, v in manifest["metadata"].items() if k not in OF_THE_SERVER}
    annotations = {k: v for k, v in (meta.pop("annotations", None) or {}).items() if k != DIGEST}
    if annotations:
        meta["annotations"] = annotations
    return {**{k: v for k, v in manifest.items() if k != "status"}, "metadata": meta}


def filled(child: Manifest, live: Manifest | None, placeholders: Placeholders) -> dict[str, Any]:
    """A child with what the live one has in place of stand-ins: what can't be known can't differ."""
    if live is None:
        return dict(child)
    result: dict[str, Any] = _filled(child, live, placeholders)
    if child["kind"] == "Secret":
        there = live.get("data") or {}
        unknown = b64encode(b"-").decode()
        result["data"] = {key: there.get(key, unknown) for key in child.get("data") or {}}
    return result


def _filled(desired: Any, live: Any, placeholders: Placeholders) -> Any:
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        return {k: _filled(v, live[k], placeholders) if k in live else v for k, v in desired.items()}
    if isinstance(desired, list | tuple) and isinstance(live, list):
        if desired and all(_unknown(v, placeholders) for v in desired):
            return live  # one stand-in for as many addresses as a name has
        if len(desired) == 1 and placeholders.inside(desired) and len(live) > 1:
            every = [_filled(desired[0], one, placeholders) for one in live]
            return live if covers(live, every) else desired  # the same, each with something around it
        if len(desired) == len(live):
            return [_filled(d, v, placeholders) for d, v in zip(desired, live, strict=True)]
        return desired
    return live if _unknown(desired, placeholders) and isinstance(live, str) else desired


def _unknown(value: Any, placeholders: Placeholders) -> bool:
    """Whether a value is made of stand-ins and nothing else."""
    if isinstance(value, Mapping):
        return bool(value) and all(_unknown(v, placeholders) for v in value.values())
    return isinstance(value, str) and bool(placeholders.inside(value))


def overlaid(live: Any, desired: Any) -> Any:
    """The live value with what is desired laid over it: what an apply comes to, as near as can be told without one."""
    if isinstance(live, Mapping) and isinstance(desired, Mapping):
        return {**live, **{k: overlaid(live.get(k), v) for k, v in desired.items()}}
    return live if covers(live, desired) else desired
