"""The Reader of a preview: files first, then what was planned from them, then what lies beyond."""

from base64 import b64decode
from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from integration_operator.core.addresses import AddressRules, Resolution
from integration_operator.core.model import API_VERSION, Resource
from integration_operator.core.plan import Manifest, Outcome
from integration_operator.core.ports import Claimant, Key

if TYPE_CHECKING:
    from integration_operator.cli.preview.preview import Preview

R = TypeVar("R", bound="Resource[Any]")

Identity = tuple[str, str, str, str]
"""apiVersion, kind, namespace, name."""


def identity(manifest: Manifest, namespace: str = "") -> Identity:
    """The identity of a manifest; `namespace` where it names none."""
    meta = manifest["metadata"]
    return manifest["apiVersion"], manifest["kind"], meta.get("namespace") or namespace, meta["name"]


class PreviewReader:
    """See core.ports.Reader. `own` are children of the object that looks: they are not there yet."""

    def __init__(self, preview: "Preview", key: Key, own: frozenset[Identity], outcomes: Mapping[str, Outcome]) -> None:
        self.environment = preview.environment
        self.read: set[Identity] = set()
        self._preview, self._key, self._own, self._outcomes = preview, key, own, outcomes

    async def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        """See core.ports.Reader."""
        wanted = (api_version, kind, namespace or "", name)
        self.read.add(wanted)
        return None if wanted in self._own else await self._preview.find(wanted)

    async def list(
        self, api_version: str, kind: str, namespace: str, selector: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        """See core.ports.Reader."""
        wanted = (selector or {}).items()
        found = await self._preview.all(api_version, kind, namespace)
        return [o for o in found if wanted <= (o["metadata"].get("labels") or {}).items()]

    async def children(self) -> tuple[Manifest, ...]:
        """See core.ports.Reader: none, as of an object that was just created."""
        return ()

    async def resource(self, model: type[R], name: str, namespace: str) -> R | None:
        """See core.ports.Reader."""
        raw = await self.get(API_VERSION, str(model.model_fields["kind"].default), name, namespace)
        try:
            return model.model_validate(raw) if raw is not None else None
        except ValidationError:
            return None

    async def secret(self, name: str, namespace: str) -> Mapping[str, bytes] | None:
        """See core.ports.Reader. Values of Secrets that were not planned here are stand-ins."""
        wanted = ("v1", "Secret", namespace, name)
        self.read.add(wanted)
        if wanted in self._own:
            return None
        if planned := self._preview.planned_child(wanted):
            return {k: b64decode(v) for k, v in (planned.get("data") or {}).items()}
        found = await self._preview.find(wanted)
        if found is None:
            return self._preview.unseen_secret(name, namespace)
        values = {**(found.get("data") or {}), **(found.get("stringData") or {})}
        return {k: self._preview.stand_in(k, name, namespace) if v else b"" for k, v in values.items()}

    async def config_map(self, name: str, namespace: str) -> Mapping[str, str] | None:
        """See core.ports.Reader."""
        found = await self.get("v1", "ConfigMap", name, namespace)
        return self._preview.unseen_config_map(name, namespace) if found is None else found.get("data") or {}

    async def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """See core.ports.Reader; the API server adds one label by itself."""
        found = await self.get("v1", "Namespace", namespace)
        labels = (found["metadata"].get("labels") or {}) if found else {}
        return {**labels, "kubernetes.io/metadata.name": namespace}

    async def resolve(self, host: str) -> Resolution:
        """See core.ports.Reader. A name is not resolved: what this machine finds is not what the cluster finds."""
        try:
            address = str(ip_address(host.strip("[]")))
        except ValueError:
            return Resolution(addresses=(self._preview.placeholders.address(host),))
        permitted = AddressRules().permit(address)
        return Resolution((address,)) if permitted else Resolution(denied=(address,))

    def driver(self, name: str) -> object | None:
        """See core.ports.Reader."""
        return self._preview.drivers.get(name)

    def claimants(self, claim: str) -> tuple[Claimant, ...]:
        """See core.ports.Reader."""
        return self._preview.claimants(claim)

    def outcome(self, check: str) -> Outcome | None:
        """See core.ports.Reader."""
        return self._outcomes.get(check)
