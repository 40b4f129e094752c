"""The binding Secret of a ServiceConnection (servicebinding.io): what a client needs, and nothing else."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import Self

HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
"""A header's name: a token of RFC 9110."""
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_URI = re.compile(r"[a-z][a-z0-9+.-]{0,31}://[^\x00-\x1f\x7f-\x9f]{1,4096}")


class Unusable(ValueError):
    """What is wrong with a binding, as the end of a sentence; without what it holds."""


def binding_name(connection: str) -> str:
    """Name of the binding Secret of a ServiceConnection; names of ours leave room for what is added to them."""
    return f"{connection}-binding"


@dataclass(frozen=True)
class Binding:
    """Every entry of the Secret, by its key; None where a connection has none. Secret ones stay out of the repr.

    `header` and `header-value` are what an HTTP client sends (`Authorization`, `Bearer …`); the other keys are the
    well-known ones of servicebinding.io, with `ca.crt`, `tls.crt`, `tls.key` as in kubernetes.io/tls.
    """

    type: str
    provider: str
    host: str
    port: str
    uri: str
    database: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    header: str | None = None
    header_value: str | None = field(default=None, repr=False)
    nkey_seed: str | None = field(default=None, repr=False)
    server_name: str | None = None
    ca_crt: str | None = None
    tls_crt: str | None = None
    tls_key: str | None = field(default=None, repr=False)
    issued_at: str | None = None
    expires_at: str | None = None
    """RFC 3339, where the credential ends by itself (a token)."""
    token_mark: str | None = field(default=None, repr=False)
    """The operator's own: tells whether the token was fetched with the present client credentials."""

    def data(self) -> dict[str, str]:
        """`data` of the Secret: base64 of every entry that is set."""
        values = {_key(f.name): getattr(self, f.name) for f in fields(self)}
        return {k: b64encode(v.encode()).decode() for k, v in values.items() if v is not None}

    @classmethod
    def parse(cls, data: Mapping[str, bytes]) -> Self:
        """A binding from the decoded data of its Secret; Unusable where a client could not do with it."""
        try:
            found = {f.name: data[_key(f.name)].decode() for f in fields(cls) if _key(f.name) in data}
        except UnicodeDecodeError:
            raise Unusable("has an entry that is no text") from None
        if missing := {"type", "provider", "host", "port", "uri"} - found.keys():
            raise Unusable(f"lacks {', '.join(sorted(missing))}")
        binding = cls(**found)
        for key, good in binding._judged().items():
            if not good:
                raise Unusable(f"has an unusable {key}")
        return binding

    def _judged(self) -> dict[str, bool]:
        """Whether each entry that clients take apart is what it is called."""
        return {
            "host": is_host(self.host),
            "port": _PORT.fullmatch(self.port) is not None and int(self.port) <= 65535,
            "uri": _URI.fullmatch(self.uri) is not None,
            "header": self.header is None or HEADER.fullmatch(self.header) is not None,
            "server-name": self.server_name is None or is_host(self.server_name),
        }


def is_host(text: str) -> bool:
    """Whether this is a host name, in lower case, or an IP address."""
    return (len(text) <= 253 and _HOST.fullmatch(text) is not None) or is_address(text)


def is_address(text: str) -> bool:
    """Whether this is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


_DOTTED = {"ca_crt": "ca.crt", "tls_crt": "tls.crt", "tls_key": "tls.key"}


def _key(name: str) -> str:
    return _DOTTED.get(name, name.replace("_", "-"))
