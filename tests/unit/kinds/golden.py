"""Golden files of kinds: `cases/NAME.in.yaml` (a resource and its world) against `cases/NAME.out.yaml` (the plan).

An input holds
- `now`: the time of the decision;
- `resource`: the object that is decided about;
- `cluster`: other objects (Secrets may be written with stringData), and `children`: its own as they are now;
- `with`: names of files in `cases/with/` that hold further objects, of which those in `cluster` take precedence;
- `dns`: addresses by host name; a name that is not there does not resolve. `rules: {deny, allow}` are networks;
- `outcomes`: what its checks have settled on;
- `environment`: settings of the installation that differ from their defaults.

`GOLDEN_UPDATE=1 pytest …` writes the outputs anew: read the difference before it is committed.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import yaml

from integration_operator.core.addresses import AddressRules, Resolution
from integration_operator.core.binding import is_address
from integration_operator.core.kind import Kind
from integration_operator.core.model import API_VERSION, Resource, format_duration
from integration_operator.core.plan import Manifest, Outcome, Plan
from integration_operator.core.ports import Claimant, Environment, Key
from integration_operator.registry import KINDS, LOCAL

R = TypeVar("R", bound="Resource[Any]")
Case = dict[str, Any]
Outcomes = Callable[[Case], Mapping[str, Outcome]]


def cases(test_file: str) -> list[str]:
    """Names of the cases beside a test module; there is at least one."""
    found = sorted(p.name.removesuffix(".in.yaml") for p in (Path(test_file).parent / "cases").glob("*.in.yaml"))
    assert found, f"no cases beside {test_file}"
    return found


def plain_outcomes(case: Case) -> Mapping[str, Outcome]:
    """The outcomes of a case as they are written."""
    return {name: Outcome(**given) for name, given in (case.get("outcomes") or {}).items()}


async def check(kind: Kind[Any, Any], test_file: str, name: str, outcomes: Outcomes = plain_outcomes) -> Plan:
    """Look and plan as the operator does, and compare with the golden file; the plan for further assertions."""
    plan = await decide(kind, load(test_file, name), outcomes)
    compare(plan, test_file, name)
    return plan


def load(test_file: str, name: str) -> Case:
    """The input of a case, with the objects of the files that it names."""
    folder = Path(test_file).parent / "cases"
    case: Case = yaml.safe_load((folder / f"{name}.in.yaml").read_text())
    further = [yaml.safe_load_all((folder / "with" / f"{file}.yaml").read_text()) for file in case.get("with") or ()]
    return {**case, "cluster": [*(case.get("cluster") or ()), *(o for objects in further for o in objects)]}


def compare(plan: Plan, test_file: str, name: str) -> None:
    """The plan against the golden file."""
    got = yaml.safe_dump(shown(plan), sort_keys=False, width=120, allow_unicode=True)
    golden = Path(test_file).parent / "cases" / f"{name}.out.yaml"
    if os.environ.get("GOLDEN_UPDATE") == "1":
        golden.write_text(got)
    assert golden.exists(), f"{golden.name} is missing: run with GOLDEN_UPDATE=1 and read what it writes"
    assert yaml.safe_load(got) == yaml.safe_load(golden.read_text())


async def decide(kind: Kind[Any, Any], case: Case, outcomes: Outcomes = plain_outcomes) -> Plan:
    """The plan for a case."""
    case = {**case, "resource": {"apiVersion": API_VERSION, "kind": kind.name, **case["resource"]}}
    resource = kind.model.model_validate(case["resource"])
    world = await kind.look(resource, CaseReader(case, outcomes(case), Environment(**case.get("environment") or {})))
    return kind.plan(resource, world, case["now"])


@dataclass
class CaseReader:
    """A core.ports.Reader over a case."""

    case: Case
    outcomes: Mapping[str, Outcome]
    environment: Environment = field(default_factory=Environment)

    async def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        for found in self._objects(api_version, kind, namespace):
            if found["metadata"]["name"] == name:
                return found
        return None

    async def list(
        self, api_version: str, kind: str, namespace: str, selector: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        wanted = (selector or {}).items()
        found = [
            o
            for o in self._objects(api_version, kind, namespace)
            if wanted <= (o["metadata"].get("labels") or {}).items()
        ]
        return sorted(found, key=lambda o: str(o["metadata"]["name"]))

    async def children(self) -> tuple[Manifest, ...]:
        return tuple(self.case.get("children") or ())

    async def resource(self, model: type[R], name: str, namespace: str) -> R | None:
        found = await self.get(API_VERSION, str(model.model_fields["kind"].default), name, namespace)
        return None if found is None else model.model_validate(found)

    async def secret(self, name: str, namespace: str) -> Mapping[str, bytes] | None:
        found = await self.get("v1", "Secret", name, namespace)
        if found is None:
            return None
        texts = {k: str(v).encode() for k, v in (found.get("stringData") or {}).items()}
        return {**{k: b64decode(v) for k, v in (found.get("data") or {}).items()}, **texts}

    async def config_map(self, name: str, namespace: str) -> Mapping[str, str] | None:
        found = await self.get("v1", "ConfigMap", name, namespace)
        return None if found is None else found.get("data") or {}

    async def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        found = await self.get("v1", "Namespace", namespace)
        return (found["metadata"].get("labels") or {}) if found else {}

    async def resolve(self, host: str) -> Resolution:
        addresses = [host] if is_address(host) else (self.case.get("dns") or {}).get(host)
        if addresses is None:
            return Resolution(error="Name or service not known")
        rules = AddressRules.of(**(self.case.get("rules") or {}))
        return Resolution(
            addresses=tuple(a for a in addresses if rules.permit(a)),
            denied=tuple(a for a in addresses if not rules.permit(a)),
        )

    def driver(self, name: str) -> object | None:
        made = [make(AddressRules()) for make in LOCAL]
        return next((d for d in made if d.name == name), None)

    def claimants(self, claim: str) -> tuple[Claimant, ...]:
        found = []
        for kind in KINDS:
            for raw in self._objects(API_VERSION, kind.name, None):
                if claim in kind.claims(resource := kind.model.model_validate(raw), self.environment):
                    created = resource.metadata.creation_timestamp
                    assert created, f"{resource.name} has no creationTimestamp"
                    found.append(Claimant(created, Key(kind.name, resource.namespace, resource.name)))
        return tuple(sorted(found))

    def outcome(self, check: str) -> Outcome | None:
        return self.outcomes.get(check)

    def _objects(self, api_version: str, kind: str, namespace: str | None) -> tuple[Case, ...]:
        return tuple(
            o
            for o in (self.case["resource"], *(self.case.get("cluster") or ()))
            if (o["apiVersion"], o["kind"]) == (api_version, kind)
            and namespace in (None, o["metadata"].get("namespace"))
        )


def shown(plan: Plan) -> dict[str, Any]:
    """A plan as plain data, without what its values keep out of their repr."""
    texts = {True: "True", False: "False", None: "Unknown"}
    result: dict[str, Any] = {
        "conditions": {
            c.type: f"{texts[c.status]} {c.reason}" + (f": {c.message}" if c.message else "") for c in plan.conditions
        }
    }
    result["children"] = "kept" if plan.children is None else [_readable(c) for c in plan.children]
    if plan.kept:
        result["kept"] = [" ".join(identity) for identity in sorted(plan.kept)]
    if plan.external != ():
        result["external"] = _plain(plan.external)
    if plan.checks:
        result["checks"] = _plain(plan.checks)
    result["status"] = _plain(plan.status)
    if plan.requeue_at:
        result["requeueAt"] = plan.requeue_at.isoformat()
    return result


def _readable(child: Manifest) -> dict[str, Any]:
    """A Secret with its texts; anything else as it is."""
    if child["kind"] != "Secret":
        return _plain(child)  # type: ignore[no-any-return]
    texts = {k: b64decode(v).decode() for k, v in child["data"].items()}
    assert {k: b64encode(v.encode()).decode() for k, v in texts.items()} == child["data"]
    return {**{k: _plain(v) for k, v in child.items() if k != "data"}, "stringData": texts}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        shown_fields = {f.name: getattr(value, f.name) for f in fields(value) if f.repr}
        return {k: _plain(v) for k, v in shown_fields.items() if v not in (None, (), {})}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float) else str(value)
