"""docs/add-a-driver.md, word for word: a copy with the driver of the guide uses it on a real API server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.apiserver import ApiServer
from dev.controlplane import free_ports
from dev.versions import KUBECTL
from tests.api.docs.guide import Reader


@pytest.fixture(scope="module")
def api() -> Iterator[ApiServer]:
    with ApiServer() as api:
        yield api


def test_the_guide_adds_a_driver_that_works(tmp_path: Path, api: ApiServer) -> None:
    reader = Reader.copy(
        tmp_path / "repository",
        {
            "KUBECONFIG": str(api.kubeconfig),
            "PATH": f"{KUBECTL.parent}:{os.environ['PATH']}",
            "INTEGRATION_OPERATOR_PORT": str(free_ports(1)[0]),
        },
        stands_for=(".venv/bin/python -m dev apiserver",),
    )
    try:
        reader.follow("add-a-driver.md")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{reader.logs()}") from None
    finally:
        reader.stop()
