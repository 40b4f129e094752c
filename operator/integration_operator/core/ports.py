"""What kinds may ask of the engine while they look: every answer is remembered, so that a change asks them again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from integration_operator.core.addresses import Resolution
from integration_operator.core.model import Resource
from integration_operator.core.plan import Manifest, Outcome


class Key(NamedTuple):
    """One object of ours."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


class Claimant(NamedTuple):
    """An object that claims something; the oldest comes first, names decide between equals."""

    created: datetime
    key: Key


@dataclass(frozen=True)
class Environment:
    """What kinds may know of the installation."""

    namespace: str = "integration-system"
    """Where the operator runs."""
    gateway: str = "public"
    """Name of the operator's own Gateway, in `namespace`."""
    gateway_controller: str = "gateway.envoyproxy.io/gatewayclass-controller"
    """Controller of the operator's own Gateway, where its GatewayClass can't be read."""
    gateway_controller_namespace: str = "envoy-gateway-system"
    """Where the gateway's controller runs, and with it the Services of Gateways."""
    wildcard_hostnames: bool = False
    """Whether ApiRoutes may claim wildcard host names wherever a listener takes them."""


R = TypeVar("R", bound="Resource[Any]")


class Reader(Protocol):
    """All that a `look` may read. A missing thing is None, never an exception."""

    environment: Environment

    async def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        """One Kubernetes object, whole; for Secrets and ConfigMaps use the methods below."""
        ...

    async def list(
        self, api_version: str, kind: str, namespace: str, selector: Mapping[str, str] = ...
    ) -> list[Manifest]:
        """All objects of a kind in one namespace whose labels equal `selector`, sorted by name."""
        ...

    async def children(self) -> tuple[Manifest, ...]:
        """This object's own children as the cluster has them now; Secrets and ConfigMaps by metadata only."""
        ...

    async def resource(self, model: type[R], name: str, namespace: str) -> R | None:
        """One of our own objects, validated; None also where it is invalid."""
        ...

    async def secret(self, name: str, namespace: str) -> Mapping[str, bytes] | None:
        """The decoded data of a Secret."""
        ...

    async def config_map(self, name: str, namespace: str) -> Mapping[str, str] | None:
        """The data of a ConfigMap."""
        ...

    async def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """Labels of a namespace; empty where it is missing."""
        ...

    async def resolve(self, host: str) -> Resolution:
        """Addresses of a host name under the address rules; asked again about once a minute."""
        ...

    def driver(self, name: str) -> object | None:
        """The driver of that name, for what it knows (its features, how it renders); it does no I/O in a look."""
        ...

    def claimants(self, claim: str) -> tuple[Claimant, ...]:
        """Every object whose kind says that it claims this string, oldest first."""
        ...

    def outcome(self, check: str) -> Outcome | None:
        """The settled outcome of this object's check of that name; None before its first."""
        ...
