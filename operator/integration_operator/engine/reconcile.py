"""One object, one pass: look, plan, apply, status. Every pass ends in a condition, a timer or a back-off."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import ValidationError

from integration_operator.core.errors import Forbidden, IntegrationError, Invalid, NotLeading, UserError
from integration_operator.core.kind import Kind
from integration_operator.core.model import GROUP, Resource
from integration_operator.core.plan import Check, Condition, External, Manifest, Plan, with_ready
from integration_operator.core.ports import Key
from integration_operator.engine import audit, metrics, status
from integration_operator.engine.apply import Applier, NameTaken
from integration_operator.engine.checks import Checks
from integration_operator.engine.cluster import NotFound, NotServed
from integration_operator.engine.external import Externals, Record, as_status, leaving, recorded, records
from integration_operator.engine.objects import Dependencies, Objects
from integration_operator.engine.reader import EngineReader
from integration_operator.engine.writer import Writer

log = structlog.get_logger("reconcile")

FINALIZER = f"{GROUP}/external"
"""On objects that have something in an outside system which goes with them."""
ABANDON = f"{GROUP}/abandon-external"
"""Annotation, "true": let the object go although what it has outside can't be removed."""
UNSEEN_SECONDS = 60.0
"""How soon to look again where a change would not be seen: what refused us, or a child that can't be watched."""

EXTERNAL_SECONDS = 60.0
"""How often what is outside is looked at, since nothing tells of a change there."""


@dataclass(frozen=True)
class Result:
    """How a pass ended: when to come again, and whether it was without trouble."""

    again_in: float | None = None
    error: IntegrationError | None = None


