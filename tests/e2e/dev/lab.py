"""A node and its pods as bare network namespaces, not linked to this machine: to try nft tables on the real kernel."""

import json
import os
import subprocess
import sys
from types import TracebackType
from typing import Self

PEER = r"""
import json, socket, sys, threading
def serve(port):
    server = socket.create_server(("0.0.0.0", port))
    while True:
        server.accept()[0].close()
for port in json.loads(sys.argv[1]):
    threading.Thread(target=serve, args=(port,), daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    address, port = json.loads(line)
    try:
        socket.create_connection((address, port), 0.3).close()
        print("open", flush=True)
    except OSError:
        print("closed", flush=True)
"""


class Lab:
    """Pods by name and address, each behind the node, listening on the given ports."""

    def __init__(self, pods: dict[str, str], ports: tuple[int, ...]) -> None:
        self._pods, self._ports = pods, ports
        self._prefix = f"lab{os.getpid()}"
        self._peers: dict[str, subprocess.Popen[str]] = {}

    def _name(self, name: str) -> str:
        return f"{self._prefix}-{name}"

    def __enter__(self) -> Self:
        self._ip("netns", "add", self._name("node"))
        self._inside("node", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for name, address in self._pods.items():
            self._pod(name, address)
        return self

    def _pod(self, name: str, address: str) -> None:
        self._ip("netns", "add", self._name(name))
        node, pod = ("-n", self._name("node")), ("-n", self._name(name))
        self._ip(*node, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", self._name(name))
        self._ip(*node, "address", "add", "10.0.0.1/32", "dev", name)
        self._ip(*node, "link", "set", name, "up")
        self._ip(*node, "route", "add", f"{address}/32", "dev", name)
        self._ip(*pod, "address", "add", f"{address}/32", "dev", "eth0")
        self._ip(*pod, "link", "set", "eth0", "up")
        self._ip(*pod, "route", "add", "10.0.0.1", "dev", "eth0")
        self._ip(*pod, "route", "add", "default", "via", "10.0.0.1")
        command = [*self._enter(name), sys.executable, "-c", PEER, json.dumps(self._ports)]
        peer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert peer.stdout is not None
        assert peer.stdout.readline().strip() == "ready"
        self._peers[name] = peer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for peer in self._peers.values():
            peer.communicate("")
        for name in (*self._pods, "node"):
            self._ip("netns", "del", self._name(name))

    def load(self, script: str) -> None:
        """Make the node's table as the script says, with nothing remembered of earlier connections."""
        done = subprocess.run(
            [*self._enter("node"), "nft", "-f", "-"], input=script, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, f"{done.stderr}\n{script}"
        subprocess.run([*self._enter("node"), "conntrack", "-F"], capture_output=True, check=False)

    def connects(self, source: str, target: str, port: int) -> bool:
        """Whether a pod gets a TCP connection to another's port."""
        peer = self._peers[source]
        assert peer.stdin is not None
        assert peer.stdout is not None
        peer.stdin.write(json.dumps([self._pods[target], port]) + "\n")
        peer.stdin.flush()
        return peer.stdout.readline().strip() == "open"

    def _enter(self, name: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self._name(name)}"]

    def _inside(self, name: str, *command: str) -> None:
        subprocess.run([*self._enter(name), *command], check=True, capture_output=True)

    @staticmethod
    def _ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)
