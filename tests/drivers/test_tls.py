"""Certificates and keys of users: what they cost the operator."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from dev.pki import Authority
from integration_operator.drivers.pem import Unusable
from integration_operator.drivers.probes import tls
from integration_operator.drivers.probes.http import HttpProbe
from integration_operator.drivers.probes.tls import Tls
from tests.drivers.targets import RULES, ask, target
from tests.unit.drivers.probes.keys import by_pbkdf2, pem


async def test_a_key_that_openssl_would_hash_for_minutes_is_refused_unread(
    tmp_path: Path, authority: Authority
) -> None:
    key = tmp_path / "tls.key"
    key.write_text(pem("ENCRYPTED PRIVATE KEY", by_pbkdf2(2**31 - 1)))
    certificate, _ = authority.issue("reader", "reader", client=True)
    what = target("http", "127.0.0.1", 9, authority.ca, certificate=(certificate, key))
    openssl = await asyncio.create_subprocess_exec("openssl", "pkey", "-in", key, "-passin", "pass:")
    try:
        outcome = await ask(HttpProbe(RULES), what)
        assert (outcome.ok, outcome.reason) == (False, "InvalidCertificate")
        assert "without a password" in outcome.message
        assert openssl.returncode is None, "it was to take minutes"
    finally:
        openssl.kill()
        await openssl.wait()


async def test_the_loop_goes_on_while_something_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    went_on = threading.Event()
    monkeypatch.setattr(tls, "_load", lambda *_: "in time" if went_on.wait(30) else "the loop was held")
    loading = asyncio.create_task(Tls("loop.example.com", ca="slow").context())
    asyncio.get_running_loop().call_soon(went_on.set)
    with pytest.raises(Unusable, match="in time"):
        await loading


async def test_each_is_loaded_once_be_it_good_or_not(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, tmp_path: Path
) -> None:
    loaded, load = [], tls._load
    monkeypatch.setattr(tls, "_load", lambda *given: loaded.append(given) or load(*given))
    good = Tls("once.example.com", ca=Authority(tmp_path).ca.read_text())
    bad = replace(good, ca="bad")
    for _ in range(3):
        await good.context()
        with pytest.raises(Unusable):
            await bad.context()
    assert [given[0] for given in loaded] == [good.ca, "bad"]


async def test_who_gives_up_waiting_spoils_it_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    may = threading.Event()
    monkeypatch.setattr(tls, "_load", lambda *_: "loaded" if may.wait(30) else "never")
    one, other = (asyncio.create_task(Tls("many.example.com", ca="shared").context()) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one
    may.set()
    with pytest.raises(Unusable, match="loaded"):
        await other
