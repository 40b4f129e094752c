"""nginx from the Debian package, as an HTTP API: TLS, client certificates, credentials, and what may go wrong."""

import getpass
import grp
import os
import signal
import ssl
import urllib.request
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from dev.controlplane import free_ports
from dev.pki import Authority
from dev.systems.base import System, program

CONFIG = """\
daemon off;
pid {home}/nginx.pid;
error_log stderr notice;
worker_processes 1;
user {user} {group};
events {{ worker_connections 256; }}
http {{
  access_log off;
  server_tokens off;
  default_type text/plain;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  map $http_authorization $known {{ default 0; {authorizations} }}
  map $http_x_api_key $known_key {{ default 0; {keys} }}
{servers}
}}
"""

SERVER = """\
  server {{
    listen {address}:{port}{ssl};
{tls}
    location = /health {{ return 200 "ok {generation}\\n"; }}
    location = /protected {{ if ($known = 0) {{ return 401; }} return 200 "welcome\\n"; }}
    location = /keyed {{ if ($known_key = 0) {{ return 401; }} return 200 "welcome\\n"; }}
    location = /forbidden {{ return 403; }}
    location = /broken {{ return 500; }}
    location = /moved {{ return 302 https://elsewhere.example.com/?code=secret; }}
    location = / {{ return 200 "hello\\n"; }}
    {answers}
  }}
"""


@dataclass(frozen=True)
class Accepted:
    """Which credentials /protected and /keyed take."""

    users: Mapping[str, str] = field(default_factory=dict)
    """Passwords by name."""
    bearers: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    """Values of the header X-API-Key."""

    def authorizations(self) -> list[str]:
        """Values of the header Authorization."""
        pairs = [b64encode(f"{name}:{password}".encode()).decode() for name, password in self.users.items()]
        return [*(f"Basic {pair}" for pair in pairs), *(f"Bearer {token}" for token in self.bearers)]


class Nginx(System):
    """Servers that differ in their TLS: `port`, `mtls_port`, `expired_port`, `misnamed_port`, `plain_port`.

    `answers` are further paths with a status and a text, without quotes and dollars.
    """

    name = "nginx"
    packages: ClassVar = {"nginx": "nginx-light"}

    def __init__(
        self,
        home: Path,
        authority: Authority,
        address: str = "127.0.0.1",
        names: Sequence[str] = (),
        port: int = 0,
        *,
        accepted: Accepted | None = None,
        answers: Mapping[str, tuple[int, str]] | None = None,
    ) -> None:
        super().__init__(home, authority, address, names)
        free = free_ports(5)
        self.port = port or free[0]
        self.mtls_port, self.expired_port, self.misnamed_port, self.plain_port = free[1:]
        self.accepted, self._generation = accepted or Accepted(), 0
        self._answers = answers or {}

    def launch(self) -> None:
        """Write the configuration and start."""
        self._configure()
        self.processes.start(self.name, [program("nginx"), "-p", self.home, "-e", "stderr", "-c", self._file])

    def answers(self) -> bool:
        """Whether it serves the newest configuration."""
        context = ssl.create_default_context(cafile=str(self.authority.ca))
        handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        try:
            with urllib.request.build_opener(*handlers).open(f"{self.url}/health", timeout=2) as response:
                return bool(response.read() == f"ok {self._generation}\n".encode())
        except OSError:
            return False

    def accept(self, accepted: Accepted) -> None:
        """Take these credentials from now on, and no others."""
        self.accepted = accepted
        self._configure()
        before = self._ended_workers()
        self.processes.send(self.name, signal.SIGHUP)
        self.until(lambda: self._ended_workers() > before and self.answers(), "serves its new configuration")

    @property
    def url(self) -> str:
        """The usual server."""
        return self.url_of(self.port)

    def url_of(self, port: int) -> str:
        """One of the TLS servers."""
        return f"https://{self.address}:{port}"

    def _ended_workers(self) -> int:
        """Until the worker of the configuration before has ended, it may still answer."""
        return self.processes.log(self.name).read_text().count("exited with code")

    @property
    def _file(self) -> Path:
        return self.home / "nginx.conf"

    def _configure(self) -> None:
        self._generation += 1
        here, ca = self.certificate(), self.authority.ca
        verify = f"ssl_client_certificate {ca}; ssl_verify_client on;"
        servers = [
            self._server(self.port, here),
            self._server(self.mtls_port, here, verify),
            self._server(self.expired_port, self.certificate("expired", days=-1)),
            self._server(self.misnamed_port, self.certificate("misnamed", ["elsewhere.example.com"])),
            self._server(self.plain_port, None),
        ]
        config = CONFIG.format(
            home=self.home,
            user=getpass.getuser(),
            group=grp.getgrgid(os.getgid()).gr_name,
            authorizations=_entries(self.accepted.authorizations()),
            keys=_entries(self.accepted.keys),
            servers="".join(servers),
        )
        self._file.touch(mode=0o600)
        self._file.write_text(config)

    def _server(self, port: int, certificate: tuple[Path, Path] | None, more: str = "") -> str:
        tls = (
            f"    ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]}; {more}" if certificate else ""
        )
        return SERVER.format(
            address=self.address,
            port=port,
            ssl=" ssl" if certificate else "",
            tls=tls,
            generation=self._generation,
            answers="".join(f"location = {p} {{ return {s} '{text}'; }} " for p, (s, text) in self._answers.items()),
        )


def _entries(values: Sequence[str]) -> str:
    return " ".join(f'"{value}" 1;' for value in values)
