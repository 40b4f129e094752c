"""A database outside the cluster: who may reach it, and what a credential that changes does."""

from typing import Any

import pytest

from dev.outside import DATABASE, Outside, secret
from tests.e2e.conftest import Client, connection, looking_pod

PASSWORD = "first-password"


@pytest.fixture
def account(client: Client, systems: Outside, namespace: str) -> str:
    """An account of this test alone, with its Secret and the CA in the namespace."""
    name = namespace.replace("-", "_")
    systems.postgresql.user(name, PASSWORD, DATABASE)
    authority = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"ca.crt": systems.ca}}
    client.apply(namespace, authority, secret(namespace, "db", username=name, password=PASSWORD))
    return name


def database(systems: Outside, **more: Any) -> dict[str, Any]:
    return connection(
        "db",
        postgresql={"host": "postgres.outside.test", "port": systems.postgresql.port, "database": DATABASE},
        tls={"caRef": {"kind": "ConfigMap", "name": "ca"}},
        credentials={
            "basic": {
                "usernameRef": {"name": "db", "key": "username"},
                "passwordRef": {"name": "db", "key": "password"},
            }
        },
        **more,
    )


def test_listed_pods_reach_the_connection_and_dns_and_nothing_else(
    client: Client, systems: Outside, namespace: str, account: str
) -> None:
    listed = {"podSelector": {"matchLabels": {"app": "listed"}}}
    client.apply(namespace, looking_pod("listed"), looking_pod("other"), database(systems, consumers=[listed]))
    client.kubectl("-n", namespace, "wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s")
    client.until_condition("serviceconnection", namespace, "db", "True", "Connected")
    client.until_condition("serviceconnection", namespace, "db", "True", type_="EgressProgrammed")
    allowed = ("postgres.outside.test", systems.postgresql.port)
    elsewhere = ("nats.outside.test", systems.nats.port)
    client.until("it is cut off from the rest", lambda: not client.connects(namespace, "listed", *elsewhere))
    assert client.connects(namespace, "listed", *allowed)
    assert client.connects(namespace, "other", *allowed), "a pod that is not listed is left alone"
    assert client.connects(namespace, "other", *elsewhere)
    client.apply(namespace, database(systems))
    client.until("it is free again", lambda: client.connects(namespace, "listed", *elsewhere))


def test_a_revoked_credential_shows_and_a_new_one_heals(
    client: Client, systems: Outside, namespace: str, account: str
) -> None:
    client.apply(namespace, database(systems))
    client.until_condition("serviceconnection", namespace, "db", "True", "Connected")
    systems.postgresql.sql(f"ALTER ROLE {account} PASSWORD 'second-password'")
    told = client.until_condition("serviceconnection", namespace, "db", "False", "AuthenticationFailed")
    assert PASSWORD not in str(told)
    client.apply(namespace, secret(namespace, "db", username=account, password="second-password"))
    client.until_condition("serviceconnection", namespace, "db", "True", "Connected")
    systems.postgresql.sql(f"ALTER ROLE {account} NOLOGIN")
    client.until_condition("serviceconnection", namespace, "db", "False")
    systems.postgresql.sql(f"ALTER ROLE {account} LOGIN")
    client.until_condition("serviceconnection", namespace, "db", "True", "Connected")


def test_the_binding_is_what_a_client_needs(client: Client, systems: Outside, namespace: str, account: str) -> None:
    client.apply(namespace, database(systems))
    client.until_condition("serviceconnection", namespace, "db", "True", "Connected")
    binding = client.get("secret", namespace, "db-binding") or {}
    assert binding["type"] == "servicebinding.io/postgresql"
    wanted = {"type", "provider", "host", "port", "uri", "database", "username", "password", "ca.crt"}
    assert binding["data"].keys() >= wanted
    client.kubectl("-n", namespace, "delete", "serviceconnection", "db", "--timeout=30s")
    client.until("the binding goes with it", lambda: client.get("secret", namespace, "db-binding") is None)


def test_the_clusters_own_addresses_are_denied(client: Client, namespace: str) -> None:
    name = "kubernetes.default.svc.cluster.local"
    client.apply(namespace, connection("inside", http={"url": f"https://{name}"}))
    client.until_condition("serviceconnection", namespace, "inside", "False", "AddressDenied")
