"""Hostile addresses: inside in odd notations, names of several faces, bad servers."""

import ipaddress
import itertools
import random
from collections.abc import Callable
from urllib.parse import quote

from tests.fuzz.bad_servers import SLOW, compressed, leading_on, plain, redirect
from tests.fuzz.network import PUBLIC, Network

SECRET = "s3cretOfAnAddressQ7xK"
_INSIDE = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "168.63.129.16",
    "198.18.0.1",
    "192.0.0.192",
    "224.0.0.1",
    "255.255.255.255",
    "192.88.99.1",
]
_INSIDE_6 = [
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "fec0::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
]
_REDIRECTS = (301, 302, 303, 307, 308)


Made = tuple[str, str]
"""An address, and what is odd about it."""


def address_of(rng: random.Random, network: Network) -> Made:
    """Return an address, and what is odd about it; put its names and server into the network."""
    network.answer, network.is_deaf = plain, False
    network.names["site.test"] = itertools.repeat([PUBLIC[0]])
    return rng.choice(_KINDS)(rng, network)


def _inside(rng: random.Random, network: Network) -> Made:
    return _url(rng, network, _spelled(rng)), "inside, spelled oddly"


def _of_two_faces(rng: random.Random, network: Network) -> Made:
    inside = rng.choice((*_INSIDE, *_INSIDE_6))
    answers = rng.choice(
        ([[inside]], [[PUBLIC[0], inside]], [[inside, PUBLIC[0]]], [[PUBLIC[0]], [inside]])
    )
    network.is_deaf = len(answers) == 1 and rng.random() < 0.5
    network.names["name.test"] = itertools.chain(answers, itertools.repeat([inside]))
    if len(answers) == 2:
        network.answer = redirect("http://name.test/again", rng.choice(_REDIRECTS))
    return _url(rng, network, rng.choice(("name.test", "NAME.test."))), "a name of two faces"


def _leading_inside(rng: random.Random, network: Network) -> Made:
    to = rng.choice(
        (
            _url(rng, network, _spelled(rng)),
            "//" + _spelled(rng),
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "http://site.test/loop",
            "\\\\127.0.0.1\\x",
            f"http://{_spelled(rng)}@site.test/",
        )
    )
    network.answer = redirect(to, rng.choice(_REDIRECTS))
    return "http://site.test/a", f"leads to {to[:60]!r}"


def _of_a_bad_server(rng: random.Random, network: Network) -> Made:
    if rng.random() < 0.3:
        network.answer = rng.choice(SLOW)
    return "http://site.test/a", "a bad server"


def _of_a_scheme(rng: random.Random, network: Network) -> Made:
    scheme = rng.choice(("file", "ftp", "gopher", "data", "jar", "HTTP", "", "blob", "javascript"))
    return (
        f"{scheme}:{rng.choice(('', '/', '//', '///'))}{_spelled(rng)}/x?sig={SECRET}",
        "scheme",
    )


def _spoiled(rng: random.Random, network: Network) -> Made:
    spoiled = list(_url(rng, network, rng.choice((_spelled(rng), "site.test"))))
    for _ in range(rng.choice((1, 2, 5))):
        spoiled.insert(
            rng.randrange(len(spoiled) + 1), rng.choice("\0\t\n\r /\\@:#?[]%.\u3002\uff0f\ud800²")
        )
    return "".join(spoiled), "spoiled"


def _compressed(rng: random.Random, network: Network) -> Made:
    network.answer, network.body, about = compressed(rng)
    return "http://site.test/a", about


def _leading_on(rng: random.Random, network: Network) -> Made:
    network.names["other.test"] = itertools.repeat([PUBLIC[1]])
    network.answer, about = leading_on(rng)
    return "http://site.test/a", about


