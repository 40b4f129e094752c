"""How the operator is installed in a cluster: found by the labels of its chart, read from its Deployment."""

from dataclasses import dataclass
from typing import Any

from integration_operator.core.model import MANAGER
from integration_operator.engine.cluster import Cluster, NotFound
from integration_operator.settings import PREFIX, Settings

SELECTOR = f"app.kubernetes.io/name={MANAGER},app.kubernetes.io/component=operator"


@dataclass(frozen=True)
class Installation:
    """One installation: its Deployment, and the settings that it was given."""

    deployment: dict[str, Any]
    settings: Settings

    @property
    def namespace(self) -> str:
        """Where it runs."""
        return str(self.deployment["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """Name of the Deployment."""
        return str(self.deployment["metadata"]["name"])


async def installations(cluster: Cluster) -> list[Installation]:
    """All of them; Forbidden where Deployments may not be listed."""
    found: list[dict[str, Any]] = []
    try:
        path = await cluster.path("apps/v1", "Deployment")
        async for items, _ in cluster.list_pages(path, {"labelSelector": SELECTOR}, metadata_only=False):
            found += items
    except NotFound:
        return []
    return [Installation(deployment, _settings(deployment)) for deployment in found]


def _settings(deployment: dict[str, Any]) -> Settings:
    given = {f"{PREFIX}NAMESPACE": deployment["metadata"]["namespace"]}
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        given |= {e["name"]: e["value"] for e in container.get("env") or () if "value" in e}
    try:
        return Settings.load(given)
    except ValueError:  # settings that this version does not take: its defaults, then
        return Settings.load({f"{PREFIX}NAMESPACE": given[f"{PREFIX}NAMESPACE"]})
