"""The conformance suite of gateway drivers, on the real cluster."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_operator.core.addresses import AddressRules
from integration_operator.drivers.gateway import Feature, GatewayDriver
from integration_operator.registry.drivers import DRIVERS
from tests.drivers.conformance import CHECKS
from tests.e2e.conftest import Client, Gateway, echo
from tests.e2e.gateway.lab import ClusterLab

GATEWAYS = [d for d in (make(AddressRules()) for make in DRIVERS) if isinstance(d, GatewayDriver)]


@pytest.fixture(scope="module", params=GATEWAYS, ids=lambda d: type(d).__name__)
def lab(
    request: pytest.FixtureRequest, client: Client, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterLab]:
    namespace = f"lab-{uuid.uuid4().hex[:8]}"
    client.kubectl("create", "namespace", namespace)
    client.apply(namespace, *echo("echo"), *echo("echo-next"))
    for name in ("echo", "echo-next"):
        client.kubectl("-n", namespace, "rollout", "status", f"deployment/{name}", "--timeout=90s")
    folder: Path = tmp_path_factory.mktemp("partners")
    yield ClusterLab(request.param, client, gateway, namespace, folder)
    client.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.mark.parametrize("name", CHECKS)
def test_conformance(lab: ClusterLab, name: str) -> None:
    feature, check = CHECKS[name]
    if feature not in lab.driver.features:
        pytest.skip(f"the driver says that it lacks {feature}, and refuses routes that need it")
    check(lab)


def test_every_feature_is_shown_by_a_check() -> None:
    assert {feature for feature, _ in CHECKS.values()} == set(Feature)
