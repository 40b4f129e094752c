"""What all of them share: a directory, processes, a certificate, and waiting until they answer."""

import os
import shutil
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from dev.build import locked
from dev.pki import Authority
from dev.processes import Failed, Processes, Startable, run, wait_until

NAMES = ("localhost", "127.0.0.1", "::1")
"""What every server certificate is for, besides the address and the names that are asked for."""


class System(Startable):
    """One system. `address` is where it listens, `names` what else its certificate is for."""

    name: ClassVar[str]
    packages: ClassVar[Mapping[str, str]] = {}
    """Programs that it needs, and the Debian packages that bring them."""
    seconds: ClassVar[float] = 60
    """How long it may take to answer."""

    def __init__(self, home: Path, authority: Authority, address: str = "127.0.0.1", names: Sequence[str] = ()) -> None:
        self.home, self.authority, self.address = home, authority, address
        self.names = tuple(dict.fromkeys((*NAMES, address, *names)))
        self.processes = Processes(home)

    def start(self) -> None:
        """Bring it up, with the data that its directory holds, until it answers."""
        install(self.packages)
        self.home.mkdir(parents=True, exist_ok=True)
        self.launch()
        self.until(self.answers, "answers")

    def stop(self, hard: bool = False) -> None:
        """End its processes; the data stays. `hard` is a kill."""
        for name in self.processes.names():
            self.processes.stop(name, hard=hard)

    @abstractmethod
    def launch(self) -> None:
        """Start its processes."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves."""

    def until(self, check: Callable[[], bool], what: str) -> None:
        """Ask until it holds; Failed with the end of the log when it does not in time, or when a process ended."""

        def holds() -> bool:
            if ended := [n for n in self.processes.names() if not self.processes.alive(n)]:
                raise Failed(f"{', '.join(ended)} ended; its log ends:\n{self.processes.tail(ended[0])}")
            return check()

        try:
            wait_until(holds, self.seconds, f"{self.name} {what}")
        except Failed as error:
            logs = "\n".join(self.processes.tail(n) for n in self.processes.names())
            raise Failed(f"{error}; its log ends:\n{logs}") from None

    def certificate(self, file: str = "", names: Sequence[str] = (), days: float = 3650) -> tuple[Path, Path]:
        """(certificate, key) files of a server; for this one unless other names are given."""
        file = f"{self.name}{'-' if file else ''}{file}-{self.address}".replace(":", "_")
        return self.authority.issue(file, self.names[0], hosts=names or self.names, days=days)


def install(packages: Mapping[str, str]) -> None:
    """Install the Debian packages of programs that are missing; without apt-get or root, say which."""
    missing = [package for name, package in packages.items() if find(name) is None]
    if not missing:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise Failed(f"install {', '.join(missing)} first")
    with locked("apt"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-q"], env=environment)
        run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], env=environment)


def find(name: str) -> Path | None:
    """A program in PATH, or where Debian keeps servers."""
    if found := shutil.which(name):
        return Path(found)
    kept = [*Path("/usr/sbin").glob(name), *Path("/usr/lib/postgresql").glob(f"*/bin/{name}")]
    return max(kept, default=None)


def program(name: str) -> Path:
    """A program that is there."""
    found = find(name)
    if found is None:
        raise Failed(f"{name} is not installed")
    return found