class Reconciler:
    """Serves every kind alike; what differs is in their `look` and `plan`."""

    def __init__(
        self,
        kinds: Mapping[str, Kind[Any, Any]],
        objects: Objects,
        dependencies: Dependencies,
        checks: Checks,
        applier: Applier,
        externals: Externals,
        writer: Writer,
        reader: Callable[[Key], EngineReader],
        again: Callable[[Key], None],
    ) -> None:
        """`reader` makes one for a look; `again` puts a key into the queue."""
        self._kinds, self._objects, self._dependencies = kinds, objects, dependencies
        self._checks, self._applier, self._externals, self._writer = checks, applier, externals, writer
        self._reader, self._again = reader, again

    async def reconcile(self, key: Key) -> Result:
        """One pass. Errors that time may mend come back in the result, others end as a condition."""
        raw = self._objects.get(key)
        if raw is None:
            self.forget(key)
            return Result()
        kind = self._kinds[key.kind]
        try:
            return await self._pass(key, kind, raw)
        except NotFound as error:
            # The object or its namespace is going: the watch will tell; until then there is nothing to write to.
            log.info("gone", object=str(key), detail=str(error))
            return Result(error=None if raw["metadata"].get("deletionTimestamp") else error)
        except IntegrationError as error:
            return Result(error=error)

    def forget(self, key: Key) -> None:
        """The object is gone: so is all that was remembered for it."""
        self._dependencies.remember(key, ())
        self._checks.forget(key)
        self._applier.forget(key)
        metrics.forget(key)

    async def _pass(self, key: Key, kind: Kind[Any, Any], raw: dict[str, Any]) -> Result:
        if _held(raw) and (raw["metadata"].get("annotations") or {}).get(ABANDON) == "true":
            await self._finalizer(key, raw, False)  # before all else: whatever is wrong with it must not keep it
            return Result()
        try:
            resource = kind.model.model_validate(raw)
        except ValidationError as error:
            invalid = _invalid(error)
            if _held(raw):
                return await self._hold(key, raw, invalid.reason, invalid.message)
            await self._status(key, raw, Plan(with_ready([invalid])), recorded(raw))
            return Result()
        reader = self._reader(key)
        try:
            world = await kind.look(resource, reader)
        except Forbidden as error:
            await self._unknown(key, raw, error.reason, str(error))
            raise
        finally:
            self._dependencies.remember(key, reader.read)
        now = datetime.now(UTC)
        plan = kind.plan(resource, world, now)
        if resource.deleting:
            return await self._delete(key, raw, plan)
        raw, plan, failure = await self._carry_out(key, kind, raw, resource, plan)
        self._checks.want(key, resource.metadata.uid, plan.checks)
        done = failure is None and plan.external is not None
        if isinstance(failure, NameTaken):
            # Before the status tells of it: who reads that may free the name at once.
            self._dependencies.remember(key, {*reader.read, failure.taken})
        known = records(plan.external or ()) if done else recorded(raw)
        await self._status(key, raw, plan, known, reader.unsettled)
        if failure is not None and failure.retry:
            return Result(error=failure)
        again_in = UNSEEN_SECONDS if failure or self._applier.unseen(plan.children or ()) else None
        outside = EXTERNAL_SECONDS if plan.external else None
        return Result(again_in=_soonest(reader.again_in, again_in, outside, _until(plan.requeue_at)))

    async def _carry_out(
        self, key: Key, kind: Kind[Any, Any], raw: dict[str, Any], resource: Resource[Any], plan: Plan
    ) -> tuple[dict[str, Any], Plan, IntegrationError | None]:
        try:
            if plan.external is not None:
                raw = await self._put_on_record(key, raw, plan.external)
                await self._externals.ensure(key, raw, plan.external)
            if plan.children is not None:
                await self._applier.children(key, raw, kind, plan.children, plan.kept)
            if plan.external is not None:
                raw = await self._drop_what_left(key, raw, plan.external, plan)
        except UserError as error:
            return raw, _failed(plan, error, False), error
        except NotServed as error:
            return raw, _failed(plan, error, None), error
        except (NotLeading, NotFound):
            raise
        except IntegrationError as error:
            return raw, _failed(plan, error, None), error
        return raw, plan, None

    async def _put_on_record(self, key: Key, raw: dict[str, Any], planned: tuple[External, ...]) -> dict[str, Any]:
        """Finalizer and record come before what they are for: what is made and not recorded would stay for ever."""
        before, wanted = recorded(raw), records(planned)
        known = (*wanted, *leaving(before, wanted))
        raw = await self._finalizer(key, raw, any(record.delete for record in known))
        if set(known) == set(before):
            return raw
        written = await self._writer.status(key, raw["metadata"]["uid"], as_status(known))
        if recorded(written) != known:
            raise RuntimeError(f"the CRD of {key.kind} drops status.external: its Status must be an ExternalStatus")
        if self._objects.put(written, own=True):
            self._again(key)
        # The spec stays the one that is planned for, though a newer one may have come by now.
        meta = {**raw["metadata"], "resourceVersion": written["metadata"]["resourceVersion"]}
        return {**raw, "metadata": meta, "status": written["status"]}

    async def _drop_what_left(
        self, key: Key, raw: dict[str, Any], planned: tuple[External, ...], plan: Plan
    ) -> dict[str, Any]:
        """Last: until now, children may have used what goes."""
        wanted = records(planned)
        await self._externals.drop(key, raw, leaving(recorded(raw), wanted), plan.access)
        return await self._finalizer(key, raw, any(record.delete for record in wanted))

    async def _finalizer(self, key: Key, raw: dict[str, Any], needed: bool) -> dict[str, Any]:
        present = list(raw["metadata"].get("finalizers") or ())
        if (FINALIZER in present) == needed:
            return raw
        wanted = [*present, FINALIZER] if needed else [f for f in present if f != FINALIZER]
        with audit.recorded("hold" if needed else "release", f"{key.kind}/{key.name}", key, raw):
            written = await self._writer.finalizers(key, raw, wanted)
        self._objects.put(written, own=True)
        return self._objects.get(key) or raw

    async def _delete(self, key: Key, raw: dict[str, Any], plan: Plan) -> Result:
        if not _held(raw):
            return Result()
        before, wanted = recorded(raw), records(plan.external or ())
        if plan.external is None and not before:
            ready = next(c for c in plan.conditions if c.type == "Ready")
            return await self._hold(key, raw, ready.reason, f"what it has outside is not known: {ready.message}")
        try:
            access = {**plan.access, **{e.system: e.access for e in plan.external or ()}}
            await self._externals.drop(key, raw, (*wanted, *leaving(before, wanted)), access)
        except NotLeading:
            raise
        except IntegrationError as error:
            await self._hold(key, raw, error.reason, str(error))
            return Result(error=error)
        await self._finalizer(key, raw, False)
        return Result()

    async def _hold(self, key: Key, raw: dict[str, Any], reason: str, why: str) -> Result:
        """It can't be let go of yet: say why, and how to do it all the same."""
        hint = f"{why}; to let go of it all the same, set the annotation {ABANDON}=true"
        await self._status(key, raw, Plan(with_ready([Condition("Released", False, reason, hint)])), recorded(raw))
        return Result()

    async def report_bug(self, key: Key) -> None:
        """A pass failed in a way that nobody foresaw: the object says so, without a traceback."""
        if raw := self._objects.get(key):
            await self._unknown(key, raw, "InternalError", "a bug of the operator: its log has the details")

    async def _unknown(self, key: Key, raw: Manifest, reason: str, message: str) -> None:
        now = datetime.now(UTC)
        new = status.unknown(raw.get("status") or {}, reason, message, raw["metadata"].get("generation", 0), now)
        await self._write(key, raw, new, now)

    async def _status(
        self, key: Key, raw: Manifest, plan: Plan, known: tuple[Record, ...], unsettled: Collection[str] = ()
    ) -> None:
        """`known` is what is on record of things outside, `unsettled` names checks that the plan did not know yet."""
        now = datetime.now(UTC)
        old = raw.get("status") or {}
        generation = raw["metadata"].get("generation", 0)
        awaited = any(c.first_at is None and (c.name in unsettled or self._unsettled(key, c)) for c in plan.checks)
        new = status.merge(old, {**plan.status, **as_status(known)}, plan.conditions, generation, now, awaited=awaited)
        await self._write(key, raw, new, now)

    def _unsettled(self, key: Key, check: Check) -> bool:
        return self._checks.outcome(key, check.name) is None

    async def _write(self, key: Key, raw: Manifest, new: Mapping[str, Any], now: datetime) -> None:
        old = raw.get("status") or {}
        metrics.count(key, status.ready(new)[0])
        changes = status.patch(old, new)
        if not changes:
            return
        written = await self._writer.status(key, raw["metadata"]["uid"], changes)
        if self._objects.put(written, own=True):
            self._again(key)
        await self._tell(key, raw, status.ready(old), status.ready(new), now)

    async def _tell(
        self, key: Key, raw: Manifest, before: tuple[str, str, str], after: tuple[str, str, str], now: datetime
    ) -> None:
        """An Event for every change of Ready to or from False, and for another reason of False: that is a warning."""
        if before[:2] == after[:2] or "False" not in (before[0], after[0]):
            return
        warning = after[0] == "False"
        try:
            await self._writer.event(key, raw, after[1], after[2] or after[1], warning, now)
        except IntegrationError as error:  # an Event is a courtesy: its loss must not repeat a reconcile
            log.info("event not written", object=str(key), detail=str(error))


def _held(raw: Mapping[str, Any]) -> bool:
    """Whether it is being deleted and waits for us."""
    meta = raw["metadata"]
    return bool(meta.get("deletionTimestamp")) and FINALIZER in (meta.get("finalizers") or ())


def _invalid(error: ValidationError) -> Condition:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return Condition("Accepted", False, Invalid.reason, f"{where}: {first['msg']}{more}")


def _failed(plan: Plan, error: IntegrationError, verdict: bool | None) -> Plan:
    """The plan could not be carried out: Programmed (and so Ready) says why."""
    kept = [c for c in plan.conditions if c.type not in ("Programmed", "Ready")]
    return replace(plan, conditions=with_ready([*kept, Condition("Programmed", verdict, error.reason, str(error))]))


def _until(at: datetime | None) -> float | None:
    return None if at is None else max(0.0, (at - datetime.now(UTC)).total_seconds())


def _soonest(*seconds: float | None) -> float | None:
    return min((s for s in seconds if s is not None), default=None)
