"""List and watch, for the agent: small, and for ever."""

import asyncio
import json
import ssl
import tempfile
from base64 import b64decode
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp


class Api:
    """The API server of a kubeconfig with a client certificate; `server` overrides its address."""

    def __init__(self, config: Mapping[str, Any], server: str | None = None) -> None:
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._base = server or cluster["server"]
        authority = b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=authority)
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"]))
            pair.flush()
            self._context.load_cert_chain(pair.name)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._context)
        self.session = aiohttp.ClientSession(self._base, connector=connector, read_bufsize=2**24)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()

    async def send(self, method: str, path: str, body: Any = None) -> None:
        """A write; errors are left to the next look."""
        async with self.session.request(method, path, json=body) as response:
            await response.read()


class Watched:
    """All objects below a path, as they are now; `dirty` is set at every change."""

    def __init__(self, api: Api, path: str, dirty: asyncio.Event) -> None:
        self._api, self._path, self._dirty = api, path, dirty
        self.objects: dict[str, dict[str, Any]] = {}
        self.synced = asyncio.Event()

    async def follow(self) -> None:
        """List, watch, begin again."""
        while True:
            try:
                await self._watch(await self._list())
            except (aiohttp.ClientError, TimeoutError, OSError, KeyError, ValueError):
                await asyncio.sleep(0.5)

    async def _list(self) -> str:
        async with self._api.session.get(self._path) as response:
            response.raise_for_status()
            answer = await response.json()
        self.objects = {o["metadata"]["uid"]: o for o in answer["items"]}
        self.synced.set()
        self._dirty.set()
        return str(answer["metadata"]["resourceVersion"])

    async def _watch(self, version: str) -> None:
        params = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=90)
        async with self._api.session.get(self._path, params=params, timeout=timeout) as response:
            response.raise_for_status()
            async for line in response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                if event["type"] == "BOOKMARK":
                    continue
                uid = event["object"]["metadata"]["uid"]
                if event["type"] == "DELETED":
                    self.objects.pop(uid, None)
                else:
                    self.objects[uid] = event["object"]
                self._dirty.set()
