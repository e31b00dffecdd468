"""Which addresses are public: the same table on every version of Python."""

import ipaddress
from collections.abc import Callable

import pytest

from imaginem.images.special_addresses import is_public

# First and last address of each block of the registries, and of what we never fetch from.
_INSIDE = """
    0.0.0.0 0.255.255.255
    10.0.0.0 10.255.255.255
    100.64.0.0 100.127.255.255
    127.0.0.0 127.255.255.255
    168.63.129.16 168.63.129.16
    169.254.0.0 169.254.255.255
    172.16.0.0 172.31.255.255
    192.0.0.0 192.0.0.255
    192.0.2.0 192.0.2.255
    192.31.196.0 192.31.196.255
    192.52.193.0 192.52.193.255
    192.88.99.0 192.88.99.255
    192.168.0.0 192.168.255.255
    192.175.48.0 192.175.48.255
    198.18.0.0 198.19.255.255
    198.51.100.0 198.51.100.255
    203.0.113.0 203.0.113.255
    224.0.0.0 239.255.255.255
    240.0.0.0 255.255.255.255
    :: ::1
    64:ff9b:1:: 64:ff9b:1:ffff:ffff:ffff:ffff:ffff
    100:: 100::ffff:ffff:ffff:ffff
    100:0:0:1:: 100::1:ffff:ffff:ffff:ffff
    2001:: 2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff
    2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff
    2620:4f:8000:: 2620:4f:8000:ffff:ffff:ffff:ffff:ffff
    3fff:: 3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff
    4000:: 5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
    5f00:: 5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff
    fc00:: fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
    fe80:: febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff
    fec0:: feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
    ff00:: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
"""
# The neighbours of those blocks that are public, and some well-known hosts.
_OUTSIDE = """
    1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
    168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0
    191.255.255.255 192.0.1.0 192.0.1.255 192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255
    192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0
    223.255.255.255 8.8.8.8 93.184.216.34
    2000:: 2001:200:: 2001:db7:ffff:ffff:ffff:ffff:ffff:ffff 2001:db9:: 2001:4860:4860::8888
    2606:2800:220:1:248:1893:25c8:1946 3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff 3fff:1000::
    64:ff9b::808:808 2002:808:808::1 ::ffff:8.8.8.8
"""
INSIDE, OUTSIDE = _INSIDE.split(), _OUTSIDE.split()
HIDING: dict[str, Callable[[int], int]] = {
    "IPv4-mapped": lambda v4: int(ipaddress.IPv6Address("::ffff:0:0")) + v4,
    "IPv4-compatible": lambda v4: v4,
    "translated": lambda v4: int(ipaddress.IPv6Address("::ffff:0:0:0")) + v4,
    "NAT64": lambda v4: int(ipaddress.IPv6Address("64:ff9b::")) + v4,
    "NAT64 of a network": lambda v4: int(ipaddress.IPv6Address("64:ff9b:1::")) + v4,
    "6to4": lambda v4: int(ipaddress.IPv6Address("2002::")) + (v4 << 80) + 1,
    "Teredo's server": lambda v4: int(ipaddress.IPv6Address("2001::")) + (v4 << 64) + 1,
    "Teredo's client": lambda v4: int(ipaddress.IPv6Address("2001::")) + (v4 ^ 0xFFFFFFFF),
}


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_outside_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("kind", HIDING)
def test_an_address_inside_stays_so_within_an_address_of_ipv6(kind: str) -> None:
    for address in INSIDE:
        if "." in address:
            hidden = ipaddress.IPv6Address(HIDING[kind](int(ipaddress.IPv4Address(address))))
            assert not is_public(hidden), hidden


def test_a_zone_hides_nothing() -> None:
    assert not is_public(ipaddress.ip_address("fe80::1%eth0"))


def test_nothing_is_public_that_python_says_is_private() -> None:
    for address in OUTSIDE:
        found = ipaddress.ip_address(address)
        if not isinstance(found, ipaddress.IPv6Address) or not found.ipv4_mapped:
            assert found.is_global or found in ipaddress.ip_network("64:ff9b::/96"), address
