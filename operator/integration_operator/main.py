"""Start-up: settings, engine, health server, watches; and an orderly end."""

import argparse
import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
import uvloop

from integration_operator import registry
from integration_operator.core.addresses import Outbound
from integration_operator.core.kind import Kind
from integration_operator.drivers import names
from integration_operator.drivers.base import Driver
from integration_operator.engine import handlers, logs, server
from integration_operator.engine.cluster import Cluster
from integration_operator.engine.engine import Engine
from integration_operator.engine.let_go import let_go
from integration_operator.engine.local_tls import LocalTls
from integration_operator.registry.drivers import DRIVERS
from integration_operator.settings import Settings


@asynccontextmanager
async def running(
    cluster: Cluster,
    settings: Settings,
    kinds: Iterable[Kind[Any, Any]],
    drivers: Iterable[Callable[[Outbound], Driver]],
) -> AsyncIterator[Engine]:
    """An engine that stands for election, with its health server; on leaving, all ends in order."""
    engine = Engine(cluster, settings, kinds, drivers)
    health = await server.serve(engine, settings)
    await engine.start()
    keeping = [LocalTls(cluster, settings, engine.leadership).keep()] if settings.local_certificate else []
    chores = [asyncio.create_task(chore) for chore in keeping]
    try:
        yield engine
    finally:
        structlog.get_logger("main").info("stopping")
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        await engine.stop()
        await health.cleanup()
        await cluster.close()
        await names.close()


async def run(
    settings: Settings,
    kinds: Sequence[Kind[Any, Any]] = registry.KINDS,
    drivers: Sequence[Callable[[Outbound], Driver]] = DRIVERS,
) -> None:
    """Serve until told to stop."""
    cluster = await Cluster.connect()
    async with running(cluster, settings, kinds, drivers) as engine:
        await handlers.watch(engine, cluster, kinds, settings, asyncio.Event())


async def leave(settings: Settings) -> None:
    """After an uninstall: take the operator's finalizer off every object."""
    cluster = await Cluster.connect()
    try:
        await let_go(cluster, registry.KINDS, settings.watch_namespaces)
    finally:
        await cluster.close()


def collect_less() -> None:
    """Spare the garbage collector what never is garbage: it took a sixth of the CPU of a start with many objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def main() -> None:
    """The process's entry point; exit code 1 where a setting is wrong, 2 where an argument is."""
    parser = argparse.ArgumentParser(prog="integration-operator", description="The operator of integrations.")
    parser.add_argument(
        "command",
        nargs="?",
        default="run",
        choices=["run", "let-go"],
        help=f"run: {run.__doc__} let-go: {leave.__doc__}",
    )
    command = parser.parse_args().command
    try:
        settings = Settings.load()
    except ValueError as error:
        sys.exit(f"integration-operator: {error}")
    logs.configure(settings.log_level)
    collect_less()
    uvloop.run(run(settings) if command == "run" else leave(settings))


if __name__ == "__main__":
    main()
