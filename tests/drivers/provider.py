"""A provider of identities that says what a test wants, over TLS, and remembers what it was asked."""

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from joserfc.jwk import ECKey, RSAKey

from dev.pki import Authority

RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig", "alg": "RS256"}, auto_kid=False)
EC = ECKey.generate_key("P-256", {"kid": "ec"}, auto_kid=False)


def public(key: Any, **fields: Any) -> dict[str, Any]:
    """A key as a provider publishes it; a field given as None is left out."""
    return {k: v for k, v in {**key.as_dict(private=False), **fields}.items() if v is not None}


@dataclass
class Provider:
    """Serves `/NAME/.well-known/openid-configuration` and `/NAME/keys` for every name; `answers` has exceptions."""

    port: int = 0
    authority: Authority | None = None
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    """By path: status, headers, body."""
    silent: set[str] = field(default_factory=set)
    """Paths that are never answered."""
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def issuer(self, name: str) -> str:
        return f"https://127.0.0.1:{self.port}/{name}"

    def document(self, name: str, **fields: Any) -> None:
        """What discovery of this name says; a field given as None is left out."""
        said = {"issuer": self.issuer(name), "jwks_uri": f"{self.issuer(name)}/keys", **fields}
        self.say(f"/{name}/.well-known/openid-configuration", {k: v for k, v in said.items() if v is not None})

    def keys(self, name: str, *keys: dict[str, Any]) -> None:
        self.document(name)
        self.say(f"/{name}/keys", {"keys": list(keys)})

    def say(self, path: str, body: Any, status: int = 200, **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[path] = (status, headers, raw)


@contextmanager
def provider(authority: Authority, port: int = 0) -> Iterator[Provider]:
    """One that runs; on the same `port` it is the same one, back again."""
    found = Provider(authority=authority)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            if self.path in found.silent:
                found.released.wait(60)
                return
            status, headers, body = found.answers.get(self.path, (404, {}, b"{}"))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Who hangs up is no news."""

    server = Server(("127.0.0.1", port), Handler)
    found.port = server.server_port
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("provider", "provider", hosts=["127.0.0.1", "localhost"]))
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.released.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
