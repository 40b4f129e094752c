"""A partner's API on this machine, outside the cluster: it remembers what it was asked, and answers as a test wants."""

import http.server
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.pki import Authority


@dataclass(frozen=True)
class Asked:
    """One request, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    """By lower-case name."""
    sni: str | None
    client: str | None
    """Common name of the client certificate."""


@dataclass
class Partner:
    """Serves while it runs; `answer` gives the status for the n-th request (from 1)."""

    address: str
    authority: Authority
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[int], int] = lambda n: 200

    @property
    def ca(self) -> str:
        """PEM of its authority."""
        return self.authority.ca.read_text()


@contextmanager
def partner(
    address: str,
    folder: Path,
    names: tuple[str, ...] = (),
    *,
    clients: bool = False,
    plain: bool = False,
    port: int = 0,
) -> Iterator[Partner]:
    """A partner on an address of this machine, at any free port; `clients` must show a certificate of its authority."""
    found = Partner(address, Authority(folder, "partner CA"), port)
    server = _Server(found)
    if not plain:
        crt, key = found.authority.issue("server", "partner", hosts=[*names, address])
        server.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.tls.load_cert_chain(crt, key)
        server.tls.sni_callback = _remember_name
        if clients:
            server.tls.load_verify_locations(found.authority.ca)
            server.tls.verify_mode = ssl.CERT_REQUIRED
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


_names: dict[int, str] = {}


def _remember_name(sock: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
    if isinstance(sock, ssl.SSLSocket) and name is not None:
        _names[sock.fileno()] = name


class _Server(http.server.ThreadingHTTPServer):
    tls: ssl.SSLContext | None = None

    def __init__(self, found: Partner) -> None:
        super().__init__((found.address, found.port), _Handler)
        self.found = found
        found.port = self.server_port

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the request's own thread: a client that does not finish its handshake holds up nobody."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(30)
        try:
            with self.tls.wrap_socket(request, server_side=True) as encrypted:
                super().finish_request(encrypted, client_address)
        except OSError:
            return  # the other side did not like the certificate, or went away

    def handle_error(self, request: Any, client_address: Any) -> None:
        """What a gateway breaks off is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        if length := int(self.headers.get("Content-Length") or 0):
            self.rfile.read(length)
        found = self.server.found
        found.asked.append(
            Asked(
                self.command,
                self.path,
                {k.lower(): v for k, v in self.headers.items()},
                _names.get(self.connection.fileno()),
                _common_name(self.connection),
            )
        )
        status = found.answer(len(found.asked))
        body = json.dumps({"name": "partner", "path": self.path}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_HEAD = _answer

    def log_message(self, *_: object) -> None:
        """Quiet."""


def _common_name(connection: socket.socket) -> str | None:
    shown = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    subject = (shown or {}).get("subject") or ()
    return next((str(value) for part in subject for name, value in part if name == "commonName"), None)
