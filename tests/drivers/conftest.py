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
def keycloak(home: Path, authority: Authority) -> Iterator[Keycloak]:
    """Slow to start: its tests are of one group, and so of one worker."""
    clients = [
        Client("orders", "right: +%&=\u00e4"),
        Client("lasting", "lasting-secret"),
        Client("brief", "brief-secret", token_seconds=2),
    ]
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
