"""An IP address -> whether it belongs to the public internet, whatever it is wrapped in; knows no name and no socket.

`ipaddress.is_global` follows the IANA registries; added here: addresses that hold an IPv4 address inside (mapped, 6to4,
NAT64, ISATAP), ranges that older Pythons call global, and clouds' services at public-looking addresses.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

NEVER = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3",
        "168.63.129.16/32",  # Azure's own services
        "::/96",  # IPv4-compatible, deprecated; also :: and ::1
        "64:ff9b:1::/48",  # local-use NAT64
        "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/9", "ff00::/8",
    )
)  # fmt: skip
NAT64 = IPv6Network("64:ff9b::/96")
ISATAP = (0x00005EFE, 0x02005EFE)  # the upper half of the interface's part of an ISATAP address


def is_public(address: str) -> bool:
    """Whether the address, and one inside it, is of the public internet; False for what is no address."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.scope_id is not None:
        return False
    inside = _inside(found)
    return _is_public(found) if inside is None else _is_public(inside)


def _is_public(address: Address) -> bool:
    if any(address.version == block.version and address in block for block in NEVER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inside(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None or address.sixtofour is not None:
        return address.ipv4_mapped or address.sixtofour
    held = address in NAT64 or int(address) >> 32 & 0xFFFFFFFF in ISATAP
    return IPv4Address(int(address) & 0xFFFFFFFF) if held else None
