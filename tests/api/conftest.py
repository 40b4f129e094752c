"""One API server a test process, one namespace a test, and operators that run as the product does."""

import asyncio
import contextlib
import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog

from dev.controlplane import free_ports
from integration_operator.core.addresses import Outbound
from integration_operator.core.ports import Environment
from integration_operator.engine import handlers
from integration_operator.engine.cluster import Cluster
from integration_operator.engine.engine import Engine
from integration_operator.main import running
from integration_operator.settings import Settings
from tests.api.engine.widgets import CRD, WIDGET, Memory, Scripted
from tests.api.kube import AuditedApiServer, Kube, connect, generated, install, until
from tests.api.proxy import Proxy


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """One line a log entry; drawing tracebacks in colour takes longer than the tests."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )


@pytest.fixture(scope="session")
def server() -> Iterator[AuditedApiServer]:
    with AuditedApiServer() as server:
        asyncio.run(install(server, CRD, *generated()))
        yield server


@pytest.fixture
async def kube(server: AuditedApiServer, request: pytest.FixtureRequest) -> AsyncIterator[Kube]:
    """A namespace of this test's own."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:50].strip("-")
    async with Kube(server, f"{name}-{uuid.uuid4().hex[:5]}") as kube:
        yield kube


@pytest.fixture
async def proxy(server: AuditedApiServer) -> AsyncIterator[Proxy]:
    async with Proxy(server).running() as proxy:
        yield proxy


@dataclass
class Operator:
    """A running operator of widgets, in this very process."""

    engine: Engine
    memory: Memory
    scripted: Scripted
    settings: Settings
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where its health server listens."""
        return f"http://127.0.0.1:{self.settings.port}"

    async def quiet(self) -> None:
        """Wait until it knows all objects and has nothing to do."""
        await until(lambda: self.engine.known.is_set() and self.engine.quiet, "the operator has nothing to do")


Operating = Callable[..., contextlib.AbstractAsyncContextManager[Operator]]


@pytest.fixture
def operator(server: AuditedApiServer, kube: Kube) -> Operating:
    """`async with operator() as op:` runs one as the product does: watches by kopf, election, health server."""

    @contextlib.asynccontextmanager
    async def operate(
        *,
        url: str | None = None,
        kubeconfig: Path | None = None,
        memory: Memory | None = None,
        kinds: Any = (WIDGET,),
        drivers: Any = (),
        **changes: Any,
    ) -> AsyncIterator[Operator]:
        (port,) = free_ports(1)
        settings = Settings(
            **{
                "environment": Environment(namespace=kube.namespace),
                "identity": f"test-{port}",
                "host": "127.0.0.1",
                "port": port,
                **changes,
            }
        )
        cluster = await (Cluster.connect(str(kubeconfig)) if kubeconfig else connect(server, url))
        memory, scripted = memory or Memory(), Scripted()

        def of_rules(rules: Outbound) -> Scripted:
            scripted.rules = rules
            return scripted

        async with running(cluster, settings, kinds, [lambda _: memory, of_rules, *drivers]) as engine:
            op = Operator(engine, memory, scripted, settings)
            watching = asyncio.create_task(handlers.watch(engine, cluster, kinds, settings, op.stop))
            try:
                yield op
            finally:
                op.stop.set()
                await watching

    return operate
