"""All kinds and all drivers, as two literal tuples. Importing a kind or a driver registers nothing by itself."""

from typing import Any

from integration_operator.core.kind import Kind
from integration_operator.drivers.base import Driver

KINDS: tuple[Kind[Any, Any], ...] = ()

DRIVERS: tuple[type[Driver], ...] = ()
