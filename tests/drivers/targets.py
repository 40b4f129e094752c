"""What the tests of probes ask for."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from integration_operator.core.addresses import AddressRules
from integration_operator.core.binding import Binding
from integration_operator.core.plan import Outcome
from integration_operator.drivers.base import Probe
from integration_operator.drivers.connection import Target, with_credentials

RULES = AddressRules.of(allow=["127.0.0.0/8", "::1/128"])
"""Loopback is denied by default, and where the systems of these tests are."""
TIMEOUT = timedelta(seconds=60)
"""Far more than any answer takes, on a busy machine too."""
NOWHERE = "no-such-host.invalid"
"""A name that never resolves (RFC 6761)."""


def target(type_: str, host: str, port: int, ca: Path | None, **fields: Any) -> Target:
    """A target; `credentials` is (kind, texts…), `certificate` a pair of files, other fields are the binding's."""
    credentials = fields.pop("credentials", None)
    certificate = fields.pop("certificate", None)
    more = {name: fields.pop(name) for name in ("encrypted", "path", "expected") if name in fields}
    scheme = {"http": "https", "nats": "tls"}.get(type_, type_)
    uri = fields.pop("uri", f"{scheme}://{host}:{port}")
    binding = Binding(type_, "test", host, str(port), uri, ca_crt=ca.read_text() if ca else None, **fields)
    if credentials:
        kind, *texts = credentials
        binding = with_credentials(binding, kind, tuple(texts), "X-API-Key")
    if certificate:
        crt, key = certificate
        binding = replace(binding, tls_crt=crt.read_text(), tls_key=key.read_text())
    return Target(binding, **more)


async def ask(probe: Probe, what: Any, timeout: timedelta = TIMEOUT) -> Outcome:
    """What the probe finds; whatever it finds, no secret of the target shows in it, and no socket stays open."""
    assert isinstance(probe, Probe)
    before = _sockets()
    outcome = await probe.probe(what, timeout)
    async with asyncio.timeout(10):
        while _sockets() > before:  # noqa: ASYNC110 - the kernel has no event for this
            await asyncio.sleep(0.005)
    secrets = [getattr(what, "client_secret", None)]
    if isinstance(what, Target):
        binding = what.binding
        secrets += [binding.password, binding.token, binding.header_value, binding.nkey_seed, binding.tls_key]
    for secret in filter(None, secrets):
        assert secret not in repr(outcome)
        assert secret not in outcome.message
    assert outcome.ok or outcome.message
    return outcome


def _sockets() -> int:
    """How many sockets this process has open."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            count += str(descriptor.readlink()).startswith("socket:")
    return count
