"""CRDs of the gateway, read out of the Go modules that bring them: for API servers where no gateway runs."""

from typing import Any

import yaml

from dev.build import module_directory
from dev.versions import ENVOY_GATEWAY, GATEWAY_API


def gateway_crds() -> list[dict[str, Any]]:
    """Gateway API's (standard channel) and Envoy Gateway's."""
    standard = module_directory(f"sigs.k8s.io/gateway-api@{GATEWAY_API}") / "config" / "crd" / "standard"
    chart = module_directory(f"github.com/envoyproxy/gateway@{ENVOY_GATEWAY}") / "charts" / "gateway-helm"
    folders = (standard, chart / "charts" / "crds" / "crds" / "generated")
    files = [file for folder in folders for file in sorted(folder.glob("*.yaml"))]
    documents = [d for file in files for d in yaml.load_all(file.read_text(), yaml.CSafeLoader) if d]
    return [d for d in documents if d["kind"] == "CustomResourceDefinition"]
