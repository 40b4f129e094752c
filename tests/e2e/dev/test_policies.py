"""The development cluster's policy enforcer, on the real kernel: what NetworkPolicy says is what happens."""

from collections.abc import Iterator
from typing import Any

import pytest

from dev.node_agent.policies import Pod, table
from tests.e2e.dev.lab import Lab

ADDRESSES = {"web": "10.0.1.1", "db": "10.0.1.2", "other": "10.0.2.1"}
PORTS = (80, 5432)
NAMESPACES = {"shop": {"team": "shop"}, "else": {"team": "else"}}
PODS = [
    Pod("shop", "web", ADDRESSES["web"], "n", {"app": "web"}, {("TCP", "http"): 80}),
    Pod("shop", "db", ADDRESSES["db"], "n", {"app": "db", "tier": "data"}, {("TCP", "sql"): 5432}),
    Pod("else", "other", ADDRESSES["other"], "n", {"app": "web"}, {("TCP", "http"): 5432}),
]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(ADDRESSES, PORTS) as made:
        yield made


def policy(pods: dict[str, Any], namespace: str = "shop", name: str = "p", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}, "spec": {"podSelector": pods, **spec}}


DB = {"matchLabels": {"app": "db"}}
WEB = {"matchLabels": {"app": "web"}}
DATA = {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["data"]}]}
TO_DB = {("web", "db", 80), ("web", "db", 5432), ("other", "db", 80), ("other", "db", 5432)}
FROM_WEB = {("web", "db", 80), ("web", "db", 5432), ("web", "other", 80), ("web", "other", 5432)}
ALL = {(s, t, p) for s in ADDRESSES for t in ADDRESSES for p in PORTS if s != t}

CASES: dict[str, tuple[list[dict[str, Any]], set[tuple[str, str, int]]]] = {
    "without a policy everything is open": ([], set()),
    "an empty ingress lets nothing in": ([policy(DB, policyTypes=["Ingress"])], TO_DB),
    "policyTypes default to Ingress": ([policy(DB)], TO_DB),
    "an empty rule lets everything in": ([policy(DB, ingress=[{}])], set()),
    "an empty pod selector selects the whole namespace": (
        [policy({}, policyTypes=["Ingress"])],
        {c for c in ALL if c[1] in ("web", "db")},
    ),
    "an expression selects as a label does": ([policy(DATA)], TO_DB),
    "peers of the own namespace by label": (
        [policy(DB, ingress=[{"from": [{"podSelector": WEB}]}])],
        {("other", "db", 80), ("other", "db", 5432)},
    ),
    "peers of another namespace by its labels": (
        [policy(DB, ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"team": "else"}}}]}])],
        {("web", "db", 80), ("web", "db", 5432)},
    ),
    "both selectors of one peer must hold": (
        [policy(DB, ingress=[{"from": [{"namespaceSelector": {}, "podSelector": DB}]}])],
        TO_DB,
    ),
    "a port by number": (
        [policy(DB, ingress=[{"ports": [{"port": 5432}]}])],
        {("web", "db", 80), ("other", "db", 80)},
    ),
    "a range of ports": ([policy(DB, ingress=[{"ports": [{"port": 80, "endPort": 6000}]}])], set()),
    "a port of another protocol": ([policy(DB, ingress=[{"ports": [{"port": 5432, "protocol": "UDP"}]}])], TO_DB),
    "a named port of the target for ingress": (
        [policy(DB, ingress=[{"ports": [{"port": "sql"}]}])],
        {("web", "db", 80), ("other", "db", 80)},
    ),
    "an address block": (
        [policy(DB, ingress=[{"from": [{"ipBlock": {"cidr": "10.0.1.0/24"}}]}])],
        {("other", "db", 80), ("other", "db", 5432)},
    ),
    "an address block with an exception": (
        [policy(DB, ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.0.2.0/24"]}}]}])],
        {("other", "db", 80), ("other", "db", 5432)},
    ),
    "egress to nothing": (
        [policy({"matchLabels": {"app": "web"}}, policyTypes=["Egress"])],
        FROM_WEB,
    ),
    "egress to one pod and port": (
        [policy(WEB, policyTypes=["Egress"], egress=[{"to": [{"podSelector": DB}], "ports": [{"port": 5432}]}])],
        FROM_WEB - {("web", "db", 5432)},
    ),
    "egress to a named port, which each target has its own number for": (
        [
            policy(
                WEB, policyTypes=["Egress"], egress=[{"to": [{"namespaceSelector": {}}], "ports": [{"port": "http"}]}]
            )
        ],
        FROM_WEB - {("web", "other", 5432)},
    ),
    "egress to a block with an exception": (
        [
            policy(
                WEB,
                policyTypes=["Egress"],
                egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.0.1.2/32"]}}]}],
            )
        ],
        {("web", "db", 80), ("web", "db", 5432)},
    ),
    "two policies add up": (
        [
            policy(DB, name="a", ingress=[{"from": [{"podSelector": WEB}]}]),
            policy(DB, name="b", ingress=[{"ports": [{"port": 80}]}]),
        ],
        {("other", "db", 5432)},
    ),
    "both directions must agree": (
        [
            policy(WEB, name="out", policyTypes=["Egress"], egress=[{"ports": [{"port": 5432}]}]),
            policy(DB, name="in", ingress=[{"ports": [{"port": 80}]}]),
        ],
        {("web", "db", 80), ("web", "db", 5432), ("web", "other", 80), ("other", "db", 5432)},
    ),
    "a policy of another namespace does not touch this one": ([policy(DB, namespace="else")], set()),
}


@pytest.mark.parametrize("name", CASES)
def test_policy(lab: Lab, name: str) -> None:
    policies, denied = CASES[name]
    lab.load(table("n", policies, PODS, NAMESPACES))
    assert {case for case in ALL if not lab.connects(*case)} == denied
