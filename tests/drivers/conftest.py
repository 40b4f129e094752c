"""Real systems, one of each for every worker, and certificates that are good, foreign or expired."""

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dev.controlplane import free_ports
from dev.pki import Authority
from dev.processes import started_at
from dev.systems.keycloak import Client, Keycloak
from dev.systems.nginx import Accepted, Nginx
from dev.systems.postgresql import Postgresql

TOKEN_ANSWERS = {
    "/token/unsaid": (200, '{"access_token": "t", "token_type": "Bearer"}'),
    "/token/text": (200, '{"access_token": "t", "token_type": "bearer", "expires_in": "120"}'),
    "/token/ended": (200, '{"access_token": "t", "token_type": "Bearer", "expires_in": 0}'),
    "/token/past": (200, '{"access_token": "t", "token_type": "Bearer", "expires_in": -60}'),
    "/token/endless": (200, '{"access_token": "t", "token_type": "Bearer", "expires_in": 1e300}'),
    "/token/infinite": (200, '{"access_token": "t", "token_type": "Bearer", "expires_in": Infinity}'),
    "/token/nan": (200, '{"access_token": "t", "token_type": "Bearer", "expires_in": NaN}'),
    "/token/mac": (200, '{"access_token": "t", "token_type": "mac", "expires_in": 60}'),
    "/token/untyped": (200, '{"access_token": "t", "expires_in": 60}'),
    "/token/empty": (200, '{"access_token": "", "token_type": "Bearer", "expires_in": 60}'),
    "/token/split": (200, '{"access_token": "a\\\\nb", "token_type": "Bearer", "expires_in": 60}'),
    "/token/list": (200, "[1]"),
    "/token/deep": (200, "[" * 3000),
    "/token/huge": (200, '{"access_token": "' + "x" * 3000 + '", "token_type": "Bearer", "expires_in": 60}'),
    "/token/page": (200, "<html>log in</html>"),
    "/token/scope": (400, '{"error": "invalid_scope", "error_description": "SECRET"}'),
    "/token/grant": (400, '{"error": "unsupported_grant_type"}'),
    "/token/unauthorized": (400, '{"error": "unauthorized_client"}'),
    "/token/unknown": (400, '{"error": "SECRET"}'),
    "/token/bare401": (401, ""),
    "/token/bare403": (403, ""),
    "/token/busy": (429, ""),
    "/token/broken": (503, "<html>SECRET</html>"),
    "/token/moved": (307, "https://elsewhere.example.com/token"),
}
"""What a token endpoint may answer, right or wrong, that a good one never would."""

CLIENTS = [
    Client("orders", "right: +%&=\u00e4"),
    Client("disabled", "disabled-secret"),
    Client("changed", "changed-secret"),
    Client("lasting", "lasting-secret"),
    Client("brief", "brief-secret", token_seconds=2),
]


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
    with Nginx(home / "nginx", authority, accepted=accepted, answers=TOKEN_ANSWERS) as system:
        yield system


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    """One for all workers, since it is slow to start: each client that a test changes is of that test alone.

    The first who needs it starts it, the last who leaves ends it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "keycloak"
    users = folder / "users"
    users.mkdir(parents=True, exist_ok=True)
    me, lock, port = users / str(os.getpid()), folder / "lock", folder / "port"
    with held(lock):
        me.touch()
        if not port.exists():
            port.write_text(str(free_ports(1)[0]))
        system = Keycloak(folder, Authority(folder / "pki"), port=int(port.read_text()), clients=CLIENTS)
        system.start()
    try:
        yield system
    finally:
        with held(lock):
            me.unlink()
            if not any(started_at(int(user.name)) for user in users.iterdir()):
                system.stop()
                shutil.rmtree(folder)


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """One process at a time."""
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


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
