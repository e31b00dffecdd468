"""Hostile addresses through the guarded fetcher: nothing but public addresses is connected to.

Names are looked up, and connections made, in this process: a name's addresses are made up, and
whatever is not public leads to a listener that counts who comes.
"""

import ipaddress
import itertools
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from imaginem.errors import PermanentError, RetryableError
from imaginem.images.fetching import GuardedFetcher
from imaginem.redaction import one_line
from tests.fuzz.cases import Case

PUBLIC = ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946")
SECRET = "s3cretOfAnAddressQ7xK"
SECONDS = 30.0
_PATIENCE = 1.0
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
_real_getaddrinfo, _real_connect = socket.getaddrinfo, socket.create_connection


class Network:
    """Made-up names and servers of the world outside, and a listener for all that is inside."""

    def __init__(self) -> None:
        self.names: dict[str, Iterator[list[str]]] = {}
        self.answer: Callable[[socket.socket], None] = _plain
        self.asked: list[str] = []
        self.inside = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._site = socket.create_server(("127.0.0.1", 0))
        for server, serve in ((self._listener, self._count), (self._site, self._serve)):
            threading.Thread(target=self._accept, args=(server, serve), daemon=True).start()

    def _accept(self, server: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        while True:
            connection, _ = server.accept()
            if serve == self._count:
                self.inside += 1
            threading.Thread(target=self._use, args=(connection, serve), daemon=True).start()

    def _use(self, connection: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        try:
            with connection:
                serve(connection)
        except OSError:
            return

    def _count(self, connection: socket.socket) -> None:
        _plain(connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.recv(65_536)
        self.answer(connection)

    @property
    def port_inside(self) -> int:
        return int(self._listener.getsockname()[1])

    def look_up(self, host: Any, port: Any, *more: Any, **named: Any) -> Any:
        """Look a name up: as the system does if it is a number in any notation, else here."""
        try:
            return _real_getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        except socket.gaierror:
            found = next(self.names.get(str(host).lower().rstrip("."), iter(())), None)
            if not found:
                raise socket.gaierror(socket.EAI_NONAME, "no such name") from None
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found
            ]

    def connect(self, place: tuple[str, int], *more: Any, **named: Any) -> socket.socket:
        """Connect to the site outside, or to the listener if the address is any other."""
        self.asked.append(place[0])
        server = self._site if place[0] in PUBLIC else self._listener
        if place[0] not in PUBLIC and _is_elsewhere(place[0]):
            raise OSError("unreachable in this test")
        return _real_connect(server.getsockname(), 5)


def _is_elsewhere(address: str) -> bool:
    """Tell by Python's own tables whether an address is public, though not of our site."""
    found = ipaddress.ip_address(address)
    return found.version == 4 and found.is_global and not found.is_multicast


def _plain(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nphoto")


def _redirect(to: str, status: int) -> Callable[[socket.socket], None]:
    head = f"HTTP/1.1 {status} Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
    return lambda connection: connection.sendall(head.encode("utf-8", "replace"))


def _endless(head: bytes, again: bytes, pause: float) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(1_000_000):
            connection.sendall(again)
            time.sleep(pause)

    return answer


_SLOW: tuple[Callable[[socket.socket], None], ...] = (
    _endless(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.05),
    _endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0),
    _endless(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"x", 0.05),
    _endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536, 0),
    _endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0),
    _endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.01),
    lambda connection: time.sleep(3),
    lambda connection: connection.sendall(b"\0" * 5_000),
    lambda connection: connection.sendall(b"HTTP/1.1 999999 ?\r\nContent-Length: -1\r\n\r\n"),
)


def prepare() -> Callable[[int], Case]:
    """Put the made-up network in place of this process's own."""
    network = Network()
    socket.getaddrinfo = network.look_up
    socket.create_connection = network.connect  # type: ignore[assignment]
    return lambda seed: play(seed, network)


def play(seed: int, network: Network) -> Case:
    """Fetch the address of a seed; nothing inside may be asked."""
    rng = random.Random(seed)
    before, network.asked, network.names = network.inside, [], {}
    address, about = _address(rng, network)
    begun, breach = time.perf_counter(), ""
    try:
        GuardedFetcher(total_seconds=_PATIENCE)(address)
        outcome = "fetched"
    except PermanentError as problem:
        outcome, breach = "refused", _told(str(problem))
    except RetryableError as problem:
        outcome, breach = "to be tried again", _told(str(problem))
    except Exception as problem:
        outcome, breach = "raised", f"{type(problem).__name__}: {problem}"[:300]
    seconds = time.perf_counter() - begun
    wrong = [each for each in network.asked if each not in PUBLIC and not _is_elsewhere(each)]
    if wrong or network.inside != before:
        breach = f"{wrong} was connected to: {address!r}"
    if seconds > _PATIENCE + 4:
        breach = f"it took {seconds:.1f} s"
    return Case(seed, outcome, seconds, f"{about}: {address[:80]!r}", 0.0, breach)


def _told(reason: str) -> str:
    if SECRET in one_line(reason):
        return f"the reason tells a secret: {reason[:200]!r}"
    return "" if len(reason.splitlines()) == 1 else f"no line: {reason[:200]!r}"


def _address(rng: random.Random, network: Network) -> tuple[str, str]:
    """Return an address, and what is odd about it."""
    kind = rng.randrange(10)
    network.answer = _plain
    if kind < 4:
        return _url(rng, network, _spelled(rng)), "inside, spelled oddly"
    if kind == 4:
        inside = rng.choice((*_INSIDE, *_INSIDE_6))
        answers = rng.choice(
            ([[inside]], [[PUBLIC[0], inside]], [[inside, PUBLIC[0]]], [[PUBLIC[0]], [inside]])
        )
        network.names["name.test"] = itertools.chain(answers, itertools.repeat([inside]))
        if len(answers) == 2:
            network.answer = _redirect("http://name.test/again", rng.choice(_REDIRECTS))
        return _url(rng, network, rng.choice(("name.test", "NAME.test."))), "a name of two faces"
    network.names["site.test"] = itertools.repeat([PUBLIC[0]])
    if kind < 7:
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
        network.answer = _redirect(to, rng.choice(_REDIRECTS))
        return "http://site.test/a", f"leads to {to[:60]!r}"
    if kind == 7:
        if rng.random() < 0.3:
            network.answer = rng.choice(_SLOW)
        return "http://site.test/a", "a bad server"
    if kind == 8:
        scheme = rng.choice(
            ("file", "ftp", "gopher", "data", "jar", "HTTP", "", "blob", "javascript")
        )
        return (
            f"{scheme}:{rng.choice(('', '/', '//', '///'))}{_spelled(rng)}/x?sig={SECRET}",
            "scheme",
        )
    spoiled = list(_url(rng, network, rng.choice((_spelled(rng), "site.test"))))
    for _ in range(rng.choice((1, 2, 5))):
        spoiled.insert(
            rng.randrange(len(spoiled) + 1), rng.choice("\0\t\n\r /\\@:#?[]%.\u3002\uff0f\ud800²")
        )
    return "".join(spoiled), "spoiled"


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
    port = rng.choice(("", "", ":80", f":{network.port_inside}", ":0", ":00080"))
    user = rng.choice(("", "", "", f"site.test:{SECRET}@", "site.test@", "a@b@"))
    end = rng.choice(("", "/", "/a.jpg", f"/a?sig={SECRET}", "#@site.test/", "?@site.test/"))
    return f"{rng.choice(('http', 'https', 'HTTP'))}://{user}{host}{port}{end}"
