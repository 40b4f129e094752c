"""Which addresses may be connected to."""

import pytest

from integration_operator.core.addresses import AddressRules


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
    ],
)
def test_never_by_default(address: str) -> None:
    assert not AddressRules().permit(address)


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.0.1", "172.16.0.1", "93.184.216.34", "2606:2800::1"])
def test_private_and_public_addresses_are_open(address: str) -> None:
    assert AddressRules().permit(address)


def test_denied_by_setting() -> None:
    rules = AddressRules.of(deny=["10.96.0.0/16"])
    assert not rules.permit("10.96.0.1")
    assert not rules.permit("::ffff:10.96.0.1")
    assert rules.permit("10.97.0.1")


def test_allow_makes_an_exception() -> None:
    rules = AddressRules.of(deny=["10.0.0.0/8"], allow=["10.1.0.0/16", "127.0.0.0/8"])
    assert rules.permit("10.1.2.3")
    assert rules.permit("127.0.0.1")
    assert not rules.permit("10.2.0.1")


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        AddressRules.of(deny=["everything"])
