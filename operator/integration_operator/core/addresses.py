"""Which outside addresses may be connected to: checked after resolving, and again when connecting."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

Network = IPv4Network | IPv6Network

NEVER = (
    "0.0.0.0/8",
    "100.100.100.200/32",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "224.0.0.0/3",
    "::/96",
    "64:ff9b:1::/48",
    "fe80::/10",
    "ff00::/8",
    "fd00:ec2::254/128",
)
"""Loopback, link-local, clouds' metadata, multicast, reserved, local NAT64: denied unless allowed by name."""


@dataclass(frozen=True)
class AddressRules:
    """`deny` and `allow` are networks; `allow` wins. Private ranges (RFC 1918) are open unless denied."""

    deny: tuple[Network, ...] = tuple(ip_network(n) for n in NEVER)
    allow: tuple[Network, ...] = ()

    @classmethod
    def of(cls, deny: Iterable[str] = (), allow: Iterable[str] = ()) -> Self:
        """Rules with further denied and allowed networks in CIDR notation; ValueError where one is none."""
        return cls(
            tuple(ip_network(n) for n in (*NEVER, *deny)),
            tuple(ip_network(n) for n in allow),
        )

    def denying(self, networks: Iterable[str]) -> Self:
        """These rules with further denied networks in CIDR notation."""
        return replace(self, deny=(*self.deny, *(ip_network(n) for n in networks)))

    def permit(self, address: str) -> bool:
        """Whether this IP address may be connected to. An IPv4 address inside IPv6 is judged as IPv4."""
        ip = ip_address(address.partition("%")[0])
        if isinstance(ip, IPv6Address) and (inner := ip.ipv4_mapped or ip.sixtofour or _translated(ip)):
            ip = inner
        if any(ip in network for network in self.allow if network.version == ip.version):
            return True
        return not any(ip in network for network in self.deny if network.version == ip.version)


_NAT64 = IPv6Network("64:ff9b::/96")


def _translated(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a NAT64 gateway (RFC 6052) would connect to."""
    return IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None


@dataclass(frozen=True)
class Resolution:
    """What a host name resolves to: sorted addresses, those denied, and the resolver's error if there was one."""

    addresses: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    error: str = ""
