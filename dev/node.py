"""One node: containerd, kubelet, kube-proxy and the node agent, in a network namespace of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from dev.controlplane import ControlPlane
from dev.images import Image
from dev.network import Network
from dev.processes import Processes, run, started_at, wait_until
from dev.versions import KUBE_BIN, ROOT

CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "devices", "freezer", "systemd")


class Node:
    """A node of a native cluster; everything of it lies below its directory."""

    def __init__(self, plane: ControlPlane, network: Network, name: str) -> None:
        self.name, self._plane, self._network = name, plane, network
        self.home = plane.home / name
        self.socket = self.home / "containerd.sock"
        self._processes = Processes(self.home)
        self._netns = network.namespace(name)
        self._cgroup = f"{network.bridge}-{name}"

    def up(self, images: Iterable[Image]) -> None:
        """Start what does not run, import what is not there."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._configure()
        self._make_cgroups()
        self._processes.start(
            "containerd", ["containerd", "-c", self.home / "containerd.toml"], netns=self._netns, env={"TMPDIR": "/tmp"}
        )
        wait_until(lambda: self._answers(), 30, f"containerd of {self.name}")
        self.load(images)
        self._processes.start(
            "kubelet",
            [
                KUBE_BIN / "kubelet",
                f"--config={self.home / 'kubelet.json'}",
                f"--kubeconfig={self.home / 'kubelet.kubeconfig'}",
                f"--hostname-override={self.name}",
                f"--node-ip={self._network.node(self.name)}",
                f"--root-dir={self.home / 'kubelet'}",
                f"--cert-dir={self.home / 'pki'}",
            ],
            netns=self._netns,
        )
        self._processes.start(
            "kube-proxy", [KUBE_BIN / "kube-proxy", f"--config={self.home / 'proxy.json'}"], netns=self._netns
        )
        agent = [sys.executable, "-m", "dev.node_agent", "--kubeconfig", str(self._plane.kubeconfig)]
        self._processes.start(
            "agent",
            [*agent, "--node", self.name, "--data", str(self.home / "volumes")],
            netns=self._netns,
            env={"PYTHONPATH": str(ROOT), "API_SERVER": self._plane.url_for(self._network.host)},
        )

    def load(self, images: Iterable[Image]) -> None:
        """Import archives that this node does not have yet in this version."""
        for image in images:
            note = self.home / f"{image.name}.imported"
            if note.exists() and note.read_text() == image.digest:
                continue
            run(
                ["ctr", "-a", self.socket, "-n", "k8s.io", "images", "import", "--snapshotter=overlayfs", image.archive]
            )
            note.write_text(image.digest)

    def status(self) -> dict[str, bool]:
        """Which of the node's processes run."""
        return {p: self._processes.alive(p) for p in ("containerd", "kubelet", "kube-proxy", "agent")}

    def down(self) -> None:
        """End pods, then processes; unmount and remove what they left."""
        self._processes.stop("kubelet")
        shims = self._end_containers()
        for name in ("agent", "kube-proxy", "containerd"):
            self._processes.stop(name)
        for pid, start in shims:
            if start is not None and started_at(pid) == start:
                os.kill(pid, signal.SIGTERM)
        for pid, start in shims:
            wait_until(lambda pid=pid, start=start: started_at(pid) != start, 10, "containerd shim ends")  # type: ignore[misc]
        for mount in reversed(_mounts_below(self.home)):
            subprocess.run(["umount", "-l", mount], check=False, capture_output=True)
        # The unified hierarchy beside those of cgroup v1 gets folders too, from containerd.
        roots = [CGROUPS / c / self._cgroup for c in (*CONTROLLERS, "unified", "")]
        for root in roots:
            for folder in sorted((p for p in root.rglob("*") if p.is_dir()), reverse=True) if root.exists() else ():
                folder.rmdir()
            if root.exists():
                root.rmdir()

    def _answers(self) -> bool:
        command = ["ctr", "-a", str(self.socket), "version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _end_containers(self) -> list[tuple[int, int | None]]:
        """Kill all tasks; the shims that held them, with their start times."""
        if not self._answers():
            return _processes_with(str(self.socket))
        ctr = ["ctr", "-a", str(self.socket), "-n", "k8s.io"]
        shims = _processes_with(str(self.socket))
        tasks = run([*ctr, "task", "ls", "-q"]).split()
        for task in tasks:
            subprocess.run([*ctr, "task", "rm", "-f", task], capture_output=True, check=False, timeout=30)
        return shims

    def _make_cgroups(self) -> None:
        if (CGROUPS / "cgroup.controllers").exists():
            (CGROUPS / self._cgroup).mkdir(exist_ok=True)
            return
        for controller in CONTROLLERS:
            if (CGROUPS / controller).exists():
                (CGROUPS / controller / self._cgroup).mkdir(exist_ok=True)
        cpuset = CGROUPS / "cpuset"
        if cpuset.exists():
            for file in ("cpuset.cpus", "cpuset.mems"):
                (cpuset / self._cgroup / file).write_text((cpuset / file).read_text())

    def _configure(self) -> None:
        home, network, plane = self.home, self._network, self._plane
        server = plane.url_for(network.host)
        (home / "cni").mkdir(exist_ok=True)
        (home / "cni" / "10-bridge.conflist").write_text(json.dumps(self._cni()))
        (home / "containerd.toml").write_text(_CONTAINERD.format(home=home, cni=home / "cni"))
        (home / "resolv.conf").write_text(f"nameserver {network.dns}\n")
        plane.write_kubeconfig(
            home / "kubelet.kubeconfig", f"kubelet-{self.name}", f"system:node:{self.name}", "system:nodes", server
        )
        plane.write_kubeconfig(home / "proxy.kubeconfig", "kube-proxy", "system:kube-proxy", None, server)
        (home / "kubelet.json").write_text(json.dumps(self._kubelet()))
        (home / "proxy.json").write_text(json.dumps(self._proxy()))

    def _cni(self) -> dict[str, object]:
        ipam = {
            "type": "host-local",
            "dataDir": str(self.home / "ipam"),
            "ranges": [[{"subnet": self._network.node_pods(self.name)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True}
        portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
        return {"cniVersion": "0.4.0", "name": "pods", "plugins": [{**bridge, "ipam": ipam}, portmap]}

    def _kubelet(self) -> dict[str, object]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": False,
            "failSwapOn": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self._cgroup}",
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "imageServiceEndpoint": f"unix://{self.socket}",
            "clusterDNS": [self._network.dns],
            "clusterDomain": "cluster.local",
            "resolvConf": str(self.home / "resolv.conf"),
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "evictionHard": {"memory.available": "100Mi"},
            "makeIPTablesUtilChains": False,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self._plane.pki.ca)},
            },
            "authorization": {"mode": "Webhook"},
            "nodeStatusUpdateFrequency": "5s",
            "syncFrequency": "10s",
            "volumePluginDir": str(self.home / "plugins"),
            "podLogsDir": str(self.home / "pod-logs"),
            "shutdownGracePeriod": "0s",
        }

    def _proxy(self) -> dict[str, object]:
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "hostnameOverride": self.name,
            "clusterCIDR": self._network.pods,
            "clientConnection": {"kubeconfig": str(self.home / "proxy.kubeconfig")},
            "bindAddress": self._network.node(self.name),
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "conntrack": {"maxPerCore": 0},
        }


def _mounts_below(folder: Path) -> list[str]:
    """Mount points below a folder (and the pod log folders there), outermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return sorted(point for line in lines if (point := line.split()[4]).startswith(f"{folder}/"))


def _processes_with(text: str) -> list[tuple[int, int | None]]:
    """Processes that have this socket in their command line as containerd's shims do."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if command.startswith("/usr/bin/containerd-shim") and text in command:
                found.append((int(entry.name), started_at(int(entry.name))))
    return found


_CONTAINERD = """version = 2
root = "{home}/containerd/root"
state = "{home}/containerd/state"
[grpc]
  address = "{home}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{home}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  netns_mounts_under_state_dir = true
  # A negative oom_score_adj is refused without CAP_SYS_RESOURCE.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""
