"""The binding Secret of a ServiceConnection (servicebinding.io): what a client needs, and nothing else."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Self


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
        """A binding from the decoded data of its Secret; KeyError where a required entry is missing."""
        found = {f.name: data[_key(f.name)].decode() for f in fields(cls) if _key(f.name) in data}
        if missing := {"type", "provider", "host", "port", "uri"} - found.keys():
            raise KeyError(", ".join(sorted(missing)))
        return cls(**found)


_DOTTED = {"ca_crt": "ca.crt", "tls_crt": "tls.crt", "tls_key": "tls.key"}


def _key(name: str) -> str:
    return _DOTTED.get(name, name.replace("_", "-"))
