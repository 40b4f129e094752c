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

    They raise core.errors.Unavailable when the system can't be reached and UserError when it refuses.
    """

    name: str

    async def observe(self, external: External) -> Any | None:
        """What is there now, None when nothing is."""
        ...

    async def ensure(self, external: External) -> bool:
        """Make it as desired; True when something had to be changed."""
        ...

    async def delete(self, external: External) -> None:
        """Remove it; no error when it is gone already."""
        ...


Driver = Probe | ExternalDriver | GatewayDriver
