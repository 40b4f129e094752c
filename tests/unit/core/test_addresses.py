"""Which addresses may be connected to."""

from ipaddress import ip_network

import pytest

from integration_operator.core.addresses import AddressRules, LiveRules


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "0.0.0.0",
        "169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:0001::",
        "64:ff9b::7f00:1",
        "fd00:ec2::254",
        "::127.0.0.1",
        "64:ff9b:1::7f00:1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "::ffff:0:7f00:1",
        "::ffff:0:169.254.169.254",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2606:2800::5efe:127.0.0.1",
        "2606:2800::200:5efe:169.254.169.254",
        "fe80::5efe:93.184.216.34",
        "fd20:ce::254",
        "fd00:ec2::23",
        "fd00:42::42",
        "fd00:c1::a9fe:a9fe",
        "fd00:a9fe:a9fe::1",
    ],
)
def test_never_by_default(address: str) -> None:
    assert not AddressRules().permit(address)


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "192.168.0.1",
        "172.16.0.1",
        "93.184.216.34",
        "2606:2800::1",
        "::ffff:93.184.216.34",
        "::ffff:0:93.184.216.34",
        "64:ff9b::93.184.216.34",
        "2002:5db8:d822::1",
        "2606:2800::5efe:93.184.216.34",
        "2001:db8::1",
    ],
)
def test_private_and_public_addresses_are_open(address: str) -> None:
    assert AddressRules().permit(address)


def test_denied_by_setting() -> None:
    rules = AddressRules.of(deny=["10.96.0.0/16"])
    assert not rules.permit("10.96.0.1")
    for inside in ("::ffff:10.96.0.1", "::ffff:0:10.96.0.1", "64:ff9b::10.96.0.1", "2606:2800::5efe:10.96.0.1"):
        assert not rules.permit(inside)
    assert rules.permit("10.97.0.1")


def test_allow_makes_an_exception() -> None:
    rules = AddressRules.of(deny=["10.0.0.0/8"], allow=["10.1.0.0/16", "127.0.0.0/8"])
    assert rules.permit("10.1.2.3")
    assert rules.permit("127.0.0.1")
    assert not rules.permit("10.2.0.1")


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        AddressRules.of(deny=["everything"])


def test_live_rules_follow_what_the_cluster_calls_its_own() -> None:
    rules = LiveRules(AddressRules.of(deny=["10.1.0.0/16"], allow=["10.244.7.0/24"]))
    assert rules.permit("10.244.0.9")
    rules.deny_also(ip_network(n) for n in ("10.244.0.0/24", "10.244.1.0/24", "10.244.7.0/24", "fd00:244::/64"))
    assert not rules.permit("10.244.1.9")
    assert not rules.permit("fd00:244::9")
    assert rules.permit("10.244.7.9"), "allow wins"
    rules.deny_also([ip_network("10.244.2.0/24")])
    assert rules.permit("10.244.1.9"), "in place of the last ones, not beside them"
    assert not rules.permit("10.244.2.9")
    assert not rules.permit("10.1.0.1"), "what is configured stays"
    assert not rules.permit("127.0.0.1")
