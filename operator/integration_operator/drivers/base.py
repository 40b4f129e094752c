"""What a driver is: neutral nouns and protocols. A driver is the one file that talks to one outside product."""

from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

from integration_operator.core.plan import External, Outcome
from integration_operator.drivers.gateway import GatewayDriver


@runtime_checkable
class Probe(Protocol):
    """Asks one outside system whether it works, with the protocol that real clients speak."""

    name: str

    async def probe(self, target: Any, timeout: timedelta) -> Outcome:
        """One attempt on a new connection. Never raises for what the other side does: that is an outcome."""
        ...


@runtime_checkable
class ExternalDriver(Protocol):
    """Keeps things in an outside system as planned. All methods are idempotent.

    They raise core.errors.Unavailable when the system can't be reached and UserError when it refuses. Where the system
    has room for a mark, things are marked with `external.owner`, and what is marked as another's is never touched:
    `observe` and `ensure` raise core.errors.TakenOutside, `delete` leaves it.
    """

    name: str

    async def observe(self, external: External) -> Any | None:
        """What is there now, in the terms of `external.desired`; None when nothing is."""
        ...

    async def ensure(self, external: External) -> None:
        """Make it as desired: it was seen to be otherwise."""
        ...

    async def delete(self, external: External) -> None:
        """Remove it (`desired` is None); no error when it is gone already."""
        ...


Driver = Probe | ExternalDriver | GatewayDriver
