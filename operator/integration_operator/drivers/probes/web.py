"""What the probes that speak HTTP share: one request, to a checked address, on a new connection, never redirected."""

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx

from integration_operator.core.addresses import Outbound
from integration_operator.drivers.probes.dial import Reason, Unconnected
from integration_operator.drivers.probes.relay import LOOPBACK, relayed
from integration_operator.drivers.probes.tls import NamedContext


@asynccontextmanager
async def request(
    method: str,
    url: str,
    *,
    rules: Outbound,
    context: NamedContext | None,
    timeout: timedelta,
    headers: Mapping[str, str],
    form: Mapping[str, str] | None = None,
) -> AsyncIterator[httpx.Response]:
    """The answer with its body unread; plain text where there is no `context`."""
    target = httpx.URL(url)
    port = target.port or (443 if target.scheme == "https" else 80)
    headers = {
        "User-Agent": "integration-operator-probe",
        "Accept-Encoding": "identity",
        **headers,
        "Host": target.netloc.decode("ascii"),
    }
    seconds = timeout.total_seconds()
    # The client leaves a socket open when it is cancelled in a handshake, so it gets less time for that itself.
    times = httpx.Timeout(seconds, connect=seconds / 2)
    async with (
        relayed(target.host, port, rules, limit=math.inf) as through,
        # Nothing from the environment: a proxy there would see to where and with what we connect.
        httpx.AsyncClient(verify=context or False, timeout=times, trust_env=False) as client,
        client.stream(
            method, target.copy_with(host=LOOPBACK, port=through), headers=headers, data=form, follow_redirects=False
        ) as response,
    ):
        yield response


async def beginning(response: httpx.Response, limit: int) -> bytes:
    """The first bytes of an answer; what comes after `limit` is not read."""
    found = b""
    if response.headers.get("content-encoding", "identity") != "identity":
        return b""  # nobody asked for it, and a little of it may unpack to very much
    async for chunk in response.aiter_raw():
        found += chunk
        if len(found) >= limit:
            break
    return found[:limit]


def usable(value: str) -> str:
    """A header value that can be sent; Unconnected where it can't, for an error's text would show it."""
    if not value.isascii() or not value.isprintable():
        raise Unconnected(Reason.UNUSABLE_CREDENTIALS, "the credential holds characters that no header can carry")
    return value


def redirected(host: str, response: httpx.Response) -> Unconnected:
    """What to say of a redirect, without its query, which may hold a secret."""
    try:
        to = httpx.URL(host=host, scheme="https").join(response.headers.get("location", ""))
        place = f"{to.scheme}://{to.host}{to.path}"[:256]
    except (httpx.InvalidURL, ValueError):
        place = "somewhere else"
    message = f"{host} answers {response.status_code} and points to {place}, which is not followed: give that address"
    return Unconnected(Reason.REDIRECTED, message)