def _of_ipv6(rng: random.Random, network: Network) -> Made:
    """Return an address with a name whose addresses are of IPv6, some of them inside."""
    inside, hidden = rng.choice(_INSIDE_6), rng.choice(_INSIDE)
    number = int(ipaddress.IPv4Address(hidden))
    address = rng.choice(
        (
            "::1",
            inside,
            "fe80::1%1",
            f"::ffff:{hidden}",
            f"::ffff:{number >> 16:x}:{number & 0xFFFF:x}",
            f"::{hidden}",
            f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}",
            f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1",
            PUBLIC[1],
        )
    )
    found = rng.choice(([address], [PUBLIC[1], address], [address, PUBLIC[0]]))
    network.names["six.test"] = itertools.repeat(found)
    network.names["site.test"] = itertools.repeat([PUBLIC[1]])
    to = f"http://six.test:{rng.choice((80, *network.ports_inside))}/a"
    if rng.random() < 0.5:
        network.is_deaf = rng.random() < 0.5
        return to, f"a name of {found}"
    network.answer = redirect(to, rng.choice(_REDIRECTS))
    return "http://site.test/a", f"leads to a name of {found}"


def _looked_up_slowly(rng: random.Random, network: Network) -> Made:
    """Return an address with a name that is found late, or with one that leads to such names."""
    found = rng.choice(([PUBLIC[0]], ["127.0.0.1"], ["::1"], [], [PUBLIC[0], "10.0.0.1"]))
    seconds = rng.choice((0.05, 0.05, 0.2, 6.0))
    for name in ("slow.test", "slower.test"):
        network.names[name], network.slow[name] = itertools.repeat(found), seconds
    if rng.random() < 0.5:
        network.answer = redirect("http://slower.test/a", rng.choice(_REDIRECTS))
    return "http://slow.test/a", f"found after {seconds} s at {found}"


def _spelled(rng: random.Random) -> str:
    """Return an address inside in one of its notations."""
    if rng.random() < 0.25:
        host = rng.choice(_INSIDE_6)
        return f"[{host}{rng.choice(('', '', '%25eth0', '%1'))}]"
    text = rng.choice(_INSIDE)
    number, parts = int(ipaddress.IPv4Address(text)), text.split(".")
    hidden = (
        f"[::ffff:{text}]",
        f"[::{text}]",
        f"[64:ff9b::{text}]",
        f"[64:ff9b:1::{text}]",
        f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::1]",
        f"[2001:0:{number >> 16:x}:{number & 0xFFFF:x}::]",
        f"[::ffff:0:{number >> 16:x}:{number & 0xFFFF:x}]",
    )
    plain = (
        text,
        f"{text}.",
        str(number),
        hex(number),
        oct(number).replace("o", ""),
        ".".join(hex(int(part)) for part in parts),
        ".".join(f"0{int(part):o}" for part in parts),
        ".".join((parts[0], str(number & 0xFFFFFF))),
        ".".join((*parts[:2], str(number & 0xFFFF))),
        text.replace(".", "\u3002"),
        text.translate({48 + digit: 0xFF10 + digit for digit in range(10)}),
        quote(text).replace(".", "%2e"),
        f"{text}%00.site.test",
        f"000{text}",
    )
    return rng.choice(rng.choice((hidden, plain)))


def _url(rng: random.Random, network: Network, host: str) -> str:
    port = rng.choice(
        ("", "", ":80", *(f":{port}" for port in network.ports_inside), ":0", ":00080")
    )
    user = rng.choice(("", "", "", f"site.test:{SECRET}@", "site.test@", "a@b@"))
    end = rng.choice(("", "/", "/a.jpg", f"/a?sig={SECRET}", "#@site.test/", "?@site.test/"))
    return f"{rng.choice(('http', 'https', 'HTTP'))}://{user}{host}{port}{end}"


_KINDS: tuple[Callable[[random.Random, Network], Made], ...] = (
    *(_inside,) * 4,
    _of_two_faces,
    *(_leading_inside,) * 2,
    _of_a_bad_server,
    _of_a_scheme,
    _spoiled,
    _compressed,
    _of_ipv6,
    _looked_up_slowly,
    _leading_on,
)
"""Some of them more than once: they have more notations."""
