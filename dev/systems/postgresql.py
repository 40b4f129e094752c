"""PostgreSQL from the Debian package: TLS, scram passwords, client certificates where a database asks for them."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from dev.controlplane import free_ports
from dev.pki import Authority
from dev.processes import Failed, run
from dev.systems.base import System, program

ACCOUNT = "postgres"
"""Who runs it where we are root: PostgreSQL refuses to run as root."""

ACCESS = """\
local    all        postgres      trust
hostssl  mtls       all       all scram-sha-256 clientcert=verify-ca
hostssl  certificate all      all cert
host     plain      all       all scram-sha-256
hostssl  all        all       all scram-sha-256
"""
"""pg_hba.conf: what a client must show, by database. Only `plain` lets anybody in without TLS."""

SETTINGS = """\
fsync = off
full_page_writes = off
synchronous_commit = off
shared_buffers = 16MB
max_connections = 50
log_min_messages = warning
password_encryption = scram-sha-256
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
ssl_ca_file = 'ca.crt'
"""
"""No fsync: right for tests, wrong for anything else."""


class Postgresql(System):
    """One server; its superuser comes only through the socket in its directory."""

    name = "postgresql"
    packages: ClassVar = {"postgres": "postgresql", "psql": "postgresql-client"}

    def __init__(
        self, home: Path, authority: Authority, address: str = "127.0.0.1", names: Sequence[str] = (), port: int = 0
    ) -> None:
        super().__init__(home, authority, address, names)
        self.port = port or free_ports(1)[0]
        self._data = home / "data"

    def launch(self) -> None:
        """Initialise the data directory once, then start."""
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        options = {"listen_addresses": self.address, "port": self.port, "unix_socket_directories": self._data}
        arguments = [f"--{name}={value}" for name, value in options.items()]
        self.processes.start(self.name, [*_as_account(), program("postgres"), "-D", self._data, *arguments])

    def stop(self, hard: bool = False) -> None:
        """End it without waiting for its clients to leave."""
        if not hard and self.processes.alive(self.name):
            run([*_as_account(), program("pg_ctl"), "stop", "-D", self._data, "-m", "fast"])
        super().stop(hard)

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            return self.sql("SELECT 1") == "1"
        except Failed:
            return False

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the superuser; its rows without decoration."""
        command = [program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self._data, "-p", self.port, "-U", ACCOUNT]
        return run([*map(str, command), "-d", database, "-c", statement]).strip()

    def database(self, name: str) -> None:
        """Create a database that only those may enter who are let in."""
        self.sql(f'CREATE DATABASE "{name}"')
        self.sql(f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC')

    def user(self, name: str, password: str, *databases: str) -> None:
        """Create a user and let it into databases."""
        quoted = password.replace("'", "''")
        self.sql(f"""CREATE ROLE "{name}" LOGIN PASSWORD '{quoted}'""")
        for database in databases:
            self.sql(f'GRANT CONNECT ON DATABASE "{database}" TO "{name}"')

    def present(self, certificate: Path, key: Path) -> None:
        """Show this certificate from now on, to new connections."""
        for source, name in ((certificate, "server.crt"), (key, "server.key"), (self.authority.ca, "ca.crt")):
            target = self._data / name
            target.touch(mode=0o600)
            target.write_bytes(source.read_bytes())
            _own(target)
        if self.processes.alive(self.name):
            self.reload()

    def reload(self) -> None:
        """Read settings and certificates again, until new connections are under them."""
        before = self.sql("SELECT pg_conf_load_time()")
        self.sql("SELECT pg_reload_conf()")
        self.until(lambda: self.sql("SELECT pg_conf_load_time()") != before, "reloads")

    def _initialise(self) -> None:
        self._data.mkdir(parents=True, exist_ok=True)
        _own(self._data)
        flags = ["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", f"--username={ACCOUNT}", "--auth=trust"]
        run([*_as_account(), program("initdb"), "-D", self._data, *flags])
        (self._data / "pg_hba.conf").write_text(ACCESS)
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(SETTINGS)
        self.present(*self.certificate())


def _as_account() -> list[str]:
    """Prefix of a command that runs as another account than root; it may walk through root's own directories."""
    if os.geteuid() != 0:
        return []
    capabilities = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
    return ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", *capabilities]


def _own(path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, ACCOUNT, ACCOUNT)
