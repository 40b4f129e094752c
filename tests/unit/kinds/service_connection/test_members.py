"""The members of the union, and what clients are told of them."""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from integration_operator.core.addresses import AddressRules
from integration_operator.kinds.service_connection.members import NAMES
from integration_operator.kinds.service_connection.model import ServiceConnection
from integration_operator.registry.drivers import DRIVERS

PLAIN = {"tls": {"mode": "Disable"}, "allowInsecure": True}


def connection(**spec: Any) -> ServiceConnection:
    metadata = {"name": "x", "namespace": "shop", "uid": "u"}
    return ServiceConnection.model_validate({"kind": "ServiceConnection", "metadata": metadata, "spec": spec})


def test_each_has_a_probe_of_its_name() -> None:
    assert set(NAMES) <= {make(AddressRules()).name for make in DRIVERS}


@pytest.mark.parametrize(
    ("spec", "type_", "uri", "encrypted"),
    [
        ({"http": {"url": "https://a.test/v2"}}, "http", "https://a.test/v2", True),
        ({"http": {"url": "http://a.test"}, "allowInsecure": True}, "http", "http://a.test", False),
        ({"nats": {"host": "a.test"}}, "nats", "tls://a.test:4222", True),
        ({"nats": {"host": "a.test"}, "allowInsecure": True}, "nats", "tls://a.test:4222", True),
        ({"nats": {"host": "2001:db8::1"}, **PLAIN}, "nats", "nats://[2001:db8::1]:4222", False),
        (
            {"postgresql": {"host": "a.test", "database": "d"}, "allowInsecure": True},
            "postgresql",
            "postgresql://a.test:5432/d?sslmode=verify-full",
            True,
        ),
        (
            {"postgresql": {"host": "a.test", "port": 1, "database": "d"}, **PLAIN},
            "postgresql",
            "postgresql://a.test:1/d?sslmode=disable",
            False,
        ),
    ],
)
def test_how_each_is_reached(spec: dict[str, Any], type_: str, uri: str, encrypted: bool) -> None:
    made = connection(**spec)
    assert (made.type, made.member.uri(made.encrypted), made.encrypted) == (type_, uri, encrypted)


@pytest.mark.parametrize("database", ["a b", "a?sslmode=disable", "a#b", "100%25", "\u00e4", "a@b:c"])
def test_the_name_of_a_database_stays_a_name(database: str) -> None:
    uri = urlsplit(connection(postgresql={"host": "a.test", "database": database}).member.uri(True))
    assert (uri.hostname, unquote(uri.path), parse_qs(uri.query)) == (
        "a.test",
        f"/{database}",
        {"sslmode": ["verify-full"]},
    )
