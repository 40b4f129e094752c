"""The measure: an asyncio client with nothing but a session, that writes the objects that the operator wrote.

`python -m dev.bench.bare write|relay KUBECONFIG OBJECTS NAMESPACE` runs as a process of its own, like the operator;
OBJECTS has one JSON object a line: {"name": …, "child": …, "status": …}.
"""

import argparse
import asyncio
import json
import resource
import ssl
import sys
import tempfile
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvloop

CONCURRENCY = 16
ROUTES = "/apis/integration.threehorizons.io/v1alpha1/namespaces/{}/apiroutes"
CHILDREN = "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes"


class Client:
    """A session with the client certificate of a kubeconfig."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        found = json.loads(kubeconfig.read_text())
        cluster, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
        context = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"]))
            pair.flush()
            context.load_cert_chain(pair.name)
        self.base = cluster["server"]
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, limit=64))
        self.routes, self.children = ROUTES.format(namespace), CHILDREN.format(namespace)

    async def apply(self, child: dict[str, Any]) -> None:
        """Server-side apply of a child."""
        params = {"fieldManager": "bare", "force": "true"}
        url = f"{self.base}{self.children}/{child['metadata']['name']}"
        await self._patch(url, child, "application/apply-patch+yaml", params)

    async def status(self, name: str, status: dict[str, Any]) -> None:
        """Merge-patch of a status."""
        url = f"{self.base}{self.routes}/{name}/status"
        await self._patch(url, {"status": status}, "application/merge-patch+json", {})

    async def _patch(self, url: str, body: Any, content_type: str, params: dict[str, str]) -> None:
        headers = {"Content-Type": content_type}
        data = msgspec.json.encode(body)
        async with self.session.patch(url, data=data, headers=headers, params=params) as response:
            answer = await response.read()
            if response.status >= 400:
                sys.exit(f"bare client: HTTP {response.status}: {answer[:500].decode(errors='replace')}")


async def write(client: Client, objects: list[dict[str, Any]]) -> None:
    """Child and status of each object, so many objects at once."""
    queue = iter(objects)

    async def work() -> None:
        for found in queue:
            await client.apply(found["child"])
            await client.status(found["name"], found["status"])

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


async def relay(client: Client, objects: list[dict[str, Any]]) -> None:
    """Watch ApiRoutes and apply the child with the route's time-out at each change: an operator with no thought."""
    children = {o["name"]: o["child"] for o in objects}
    async with client.session.get(f"{client.base}{client.routes}", params={"limit": "1"}) as response:
        version = (await response.json())["metadata"]["resourceVersion"]
    params = {"watch": "true", "resourceVersion": version}
    timeout = aiohttp.ClientTimeout(total=None)
    url = f"{client.base}{client.routes}"
    async with client.session.get(url, params=params, timeout=timeout, read_bufsize=2**20) as response:
        print("watching", flush=True)
        async for line in response.content:
            changed = msgspec.json.decode(line)["object"]
            child = children[changed["metadata"]["name"]]
            for rule in child["spec"]["rules"]:
                rule["timeouts"] = {"request": changed["spec"]["traffic"]["timeout"]}
            await client.apply(child)


async def main() -> None:
    """Run, and print what it took as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=("write", "relay"))
    parser.add_argument("kubeconfig", type=Path)
    parser.add_argument("objects", type=Path)
    parser.add_argument("namespace")
    arguments = parser.parse_args()
    objects = [json.loads(line) for line in arguments.objects.read_text().splitlines()]
    client = Client(arguments.kubeconfig, arguments.namespace)
    began = time.monotonic()
    await (write if arguments.mode == "write" else relay)(client, objects)
    seconds = time.monotonic() - began
    await client.session.close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    # Not ru_maxrss: it begins with what the parent process had.
    status = Path("/proc/self/status").read_text()  # noqa: ASYNC240 - the work is done
    memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
    print(json.dumps({"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "memory": memory}), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
