"""A kind: its model, how it looks at the world, and how it decides."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from integration_operator.core.model import Resource, Status
from integration_operator.core.plan import Plan
from integration_operator.core.ports import Environment, Reader

ResourceT = TypeVar("ResourceT", bound="Resource[Any]")
WorldT = TypeVar("WorldT")


@dataclass(frozen=True)
class Column:
    """A printer column of `kubectl get`."""

    name: str
    json_path: str
    type: str = "string"
    description: str = ""
    priority: int = 0


READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status', description="Whether it works.")
REASON = Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', description="Why it does or does not.")
AGE = Column("Age", ".metadata.creationTimestamp", type="date", description="Time since creation.")


def _no_claims(_: Any, __: Environment) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Kind(Generic[ResourceT, WorldT]):
    """All that the engine needs to serve a kind."""

    name: str
    plural: str
    model: type[ResourceT]
    status: type[Status]
    look: Callable[[ResourceT, Reader], Awaitable[WorldT]]
    plan: Callable[[ResourceT, WorldT, datetime], Plan]
    short_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    """Those before Ready, Reason and Age, which every kind has."""
    selectable_fields: tuple[str, ...] = ()
    claims: Callable[[ResourceT, Environment], Iterable[str]] = field(default=_no_claims)
    """Strings that an object lays claim to, cheaply, from its spec and the settings alone: see Reader.claimants."""
    children: tuple[tuple[str, str], ...] = ()
    """(apiVersion, kind) of every child that a plan may have: what is watched, pruned, and granted in RBAC."""
    description: str = ""

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Printer columns in their order."""
        return (*self.columns, READY, REASON, AGE)
