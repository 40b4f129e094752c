"""Gateway API and Envoy Gateway, from their own Helm chart, with images made here."""

import shutil
import tempfile
from pathlib import Path

import yaml

from dev import build, clusters
from dev.images import ALL
from dev.processes import run
from dev.versions import ENVOY_GATEWAY, HELM_BIN

NAMESPACE = "envoy-gateway-system"


def install(cluster: clusters.Cluster) -> None:
    """Install or upgrade, until the controller is available; quick where nothing changed."""
    build.ensure("helm", "envoy-gateway")
    cluster.load(["envoy-gateway", "envoy"])
    module = build.module_directory(f"github.com/envoyproxy/gateway@{ENVOY_GATEWAY}")
    with tempfile.TemporaryDirectory(prefix="chart-") as folder:
        chart = Path(folder) / "gateway-helm"
        shutil.copytree(module / "charts" / "gateway-helm", chart)
        run(["chmod", "-R", "u+w", chart])
        template = (chart / "values.tmpl.yaml").read_text()
        values = template.replace("${GatewayImage}", ALL["envoy-gateway"].reference)
        (chart / "values.yaml").write_text(values.replace("${GatewayImagePullPolicy}", "IfNotPresent"))
        overrides = Path(folder) / "overrides.yaml"
        overrides.write_text(yaml.safe_dump(VALUES))
        helm(
            cluster,
            *("upgrade", "--install", "eg", str(chart), "--namespace", NAMESPACE, "--create-namespace"),
            *("--values", str(overrides), "--wait", "--timeout", "180s"),
        )


def helm(cluster: clusters.Cluster, *arguments: str) -> str:
    """Helm against the cluster."""
    build.ensure("helm")
    return run([HELM_BIN, f"--kubeconfig={cluster.kubeconfig}", *arguments])


VALUES = {
    "config": {
        "envoyGateway": {
            "extensionApis": {"enableBackend": True},
        }
    },
    "deployment": {"envoyGateway": {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}}},
}
"""What the operator needs of Envoy Gateway: Backend objects, for connections to outside hosts."""
