"""The agent of one development node: `python -m dev.node_agent --kubeconfig FILE --node NAME --data DIR`."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dev.node_agent import policies, volumes
from dev.node_agent.watch import Api, Watched


class Agent:
    """Follows the cluster; applies the table when it changes, makes and removes volumes."""

    def __init__(self, api: Api, node: str, data: Path) -> None:
        self._api, self._node, self._data = api, node, data
        self._dirty = asyncio.Event()
        self._applied = ""
        self._policies = Watched(api, "/apis/networking.k8s.io/v1/networkpolicies", self._dirty)
        self._pods = Watched(api, "/api/v1/pods", self._dirty)
        self._namespaces = Watched(api, "/api/v1/namespaces", self._dirty)
        self._claims = Watched(api, "/api/v1/persistentvolumeclaims", self._dirty)
        self._volumes = Watched(api, "/api/v1/persistentvolumes", self._dirty)

    async def run(self) -> None:
        """For ever, until cancelled; then the table goes."""
        watches = (self._policies, self._pods, self._namespaces, self._claims, self._volumes)
        tasks = [asyncio.create_task(w.follow()) for w in watches]
        try:
            for watch in watches:
                await watch.synced.wait()
            while True:
                self._dirty.clear()
                self._enforce()
                await self._provide()
                await self._dirty.wait()
                await asyncio.sleep(0.02)  # changes come in bursts
        finally:
            for task in tasks:
                task.cancel()
            _nft(f"delete table ip {policies.TABLE}")

    def _enforce(self) -> None:
        pods = [pod for raw in self._pods.objects.values() if (pod := policies.pod_of(raw))]
        namespaces = {
            o["metadata"]["name"]: o["metadata"].get("labels") or {} for o in self._namespaces.objects.values()
        }
        script = policies.table(self._node, self._policies.objects.values(), pods, namespaces)
        if script != self._applied:
            if error := _nft(script):
                report("nft refused the table", error=error[-500:])
                return
            self._applied = script
            report("policies applied", policies=len(self._policies.objects), pods=len(pods))

    async def _provide(self) -> None:
        for claim in list(self._claims.objects.values()):
            if volumes.wanted(claim, self._node):
                volume = volumes.volume(claim, self._node, self._data)
                if volume["metadata"]["name"] not in {v["metadata"]["name"] for v in self._volumes.objects.values()}:
                    await self._api.send("POST", "/api/v1/persistentvolumes", volume)
                    report("volume made", claim=claim["metadata"]["name"])
        for volume in list(self._volumes.objects.values()):
            if volumes.released(volume, self._data):
                volumes.remove(volume)
                await self._api.send("DELETE", f"/api/v1/persistentvolumes/{volume['metadata']['name']}")
                report("volume removed", volume=volume["metadata"]["name"])


def _nft(script: str) -> str:
    """Run a script in one transaction; what nft has to say against it."""
    done = subprocess.run(["nft", "-f", "-"], input=script, text=True, capture_output=True, check=False)
    return done.stderr if done.returncode else ""


def report(message: str, **more: object) -> None:
    """One line of log."""
    print(json.dumps({"message": message, **more}), flush=True)


async def main() -> None:
    """Read the arguments and run until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    config: Mapping[str, Any] = json.loads(options.kubeconfig.read_text())
    server = os.environ.get("API_SERVER")
    async with Api(config, server) as api:
        task = asyncio.create_task(Agent(api, options.node, options.data).run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task


if __name__ == "__main__":
    asyncio.run(main())
