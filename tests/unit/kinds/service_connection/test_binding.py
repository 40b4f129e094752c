"""The binding Secret: what a client finds in it."""

from base64 import b64decode
from pathlib import Path

import pytest

from dev.pki import Authority
from integration_operator.core.binding import Binding
from integration_operator.drivers.connection import common_name
from integration_operator.kinds.service_connection.look import World
from integration_operator.kinds.service_connection.model import ServiceConnection
from integration_operator.kinds.service_connection.plan import plan
from tests.unit.kinds.service_connection.test_tokens import NOW


def test_a_client_certificate_alone_names_the_user_of_a_database(tmp_path: Path) -> None:
    crt, key = Authority(tmp_path).issue("reader", "reader", organization="shop", client=True)
    spec = {
        "postgresql": {"host": "db.example.com", "database": "orders"},
        "tls": {"clientCertificateRef": {"name": "mtls"}},
    }
    metadata = {"name": "db", "namespace": "shop", "uid": "u"}
    connection = ServiceConnection.model_validate({"kind": "ServiceConnection", "metadata": metadata, "spec": spec})
    made = plan(connection, World(certificate=crt.read_text(), key=key.read_text()), NOW)
    assert made.children
    binding = Binding.parse({k: b64decode(v) for k, v in made.children[0]["data"].items()})
    assert (binding.username, binding.password) == ("reader", None)
    assert (binding.tls_crt, binding.tls_key) == (crt.read_text(), key.read_text())


@pytest.mark.parametrize("text", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_has_no_name(text: str) -> None:
    assert common_name(text) is None
