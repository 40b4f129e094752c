"""What a kind decides: frozen values that the engine carries out without a thought of its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

Manifest = Mapping[str, Any]
"""A Kubernetes object as plain data."""

Identity = tuple[str, str, str]
"""apiVersion, kind and name of a child."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One judgement: `status` True, False or None for Unknown; a stable reason; a message that says what to do."""

    type: str
    status: bool | None
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """Something outside to be probed, again and again, until a plan no longer asks for it.

    `target` is what the probe of that name takes: frozen, comparable, with secrets kept out of its repr.
    A changed target is probed at once; otherwise `interval` after the last probe (`first_at` for the first one), and
    sooner while the outcome is bad and in a hurry: after 1, 2, 4 … seconds, up to the interval.
    A settled good outcome turns bad only after `failure_threshold` bad ones in a row; bad turns good at once.
    """

    name: str
    driver: str
    target: Any
    interval: timedelta
    timeout: timedelta = timedelta(seconds=5)
    failure_threshold: int = 1
    first_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a probe found. `ok` None: it could not tell. `data` may hold secrets and goes nowhere but into plans."""

    ok: bool | None
    reason: str
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    at: datetime | None = None
    hurry: bool = True
    """Whether a bad outcome is asked about again soon: not where each try counts, as with a refused credential."""
    target: Any = field(default=None, repr=False, compare=False)

    def condition(self, type_: str) -> Condition:
        """This outcome as a condition."""
        return Condition(type_, self.ok, self.reason, self.message)


@dataclass(frozen=True, slots=True)
class External:
    """Something that must exist in an outside system; `key` names it there, `desired` is what its driver takes.

    With another driver, system or key it is another thing: the new one is made, then the old one goes.
    """

    driver: str
    key: str
    desired: Any
    delete: bool = False
    """Whether it is deleted when it leaves the plan or the object goes (deletionPolicy: Delete), or else stays."""
    system: str = ""
    """Which of the systems that the driver serves: a name that stays the same, as `shop/hub`; no secret."""
    access: Any = field(default=None, repr=False)
    """How to reach that system, for the driver: address, credentials. Not remembered."""
    owner: str = ""
    """Whose it is, by kind, namespace and name: set by the engine, for drivers to mark what they make."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that should be, for one object. `children` or `external` None: leave what is there."""

    conditions: tuple[Condition, ...]
    children: tuple[Manifest, ...] | None = ()
    kept: frozenset[Identity] = frozenset()
    """Children that stay as they are, beside those that are planned: neither applied nor pruned."""
    external: tuple[External, ...] | None = ()
    access: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """How to reach each system (External.system) in which something may be left: see the object's status.external."""
    checks: tuple[Check, ...] = ()
    status: Mapping[str, Any] = field(default_factory=dict)
    requeue_at: datetime | None = None

    @classmethod
    def hold(cls, *conditions: Condition, **more: Any) -> Self:
        """Blocked: say why and keep serving what is served now. The first condition is the blocker."""
        return cls(with_ready(conditions), children=None, external=None, **more)


def with_ready(conditions: Iterable[Condition], good: str = "Ready", message: str = "") -> tuple[Condition, ...]:
    """The conditions and `Ready`, which is the first False, else the first Unknown, else True for the reason `good`."""
    listed = tuple(conditions)
    blocker = next((c for c in listed if c.status is False), None) or next(
        (c for c in listed if c.status is None), None
    )
    if blocker is None:
        return (*listed, Condition("Ready", True, good, message))
    return (*listed, Condition("Ready", blocker.status, blocker.reason, blocker.message))
