"""The operator as a process of its own on this machine: started, measured from outside, ended."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from dev.controlplane import free_ports
from dev.processes import Failed, run, wait_until
from dev.versions import CACHE, ROOT

TICK = os.sysconf("SC_CLK_TCK")
SOURCES = {
    "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}",
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPYCACHEPREFIX": str(CACHE / "pycache"),
}
"""Modules are compiled once, as an image has them: a start is not to be measured by its compiler."""
Sample = tuple[str, frozenset[tuple[str, str]]]


class OperatorProcess:
    """`python -m MODULE` against one API server; standard output and error go to a log file."""

    def __init__(
        self,
        kubeconfig: Path,
        log: Path,
        module: str = "integration_operator.main",
        settings: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`settings` are INTEGRATION_OPERATOR_*, without that; `environment` is what else the module wants."""
        self.log = log
        self._kubeconfig, self._module = kubeconfig, module
        self.settings = {"NAMESPACE": "integration-system", **(settings or {})}
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def start(self) -> None:
        """Start it; does not wait for anything."""
        (self._port,) = free_ports(1)
        settings = {**self.settings, "PORT": str(self._port)}
        environment = {f"INTEGRATION_OPERATOR_{name}": value for name, value in settings.items()}
        environment |= {"KUBECONFIG": str(self._kubeconfig), **SOURCES, **self._environment}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        """Of the running process."""
        if self._process is None or self._process.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
            raise Failed(f"the operator does not run; its log ends: {tail}")
        return self._process.pid

    def stop(self) -> None:
        """Ask it to end (SIGTERM), and wait until it has."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Take it away (SIGKILL)."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(30)
                raise Failed("the operator did not end within 30 s of being asked to") from None
            finally:
                self._process = None

    def cpu(self) -> float:
        """Seconds of CPU that it has used, user and system."""
        return cpu(self.pid)

    def peak_memory(self) -> float:
        """The most resident memory that it has had, in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024

    def ready(self) -> bool:
        """Whether it has seen all objects that were there when it started."""
        return self._get("/readyz") is not None

    def wait_ready(self, seconds: float = 60) -> None:
        """Until it is ready."""
        wait_until(self.ready, seconds, "the operator ready")

    def metrics(self) -> dict[Sample, float]:
        """All its metrics now; empty while it does not serve them yet."""
        return parse(self._get("/metrics") or "")

    def _get(self, path: str) -> str | None:
        self.pid  # noqa: B018 - raises where it has ended
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as response:
                return str(response.read().decode())
        except OSError:
            return None


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def machine_cpu() -> float:
    """Seconds of CPU that all processes and the kernel have used since the machine was started."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split(None, 8)[1:8])
    return (user + nice + system + irq + softirq) / TICK


def compile_modules(*modules: str) -> None:
    """Import modules in a process of its own, so that those to be measured find them compiled."""
    run([sys.executable, "-c", f"import {', '.join(modules)}"], cwd=ROOT, env={**os.environ, **SOURCES})


def parse(text: str) -> dict[Sample, float]:
    """Samples of a Prometheus exposition by name and labels."""
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def total(samples: Mapping[Sample, float], name: str, **labels: str) -> float:
    """The sum of all samples of this name that have these labels."""
    return sum(value for (n, have), value in samples.items() if n == name and labels.items() <= dict(have).items())
