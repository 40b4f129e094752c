"""The native cluster itself: policies between real pods, and nothing left of one that was taken down."""

import contextlib
import subprocess
from pathlib import Path

import pytest

from dev import clusters, network
from tests.e2e.conftest import Client, echo, looking_pod


def test_a_policy_is_enforced_between_two_pods(client: Client, namespace: str) -> None:
    allowed = {"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}]}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "only-friends"},
        "spec": {"podSelector": {"matchLabels": {"app": "echo"}}, "ingress": [allowed]},
    }
    client.apply(namespace, *echo("echo"), looking_pod("friend"), looking_pod("stranger"))
    client.kubectl("-n", namespace, "wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s")
    host = f"echo.{namespace}.svc"
    for pod in ("friend", "stranger"):
        client.until(f"the {pod} reaches it", lambda pod=pod: client.connects(namespace, pod, host, 8080))
    client.apply(namespace, policy)
    client.until("the stranger is kept out", lambda: not client.connects(namespace, "stranger", host, 8080))
    assert client.connects(namespace, "friend", host, 8080)


def _traces(marks: tuple[str, ...]) -> dict[str, list[str]]:
    """All on this machine that bears a mark of a cluster: its folder, its links, its addresses."""
    ip = ["ip", "-o"]
    places = {
        "links": _lines([*ip, "link"]),
        "routes": _lines(["ip", "route"]),
        "namespaces": _lines(["ip", "netns"]),
        "tables": _lines(["nft", "list", "ruleset"]),
        "mounts": Path("/proc/self/mountinfo").read_text().splitlines(),
        "cgroups": [str(p) for pattern in ("intop*", "*/intop*") for p in Path("/sys/fs/cgroup").glob(pattern)],
        "processes": _commands(),
        "folders": [str(p) for p in network.CLUSTERS.iterdir()],
    }
    return {what: [line for line in lines if any(m in line for m in marks)] for what, lines in places.items()}


def _lines(command: list[str]) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _commands() -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def test_nothing_is_left_of_a_cluster_that_was_taken_down(client: Client) -> None:
    if not isinstance(client.cluster, clusters.NativeCluster):
        pytest.skip("kind and its Docker clean up after themselves")
    other = clusters.NativeCluster("traceless")
    net = other.network
    marks = ("clusters/traceless", net.bridge, *(a.rsplit(".", 2)[0] + "." for a in (net.host, net.services, net.pods)))
    nothing: dict[str, list[str]] = {what: [] for what in _traces(marks)}
    assert {**_traces(marks), "folders": []} == nothing
    try:
        other.up()
        other.kubectl("create", "deployment", "pause", "--image=localhost/pause:1")
        other.kubectl("wait", "deployment/pause", "--for=condition=Available", "--timeout=60s")
        during = _traces(marks)
        assert all(during[what] for what in ("links", "routes", "namespaces", "mounts", "cgroups", "processes"))
        assert client.kubectl("get", "nodes"), "the other cluster goes on beside it"
        other.up()  # again, with everything there: nothing to do
    finally:
        other.down()
    assert _traces(marks) == nothing
