"""A kind and drivers for tests of the engine alone: every feature that a kind may use, and nothing of any product."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field

from integration_operator.core.addresses import AddressRules, Outbound
from integration_operator.core.errors import TakenOutside, Unavailable
from integration_operator.core.kind import Kind
from integration_operator.core.model import API_VERSION, GROUP, VERSION, Model, Resource, Status, Time
from integration_operator.core.plan import Check, Condition, External, Outcome, Plan, with_ready
from integration_operator.core.ports import Claimant, Environment, Reader


class WidgetSpec(Model):
    text: str = ""
    copies: int = 1
    policy: bool = False
    port: int = 80
    hidden: bool = False
    """With a Secret among its children."""
    secret: str | None = None
    needs: str | None = None
    claim: str | None = None
    probe: str | None = None
    external: str | None = None
    more: list[str] = Field(default_factory=list)
    """Further things outside."""
    retain: bool = False
    system: str = ""
    """Where they are."""
    lost: bool = False
    """Nobody knows any more how to reach the systems."""
    until: Time | None = None
    bug: str | None = None
    """Where it raises what nobody expects: look, plan or claims."""


class Widget(Resource[WidgetSpec]):
    kind: str = "Widget"


@dataclass(frozen=True)
class World:
    secret: Mapping[str, bytes] | None
    needed: Widget | None
    claimants: tuple[Claimant, ...]
    probed: Outcome | None


async def look(widget: Widget, reader: Reader) -> World:
    spec, ns = widget.spec, widget.namespace
    _fail(spec, "look")
    return World(
        secret=await reader.secret(spec.secret, ns) if spec.secret else None,
        needed=await reader.resource(Widget, spec.needs, ns) if spec.needs else None,
        claimants=reader.claimants(spec.claim) if spec.claim else (),
        probed=reader.outcome("Reachable") if spec.probe else None,
    )


def plan(widget: Widget, world: World, now: datetime) -> Plan:
    spec = widget.spec
    _fail(spec, "plan")
    conditions = []
    if spec.secret:
        conditions.append(
            Condition("ResolvedRefs", world.secret is not None, "Found" if world.secret else "SecretNotFound")
        )
    if spec.needs:
        conditions.append(Condition("Needed", world.needed is not None, "Found" if world.needed else "WidgetNotFound"))
    if world.claimants and world.claimants[0].key.name != widget.name:
        return Plan.hold(Condition("Accepted", False, "Conflicted", f"belongs to {world.claimants[0].key.name}"))
    if spec.probe:
        conditions.append(
            world.probed.condition("Reachable") if world.probed else Condition("Reachable", None, "Pending")
        )
    token = world.secret["token"].decode() if world.secret else ""
    later = spec.until is not None and now >= spec.until
    text = "late" if later else spec.text
    children: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"{widget.name}-{i}"},
            "data": {"text": text, "token": token},
        }
        for i in range(spec.copies)
    ]
    if spec.policy:
        children.append(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": widget.name},
                "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": spec.port}]}]},
            }
        )
    if spec.hidden:
        children.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{widget.name}-made"}})
    return Plan(
        with_ready(conditions, "Made"),
        children=tuple(children),
        external=tuple(
            External("memory", key, spec.text, delete=not spec.retain, system=spec.system, access="way")
            for key in filter(None, (spec.external, *spec.more))
        ),
        access={} if spec.lost else {one["system"]: "way" for one in widget.status.get("external") or ()},
        checks=(
            (Check("Reachable", "scripted", spec.probe, timedelta(seconds=0.2), failure_threshold=3),)
            if spec.probe
            else ()
        ),
        status={"copies": spec.copies},
        requeue_at=spec.until if spec.until and not later else None,
    )


def _fail(spec: WidgetSpec, where: str) -> None:
    if spec.bug == where:
        raise RuntimeError(f"a bug in {where}")


def claims(widget: Widget, _: Environment) -> tuple[str, ...]:
    _fail(widget.spec, "claims")
    return (widget.spec.claim,) if widget.spec.claim else ()


WIDGET = Kind(
    name="Widget",
    plural="widgets",
    model=Widget,
    status=Status,
    look=look,
    plan=plan,
    claims=claims,
    children=(("v1", "ConfigMap"), ("v1", "Secret"), ("networking.k8s.io/v1", "NetworkPolicy")),
)

CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"widgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


class Gadget(Widget):
    kind: str = "Gadget"


GADGET = replace(WIDGET, name="Gadget", plural="gadgets", model=Gadget)
GADGET_CRD = json.loads(json.dumps(CRD).replace("widget", "gadget").replace("Widget", "Gadget"))
"""A second kind, whose CRD comes late."""


def widget(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": "Widget", "metadata": {"name": name}, "spec": spec}


@dataclass
class Scripted:
    """A probe that finds what the test tells it to."""

    name: str = "scripted"
    answers: dict[str, Outcome] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    rules: Outbound = field(default_factory=AddressRules)
    """Those that a driver of the product would hold its connections to."""
    hangs: set[Any] = field(default_factory=set)
    """Targets that never answer."""
    hanging: int = 0

    async def probe(self, target: Any, timeout: timedelta) -> Outcome:
        self.asked.append(target)
        if target in self.hangs:
            await self._hang()
        return self.answers.get(target, Outcome(True, "Connected"))

    async def _hang(self) -> None:
        self.hanging += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.hanging -= 1


@dataclass
class Memory:
    """An outside system in a dict, which can be made unreachable."""

    name: str = "memory"
    things: dict[str, Any] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    steps: list[tuple[str, str]] = field(default_factory=list)
    observed: int = 0
    reachable: bool = True

    async def observe(self, external: External) -> Any | None:
        self._reach(external)
        self.observed += 1
        if self._of_another(external):
            raise TakenOutside(f"{external.key} is {self.owners[external.key]}'s")
        return self.things.get(external.key)

    async def ensure(self, external: External) -> None:
        self._reach(external)
        self.steps.append(("ensure", external.key))
        self.things[external.key] = external.desired
        self.owners[external.key] = external.owner

    async def delete(self, external: External) -> None:
        self._reach(external)
        self.steps.append(("delete", external.key))
        if not self._of_another(external):
            self.things.pop(external.key, None)
            self.owners.pop(external.key, None)

    def _of_another(self, external: External) -> bool:
        return self.owners.get(external.key, external.owner) != external.owner

    def _reach(self, external: External) -> None:
        assert not external.system or external.access == "way"
        if not self.reachable:
            raise Unavailable("memory can't be reached")


def now() -> datetime:
    return datetime.now(UTC)
