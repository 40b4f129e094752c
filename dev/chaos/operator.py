"""The operator as it is, and besides a kind with something in an outside system: a folder that CHAOS_FOLDER names."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import uvloop

from integration_operator import registry
from integration_operator.core.addresses import Outbound
from integration_operator.core.plan import External
from integration_operator.engine import logs
from integration_operator.main import run
from integration_operator.registry.drivers import DRIVERS
from integration_operator.settings import Settings
from tests.api.engine.widgets import WIDGET, Scripted

SLOW_SECONDS = 0.02
"""What the outside system takes for a change: long enough to be killed in the middle."""


class Folder:
    """A driver whose outside system is a folder: one file a thing."""

    name = "memory"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def observe(self, external: External) -> Any | None:
        """See drivers.base.ExternalDriver."""
        path = self._folder / external.key
        return json.loads(path.read_text()) if path.exists() else None

    async def ensure(self, external: External) -> None:
        """See drivers.base.ExternalDriver."""
        await asyncio.sleep(SLOW_SECONDS)
        whole = self._folder / f".{external.key}"
        whole.write_text(json.dumps(external.desired))
        whole.rename(self._folder / external.key)

    async def delete(self, external: External) -> None:
        """See drivers.base.ExternalDriver."""
        await asyncio.sleep(SLOW_SECONDS)
        (self._folder / external.key).unlink(missing_ok=True)


def folder(_: Outbound) -> Folder:
    """The driver, as the registry's factories are called."""
    return Folder(Path(os.environ["CHAOS_FOLDER"]))


def scripted(_: Outbound) -> Scripted:
    """The widget's probe."""
    return Scripted()


if __name__ == "__main__":
    settings = Settings.load()
    logs.configure(settings.log_level)
    uvloop.run(run(settings, (*registry.KINDS, WIDGET), (*DRIVERS, folder, scripted)))
