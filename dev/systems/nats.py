"""NATS from the published wheel: TLS, and users, nkeys or a token; JetStream where asked for."""

import json
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.controlplane import free_ports
from dev.images import published
from dev.pki import Authority
from dev.systems.base import System


@dataclass(frozen=True)
class Access:
    """Who may connect. A server takes users and nkeys, or a token, or anybody."""

    users: Mapping[str, str] = field(default_factory=dict)
    """Passwords by name."""
    nkeys: tuple[str, ...] = ()
    """Public nkeys, which begin with U."""
    token: str | None = None

    def config(self) -> dict[str, Any]:
        """The `authorization` of the server's configuration."""
        if self.token is not None:
            return {"token": self.token}
        users = [{"user": name, "password": password} for name, password in self.users.items()]
        return {"users": [*users, *({"nkey": key} for key in self.nkeys)]}


class Nats(System):
    """One server. `tls` False is plain text; `client_certificates` demands them."""

    name = "nats"

    def __init__(
        self,
        home: Path,
        authority: Authority,
        address: str = "127.0.0.1",
        names: Sequence[str] = (),
        port: int = 0,
        *,
        access: Access | None = None,
        tls: bool = True,
        client_certificates: bool = False,
        jetstream: bool = False,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        super().__init__(home, authority, address, names)
        self.port = port or free_ports(1)[0]
        self._access, self._tls, self._verify, self._jetstream = access, tls, client_certificates, jetstream
        self._certificate = certificate

    def launch(self) -> None:
        """Write the configuration and start."""
        self._configure()
        self.processes.start(self.name, [published("nats"), "--config", self._file])

    def answers(self) -> bool:
        """Whether it greets."""
        try:
            with socket.create_connection((self.address, self.port), timeout=2) as connection:
                return connection.recv(5) == b"INFO "
        except OSError:
            return False

    def admit(self, access: Access | None) -> None:
        """Let in these from now on; connections of others are ended by the server."""
        self._access = access
        self._configure()
        log, before = self.processes.log(self.name), self._reloads()
        self.processes.send(self.name, signal.SIGHUP)
        self.until(lambda: self._reloads() > before, f"reloads, see {log}")

    @property
    def _file(self) -> Path:
        return self.home / "nats.json"

    def _reloads(self) -> int:
        return self.processes.log(self.name).read_text().count("Reloaded server configuration")

    def _configure(self) -> None:
        config: dict[str, Any] = {"host": self.address, "port": self.port}
        if self._tls:
            crt, key = self._certificate or self.certificate()
            config["tls"] = {"cert_file": str(crt), "key_file": str(key)}
            if self._verify:
                config["tls"] |= {"ca_file": str(self.authority.ca), "verify": True}
        if self._access is not None:
            config["authorization"] = self._access.config()
        if self._jetstream:
            config["jetstream"] = {"store_dir": str(self.home / "jetstream")}
        self._file.touch(mode=0o600)
        self._file.write_text(json.dumps(config, indent=1, ensure_ascii=False))
