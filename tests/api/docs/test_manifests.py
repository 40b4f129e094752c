"""What the documentation shows is taken by a real API server, with every rule and no unknown field."""

import yaml

from dev.apiserver import ApiServer
from dev.processes import run
from dev.versions import KUBECTL
from tests.unit.docs.test_docs import MANIFESTS


def test_the_api_server_takes_every_manifest_of_the_documentation(server: ApiServer) -> None:
    shown = [{**m, "metadata": {**m["metadata"], "namespace": "default"}} for _, m in MANIFESTS]
    command = [
        KUBECTL,
        f"--kubeconfig={server.kubeconfig}",
        "apply",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        "-",
    ]
    lines = run(command, input=yaml.safe_dump_all(shown)).splitlines()
    assert len(lines) == len(shown) > 10
    assert all(line.endswith(" (server dry run)") for line in lines)
