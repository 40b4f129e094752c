"""Which outside addresses may be connected to: checked after resolving, and again when connecting."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)
from typing import Protocol, Self

Network = IPv4Network | IPv6Network

LINK_LOCAL = ("169.254.0.0/16", "fe80::/10")
METADATA = (
    "100.100.100.200/32",  # Alibaba Cloud
    "168.63.129.16/32",  # Azure
    "192.0.0.192/32",  # Oracle Cloud, classic
    "fd00:42::42/128",  # Scaleway
    "fd00:a9fe:a9fe::1/128",  # Akamai (Linode)
    "fd00:c1::a9fe:a9fe/128",  # Oracle Cloud
    "fd00:ec2::/32",  # AWS: metadata, Pod Identity, DNS, time
    "fd20:ce::254/128",  # Google Cloud
)
"""Where clouds tell machines who they are, credentials included, beside link-local addresses."""

NEVER = (
    "0.0.0.0/8",
    "127.0.0.0/8",
    "192.0.0.0/24",
    "224.0.0.0/3",
    "::/96",
    "64:ff9b:1::/48",
    "2001::/32",
    "ff00::/8",
    *LINK_LOCAL,
    *METADATA,
)
"""Loopback, link-local, clouds' metadata, multicast, reserved, local NAT64, Teredo: denied unless allowed by name."""


class Outbound(Protocol):
    """Says which addresses may be connected to, as things stand at this moment."""

    def permit(self, address: str) -> bool:
        """Whether this IP address may be connected to."""
        ...


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

    def denying(self, networks: Iterable[Network]) -> Self:
        """These rules with further denied networks, neighbours taken together."""
        more = tuple(networks)
        fours = collapse_addresses(n for n in more if isinstance(n, IPv4Network))
        sixes = collapse_addresses(n for n in more if isinstance(n, IPv6Network))
        return replace(self, deny=(*self.deny, *fours, *sixes))

    def permit(self, address: str) -> bool:
        """Whether this IP address may be connected to. Of one with an IPv4 address inside, both must be permitted."""
        ip = ip_address(address.partition("%")[0])
        inner = _inner(ip) if isinstance(ip, IPv6Address) else None
        return self._permits(ip) and (inner is None or self._permits(inner))

    def _permits(self, ip: IPv4Address | IPv6Address) -> bool:
        if any(ip in network for network in self.allow if network.version == ip.version):
            return True
        return not any(ip in network for network in self.deny if network.version == ip.version)


class LiveRules:
    """Rules that all who connect share, while what the cluster calls its own changes."""

    def __init__(self, configured: AddressRules) -> None:
        self._configured = self._now = configured

    def deny_also(self, networks: Iterable[Network]) -> None:
        """From now on: deny these beside what is configured, in place of those of the last time."""
        self._now = self._configured.denying(networks)

    def permit(self, address: str) -> bool:
        """See Outbound."""
        return self._now.permit(address)


_LOW_32_BITS = (
    IPv6Network("64:ff9b::/96"),  # NAT64 (RFC 6052)
    IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated (RFC 2765)
)
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)
"""The upper half of an interface identifier that ends in an IPv4 address (RFC 5214)."""


def _inner(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a gateway, a relay or the kernel would connect to for this one."""
    if found := ip.ipv4_mapped or ip.sixtofour:
        return found
    isatap = (int(ip) >> 32) & 0xFFFF_FFFF in _ISATAP
    return IPv4Address(int(ip) & 0xFFFF_FFFF) if isatap or any(ip in n for n in _LOW_32_BITS) else None


@dataclass(frozen=True)
class Resolution:
    """What a host name resolves to: sorted addresses, those denied, and the resolver's error if there was one."""

    addresses: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    error: str = ""
