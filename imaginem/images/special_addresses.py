"""Addresses that are not on the public internet: IANA's registries of special-purpose addresses.

Python's `ipaddress` knows them too, but each version has the registries of another year. The
tables follow the IANA IPv4 and IPv6 Special-Purpose Address Registries, and the registries of
multicast addresses; what is global there (such as the anycast blocks of AS112) is left out
wherever a larger block around it is not.
"""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_SPECIAL_IPV4 = (
    "0.0.0.0/8",  # this network, RFC 791
    "10.0.0.0/8",  # private use, RFC 1918
    "100.64.0.0/10",  # shared by providers, RFC 6598
    "127.0.0.0/8",  # loopback, RFC 1122
    "168.63.129.16/32",  # Azure's wire server: a public address that gives machine secrets to VMs
    "169.254.0.0/16",  # link local, RFC 3927: metadata services
    "172.16.0.0/12",  # private use, RFC 1918
    "192.0.0.0/24",  # protocol assignments, RFC 6890
    "192.0.2.0/24",  # documentation, RFC 5737
    "192.31.196.0/24",  # AS112, RFC 7535: no photo is there
    "192.52.193.0/24",  # AMT, RFC 7450
    "192.88.99.0/24",  # relays of 6to4, RFC 7526
    "192.168.0.0/16",  # private use, RFC 1918
    "192.175.48.0/24",  # AS112, RFC 7534
    "198.18.0.0/15",  # benchmarks, RFC 2544
    "198.51.100.0/24",  # documentation, RFC 5737
    "203.0.113.0/24",  # documentation, RFC 5737
    "224.0.0.0/4",  # multicast, RFC 5771
    "240.0.0.0/4",  # reserved, and broadcast, RFC 1112 and 8190
)
_SPECIAL_IPV6 = (
    "::/128",  # unspecified, RFC 4291
    "::1/128",  # loopback, RFC 4291
    "::ffff:0:0:0/96",  # translated IPv4, RFC 2765
    "64:ff9b:1::/48",  # translation inside a network, RFC 8215
    "100::/64",  # discard, RFC 6666
    "100:0:0:1::/64",  # dummy prefix, RFC 9780
    "2001::/23",  # protocol assignments, RFC 2928: Teredo, benchmarks, ORCHID among them
    "2001:db8::/32",  # documentation, RFC 3849
    "2620:4f:8000::/48",  # AS112, RFC 7534
    "3fff::/20",  # documentation, RFC 9637
    "5f00::/16",  # SRv6 segments, RFC 9602
    "fc00::/7",  # unique local, RFC 4193
    "fe80::/10",  # link local, RFC 4291
    "fec0::/10",  # site local, RFC 3879
    "ff00::/8",  # multicast, RFC 4291
)
_IPV4 = tuple(ipaddress.IPv4Network(text) for text in _SPECIAL_IPV4)
_IPV6 = tuple(ipaddress.IPv6Network(text) for text in _SPECIAL_IPV6)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""The only IPv6 addresses that are given to anybody; all others are reserved (RFC 4291)."""
# Where an IPv6 address has an IPv4 address in it, and how many bits come after that one.
_EMBEDDED = (
    (ipaddress.IPv6Network("::/96"), 0),  # IPv4-compatible, RFC 4291
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped, RFC 4291
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # NAT64, RFC 6052
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4, RFC 3056
)


def is_public(address: Address) -> bool:
    """Tell whether an IP address is on the public internet.

    An IPv6 address that embeds an IPv4 address is judged by the embedded one; Teredo's, which
    embed two, are never public.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _IPV4)
    plain = ipaddress.IPv6Address(int(address))  # without a zone, which hides it from networks
    if any(plain in network for network in _IPV6):
        return False
    for network, bits in _EMBEDDED:
        if plain in network:
            return is_public(ipaddress.IPv4Address(int(plain) >> bits & 0xFFFFFFFF))
    return plain in _GLOBAL_UNICAST
