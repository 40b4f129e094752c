"""Connections to a cluster, chosen as kubectl chooses them."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from integration_operator.cli.run import Failure
from integration_operator.core.errors import Unavailable
from integration_operator.engine.cluster import Cluster

DEFAULT = "~/.kube/config"


@asynccontextmanager
async def connected(kubeconfig: str | None, context: str | None) -> AsyncIterator[Cluster]:
    """A cluster; a Failure says which one did not answer, or why there is none."""
    paths = kubeconfig or os.environ.get("KUBECONFIG")
    inside = paths is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ
    if not inside and not _any_exists(paths or DEFAULT):
        raise Failure(f"no kubeconfig at {paths or DEFAULT}: name one with --kubeconfig or KUBECONFIG")
    try:
        cluster = await Cluster.connect(None if inside else paths or DEFAULT, context)
    except Unavailable as error:
        raise Failure(str(error)) from error
    try:
        yield cluster
    except Unavailable as error:
        raise Failure(f"{error} ({cluster.configuration.host}): is it the right cluster, and is it up?") from error
    finally:
        await cluster.close()


def _any_exists(paths: str) -> bool:
    return any(Path(path).expanduser().exists() for path in paths.split(os.pathsep) if path)
