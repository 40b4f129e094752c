"""The only file that talks to the API server: one thin request function, dicts in and dicts out.

Configuration and authentication are those of the official client (`kubernetes.aio`); its models are not used, since
they cost several times the request itself (see docs/decisions/0002-thin-client.md).
"""

import asyncio
import os
import re
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
import msgspec
from kubernetes.aio import client, config
from yarl import URL

from integration_operator.core.errors import (
    Conflict,
    DeniedByAdmission,
    Forbidden,
    IntegrationError,
    PassingError,
    QuotaExceeded,
    Refused,
    Unavailable,
)
from integration_operator.core.model import MANAGER

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
METADATA = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"
PAGE = 500

encode = msgspec.json.encode
decode = msgspec.json.decode


class NotFound(PassingError):
    """The object, its namespace or its kind does not exist (any more)."""

    reason = "NotFound"


class NotServed(NotFound):
    """The cluster does not serve the kind: a CRD is missing, or older than what is needed."""

    reason = "KindNotServed"


class Gone(PassingError):
    """The resource version is too old: list again."""

    reason = "Gone"


class Cluster:
    """A connection to one API server."""

    def __init__(self, configuration: client.Configuration) -> None:
        self.configuration = configuration
        self.namespace = "default"
        """Of the kubeconfig's context."""
        self.api = client.ApiClient(configuration)
        self._base = configuration.host.rstrip("/")
        context: ssl.SSLContext = self.api.rest_client.ssl_context
        self._session = _session(context, limit=64)
        # Watches hold their connections for minutes: they must not take those of requests.
        self._watches = _session(context, limit=0)
        self._resources: dict[str, tuple[float, dict[str, tuple[str, bool]]]] = {}

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> Self:
        """By this kubeconfig; else inside a cluster by the service account, outside by KUBECONFIG or ~/.kube/config.

        `context` is one of the kubeconfig's, its current one by default. Unavailable says what is wrong with it.
        """
        configuration = client.Configuration()
        namespace = None
        try:
            if kubeconfig is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
                config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
            else:
                loader = await config.load_kube_config(kubeconfig, context, configuration)  # type: ignore[no-untyped-call]
                namespace = loader.current_context["context"].get("namespace")
        except config.ConfigException as error:
            raise Unavailable(f"no way to the cluster: {error}") from error
        cluster = cls(configuration)
        cluster.namespace = namespace or "default"
        return cluster

    async def close(self) -> None:
        """End all connections."""
        await self._session.close()
        await self._watches.close()
        await self.api.close()  # type: ignore[no-untyped-call]

    async def _headers(self) -> dict[str, str]:
        token = await self.configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        return {"Authorization": token} if token else {}

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Any:
        """One request; the decoded answer, or one of core.errors (with NotFound and Gone)."""
        headers = {**await self._headers(), "Accept": accept}
        data = None
        if body is not None:
            data = encode(body)
            headers["Content-Type"] = content_type
        try:
            async with self._session.request(method, self._url(path, params), data=data, headers=headers) as response:
                payload = await response.read()
                if response.status >= 400:
                    raise _error(response.status, payload, response.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"the API server did not answer: {type(error).__name__}") from error
        return decode(payload) if payload else None

    def _url(self, path: str, params: Mapping[str, str] | None) -> URL:
        """What it is made of needs no encoding (names) or has it (parameters): it is not parsed again."""
        return URL(f"{self._base}{path}?{urlencode(params)}" if params else self._base + path, encoded=True)

    async def path(self, api_version: str, kind: str, namespace: str | None = None, name: str | None = None) -> str:
        """The URL path of a kind or object; NotFound when the cluster does not serve the kind."""
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        plural, namespaced = await self._discover(root, kind)
        parts = [root]
        if namespaced and namespace:
            parts.append(f"namespaces/{namespace}")
        parts.append(plural)
        if name:
            parts.append(name)
        return "/".join(parts)

    async def _discover(self, root: str, kind: str) -> tuple[str, bool]:
        seen, resources = self._resources.get(root, (float("-inf"), {}))
        if kind not in resources and time.monotonic() - seen > 5:
            try:
                found = await self.request("GET", root)
                resources = {
                    r["kind"]: (r["name"], r["namespaced"]) for r in found["resources"] if "/" not in r["name"]
                }
            except NotFound:
                resources = {}
            self._resources[root] = (time.monotonic(), resources)
        if kind not in resources:
            raise NotServed(f"the cluster does not serve {kind} of {root.removeprefix('/apis/').removeprefix('/api/')}")
        return resources[kind]

    async def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> Any | None:
        """One object, None where it (or its kind) does not exist."""
        try:
            return await self.request("GET", await self.path(api_version, kind, namespace, name))
        except NotFound:
            return None

    async def list_all(self, api_version: str, kind: str, namespace: str) -> list[Any]:
        """All objects of a kind in a namespace, with apiVersion and kind; none where the kind does not exist."""
        try:
            path = await self.path(api_version, kind, namespace)
        except NotFound:
            return []
        items = [item async for page, _ in self.list_pages(path, {}, metadata_only=False) for item in page]
        return [{"apiVersion": api_version, "kind": kind, **item} for item in items]

    async def list_pages(
        self, path: str, params: Mapping[str, str], metadata_only: bool
    ) -> AsyncIterator[tuple[list[Any], str]]:
        """Pages of (items, resource version of the list)."""
        query = {**params, "limit": str(PAGE)}
        accept = METADATA.format("List") if metadata_only else "application/json"
        while True:
            page = await self.request("GET", path, params=query, accept=accept)
            yield page.get("items") or [], page["metadata"]["resourceVersion"]
            if not (token := page["metadata"].get("continue")):
                return
            query["continue"] = token

    async def count(self, path: str) -> int | None:
        """How many objects there are, for the price of one; None where the API server does not say."""
        page = await self.request("GET", path, params={"limit": "1"}, accept=METADATA.format("List"))
        meta = page["metadata"]
        if meta.get("continue") and "remainingItemCount" not in meta:
            return None
        return len(page.get("items") or ()) + int(meta.get("remainingItemCount") or 0)

    async def watch(
        self, path: str, params: Mapping[str, str], version: str, metadata_only: bool
    ) -> AsyncGenerator[tuple[str, Any], None]:
        """(type, object) pairs until the server ends the stream; Gone where the version is too old."""
        query = {
            **params,
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": "290",
        }
        accept = METADATA.format("") if metadata_only else "application/json"
        headers = {**await self._headers(), "Accept": accept}
        # Bookmarks come once a minute: silence for longer means a dead connection.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=75)
        try:
            async with self._watches.get(self._base + path, params=query, headers=headers, timeout=timeout) as response:
                if response.status >= 400:
                    raise _error(response.status, await response.read(), None)
                async for line in _lines(response.content):
                    event = decode(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise _error(status.get("code", 500), encode(status), None)
                    yield event["type"], event["object"]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"the watch ended: {type(error).__name__}") from error


