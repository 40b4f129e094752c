"""Real systems, one of each for every worker, and certificates that are good, foreign or expired."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dev.pki import Authority
from dev.systems.keycloak import Client, Keycloak
from dev.systems.nginx import Accepted, Nginx
from dev.systems.postgresql import Postgresql


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A directory for all of them, which other accounts may walk through."""
    path = Path(tempfile.mkdtemp(prefix="systems-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def authority(home: Path) -> Authority:
    """Who signs the certificates."""
    return Authority(home / "pki")


@pytest.fixture(scope="session")
def stranger(home: Path) -> Authority:
    """Another authority, which nobody trusts."""
    return Authority(home / "stranger", "somebody else")


@pytest.fixture(scope="session")
def postgresql(home: Path, authority: Authority) -> Iterator[Postgresql]:
    with Postgresql(home / "postgresql", authority) as system:
        for database in ("orders", "closed", "mtls", "certificate", "plain"):
            system.database(database)
        system.user("reader", "right: \u00e4 %\"'$", "orders", "mtls", "certificate", "plain")
        yield system


@pytest.fixture(scope="session")
def nginx(home: Path, authority: Authority) -> Iterator[Nginx]:
    accepted = Accepted(users={"reader": "right: \u00e4"}, bearers=("good-token",), keys=("good-key",))
    with Nginx(home / "nginx", authority, accepted=accepted) as system:
        yield system


@pytest.fixture(scope="session")
def keycloak(home: Path, authority: Authority) -> Iterator[Keycloak]:
    """Slow to start: its tests are of one group, and so of one worker."""
    clients = [Client("orders", "right: +%&=\u00e4"), Client("brief", "brief-secret", token_seconds=2)]
    with Keycloak(home / "keycloak", authority, clients=clients) as system:
        yield system


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """The port of a server that takes connections and never says a word."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
