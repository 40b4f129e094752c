"""`status` from its options to its exit code."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from integration_operator import registry
from integration_operator.cli.connect import connected
from integration_operator.cli.options import Report
from integration_operator.cli.output import note, progress
from integration_operator.cli.run import Failure
from integration_operator.cli.survey import render
from integration_operator.cli.survey.gather import Survey, survey
from integration_operator.core.kind import Kind
from integration_operator.core.model import parse_duration
from integration_operator.engine.cluster import Cluster

POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    name: str | None
    kind: str | None
    namespace: str | None
    everywhere: bool
    wait: str | None
    output: Report
    context: str | None
    kubeconfig: str | None


async def status(request: Request) -> int:
    """Show how things stand; 1 where something is not ready."""
    kinds = kinds_named(request.kind)
    seconds = _seconds(request.wait)
    async with connected(request.kubeconfig, request.context) as cluster:
        namespace = None if request.everywhere else request.namespace or cluster.namespace
        with progress("looking at the cluster"):
            found = await _until_ready(cluster, kinds, namespace, request.name, seconds)
    if not found.standings:
        where = f"namespace {namespace}" if namespace else "any namespace"
        what = kinds[0].name if len(kinds) == 1 else "integration"
        if request.name:
            raise Failure(f"no {what} named {request.name} in {where}")
        note(f"no {what} in {where}")
    if request.output is Report.JSON:
        render.json(found)
    elif found.standings:
        render.tree(found)
    if found.unread:
        note(f"without the right to list {', '.join(sorted(found.unread))}: these children are not shown")
    return 0 if found.ready else 1


def kinds_named(word: str | None) -> list[Kind[Any, Any]]:
    """Kinds by kind, plural or short name; all of them without a word."""
    if word is None:
        return list(registry.KINDS)
    found = [k for k in registry.KINDS if word.lower() in (k.name.lower(), k.plural, *k.short_names)]
    if not found:
        raise Failure(f"no kind {word}: there are {', '.join(k.name for k in registry.KINDS)}")
    return found


def _seconds(wait: str | None) -> float:
    try:
        return parse_duration(wait).total_seconds() if wait else 0.0
    except PydanticCustomError as error:
        raise Failure(f"--wait: {error}") from error


async def _until_ready(
    cluster: Cluster, kinds: list[Kind[Any, Any]], namespace: str | None, name: str | None, seconds: float
) -> Survey:
    deadline = time.monotonic() + seconds
    while True:
        found = await survey(cluster, kinds, namespace, name)
        if (found.ready and found.standings) or time.monotonic() >= deadline:
            return found
        await asyncio.sleep(POLL_SECONDS)
