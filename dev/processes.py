"""Long-lived processes: started detached, recorded with their kernel start time, and only those ever ended."""

import json
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self


class Failed(RuntimeError):
    """Something that the tool runs did not work; the message says what to look at."""


def run(command: Sequence[str | Path], **options: object) -> str:
    """Run to the end and return standard output; Failed with the end of its output where it fails."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)  # type: ignore[call-overload]
    if done.returncode != 0:
        tail = (done.stderr or done.stdout).strip()[-2000:]
        raise Failed(f"{Path(str(command[0])).name} failed ({done.returncode}): {tail}")
    return str(done.stdout)


def wait_until(check: Callable[[], bool], seconds: float, what: str) -> None:
    """Ask until it holds; Failed after so many seconds."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)


def started_at(pid: int) -> int | None:
    """The kernel's start time of a process in ticks since boot, None where there is none (or only a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # A killed process is a zombie first, while its other threads still hold its ports and files.
    ended = fields[0] == "Z" and int(fields[17]) <= 1
    return None if ended else int(fields[19])


class Startable(ABC):
    """A context manager over `start` and `stop`: what started only in part is stopped as well."""

    @abstractmethod
    def start(self) -> None:
        """Bring it up."""

    @abstractmethod
    def stop(self) -> None:
        """End it."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Processes:
    """Processes of one cluster, recorded in a directory so that a later run of the tool can end them."""

    def __init__(self, home: Path) -> None:
        self._pids, self._logs = home / "pids", home / "logs"

    def log(self, name: str) -> Path:
        """Where a process writes."""
        return self._logs / f"{name}.log"

    def pid(self, name: str) -> int:
        """Of a process that runs."""
        pid, start = self._recorded(name)
        if pid is None or started_at(pid) != start:
            raise Failed(f"{name} does not run")
        return pid

    def alive(self, name: str) -> bool:
        """Whether the recorded process still runs."""
        pid, start = self._recorded(name)
        return pid is not None and started_at(pid) == start

    def start(
        self, name: str, command: Sequence[str | Path], netns: str | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        """Start it unless it runs, in a session of its own (and a network namespace)."""
        if self.alive(name):
            return
        self._pids.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        prefix = ["nsenter", f"--net=/run/netns/{netns}"] if netns else []
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                [*prefix, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **(env or {})},
            )
        start = started_at(process.pid)
        process.returncode = 0  # not waited for by this object, which it may outlive
        (self._pids / f"{name}.json").write_text(json.dumps([process.pid, start]))

    def stop(self, name: str, seconds: float = 10.0, hard: bool = False) -> None:
        """End it: SIGTERM, then SIGKILL; nothing where it is not the recorded one."""
        pid, start = self._recorded(name)
        if pid is not None and started_at(pid) == start:
            os.kill(pid, signal.SIGKILL if hard else signal.SIGTERM)
            deadline = time.monotonic() + seconds
            while started_at(pid) == start:
                reap(pid)
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                    deadline += 60
                time.sleep(0.02)
        (self._pids / f"{name}.json").unlink(missing_ok=True)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the recorded process, if it runs."""
        pid, start = self._recorded(name)
        if pid is not None and started_at(pid) == start:
            os.kill(pid, number)

    def names(self) -> list[str]:
        """All recorded processes."""
        return sorted(p.stem for p in self._pids.glob("*.json")) if self._pids.exists() else []

    def tail(self, name: str, lines: int = 8) -> str:
        """The end of a process's log."""
        path = self.log(name)
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def _recorded(self, name: str) -> tuple[int | None, int | None]:
        try:
            pid, start = json.loads((self._pids / f"{name}.json").read_text())
        except (FileNotFoundError, ValueError):
            return None, None
        return pid, start


def reap(pid: int) -> None:
    """Take the exit status of a child of this very process, if it is one."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