def _session(context: ssl.SSLContext, limit: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=limit),
        timeout=aiohttp.ClientTimeout(total=30, sock_connect=5),
        headers={"User-Agent": MANAGER},
        read_bufsize=2**20,
    )


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length (StreamReader.readline has a limit)."""
    buffer = bytearray()
    async for chunk in stream.iter_any():
        buffer += chunk
        *lines, rest = buffer.split(b"\n")
        buffer = rest
        for line in lines:
            if line:
                yield bytes(line)


def _error(code: int, payload: bytes, retry_after: str | None) -> IntegrationError:
    try:
        status = decode(payload)
        message = str(status.get("message") or status.get("reason") or code)[:2000]
        causes = {c.get("reason") for c in (status.get("details") or {}).get("causes") or ()}
        seconds = (status.get("details") or {}).get("retryAfterSeconds")
    except (msgspec.DecodeError, AttributeError, UnicodeDecodeError):
        message, causes, seconds = f"HTTP {code}", set(), None
    error: IntegrationError
    if code == 404 or "NamespaceTerminating" in causes:
        error = NotFound(message)
    elif code == 410:
        error = Gone(message)
    elif code == 409:
        error = Conflict(message)
    elif code in (400, 403, 422) and (denied := _denied(message)):
        error = denied
    elif code == 403:
        error = Forbidden(message)
    elif code in (400, 405, 413, 415, 422):
        error = Refused(message)
    else:
        error = Unavailable(message)
    wait = retry_after if retry_after and retry_after.isdecimal() else seconds
    error.retry_after = float(wait) if wait is not None else None
    return error


_QUOTA = re.compile(r" is forbidden: (exceeded|failed) quota: ")
_ADMISSION = re.compile(
    r"admission webhook \".*\" denied the request|ValidatingAdmissionPolicy '.*' denied request|violates PodSecurity \""
)


def _denied(message: str) -> Refused | None:
    """By quota or admission, which answer as missing rights do, or as for what is invalid: only their words differ."""
    if _QUOTA.search(message):
        return QuotaExceeded(f"{message}: raise the quota, or make room")
    return DeniedByAdmission(message) if _ADMISSION.search(message) else None


async def pause(seconds: float, stop: asyncio.Event) -> None:
    """Wait, but no longer than until stop is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
