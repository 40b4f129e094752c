"""Things in outside systems: recorded before they are made, healed, and deleted once they leave the plan.

The record is the field `external` of an object's status. Without it nobody would know, after a change of the plan or a
restart in the wrong moment, what there is to delete. It lies in the status since only the operator may write there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from integration_operator.core.errors import IntegrationError, PassingError
from integration_operator.core.plan import External, Manifest
from integration_operator.core.ports import Key
from integration_operator.drivers.base import ExternalDriver
from integration_operator.engine import audit
from integration_operator.engine.writer import Writer

FIELD = "external"


class SystemUnknown(PassingError):
    """Nobody says how to reach the system in which something is left."""

    reason = "SystemUnknown"


class Record(NamedTuple):
    """One thing that may exist outside, and whether it is deleted with the object or by leaving the plan."""

    driver: str
    system: str
    key: str
    delete: bool

    @property
    def thing(self) -> tuple[str, str, str]:
        """Which one it is, whatever becomes of it."""
        return self.driver, self.system, self.key


def recorded(owner: Manifest) -> tuple[Record, ...]:
    """What an object's status has on record."""
    found = (owner.get("status") or {}).get(FIELD) or ()
    return tuple(Record(one["driver"], one.get("system", ""), one["key"], one.get("delete", False)) for one in found)


def records(planned: Iterable[External]) -> tuple[Record, ...]:
    """What is put on record of a plan."""
    return tuple(Record(e.driver, e.system, e.key, e.delete) for e in planned)


def leaving(before: Iterable[Record], planned: Iterable[Record]) -> tuple[Record, ...]:
    """What is on record and no longer planned."""
    things = {record.thing for record in planned}
    return tuple(record for record in before if record.thing not in things)


def as_status(known: Iterable[Record]) -> dict[str, Any]:
    """The record as it stands in the status; nothing where there is nothing."""
    listed = [record._asdict() for record in known]
    return {FIELD: listed} if listed else {}


class Externals:
    """Carries out what plans want outside; every step is recorded in the audit log, and safe to come late."""

    def __init__(self, writer: Writer, drivers: Mapping[str, ExternalDriver]) -> None:
        self._writer, self._drivers = writer, drivers

    async def ensure(self, key: Key, owner: Manifest, planned: Iterable[External]) -> None:
        """Make everything that is planned as it is desired; what is so already is left alone."""
        for external in planned:
            one, driver = replace(external, owner=str(key)), self._driver(external.driver)
            target = f"{one.driver}/{one.key}"
            self._writer.permit()
            try:
                if await driver.observe(one) == one.desired:
                    continue
                await driver.ensure(one)
            except IntegrationError as error:
                audit.record("ensure", target, key, owner, "failed", error.reason)
                raise
            audit.record("ensure", target, key, owner)

    async def drop(self, key: Key, owner: Manifest, left: Iterable[Record], access: Mapping[str, Any]) -> None:
        """Delete what goes, by its record; what is to be retained is only let go of."""
        for record in left:
            target = f"{record.driver}/{record.key}"
            if not record.delete:
                audit.record("release", target, key, owner)
                continue
            self._writer.permit()
            with audit.recorded("delete", target, key, owner):
                if record.system and record.system not in access:
                    raise SystemUnknown(f"{record.key} is left in {record.system}, which is not known any more")
                way = access.get(record.system)
                gone = External(record.driver, record.key, None, True, record.system, access=way, owner=str(key))
                await self._driver(record.driver).delete(gone)

    def _driver(self, name: str) -> ExternalDriver:
        try:
            return self._drivers[name]
        except KeyError:
            raise SystemUnknown(f"this operator has no driver {name}") from None
