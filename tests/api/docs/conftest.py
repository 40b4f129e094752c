"""Somebody who follows a guide in a copy of the repository, with an API server of their own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.apiserver import ApiServer
from dev.controlplane import free_ports
from dev.versions import KUBECTL
from tests.api.docs.guide import Newcomer


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    with ApiServer() as api:
        environment = {
            "KUBECONFIG": str(api.kubeconfig),
            "PATH": f"{KUBECTL.parent}:{os.environ['PATH']}",
            "INTEGRATION_OPERATOR_PORT": str(free_ports(1)[0]),
        }
        newcomer = Newcomer.copy(
            tmp_path / "repository", environment, stands_for=(".venv/bin/python -m dev apiserver",)
        )
        try:
            yield newcomer
        finally:
            newcomer.stop()
            print(newcomer.logs())
