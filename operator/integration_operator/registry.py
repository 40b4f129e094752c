"""All kinds and all drivers, as two literal tuples. Importing a kind or a driver registers nothing by itself."""

from collections.abc import Callable
from typing import Any

from integration_operator.core.addresses import AddressRules
from integration_operator.core.kind import Kind
from integration_operator.drivers.base import Driver

KINDS: tuple[Kind[Any, Any], ...] = ()

DRIVERS: tuple[Callable[[AddressRules], Driver], ...] = ()
