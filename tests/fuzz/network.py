"""A made-up network: names and servers outside, and listeners that count who comes inside.

Names are looked up, and connections made, in this process: a name's addresses are made up, and
whatever is not public leads to a listener that counts who comes.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from tests.fuzz.bad_servers import PLAIN, Answer, plain

PUBLIC = ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946")
_real_getaddrinfo, _real_connect = socket.getaddrinfo, socket.create_connection


class Network:
    """Made-up names and servers of the world outside, and a listener for all that is inside."""

    def __init__(self) -> None:
        self.names: dict[str, Iterator[list[str]]] = {}
        self.answer: Answer = plain
        self.slow: dict[str, float] = {}
        self.body = PLAIN
        self.is_deaf = False
        self.asked: list[str] = []
        self.inside = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener_6 = _server_6()
        self._site = socket.create_server(("127.0.0.1", 0))
        for server in filter(None, (self._listener, self._listener_6, self._site)):
            threading.Thread(target=self._accept, args=(server,), daemon=True).start()

    def _accept(self, server: socket.socket) -> None:
        while True:
            connection, _ = server.accept()
            answer = self.answer if server is self._site else plain
            self.inside += server is not self._site
            threading.Thread(target=self._use, args=(connection, answer), daemon=True).start()

    def _use(self, connection: socket.socket, answer: Answer) -> None:
        try:
            with connection:
                connection.recv(65_536)
                answer(connection)
        except OSError:
            return

    @property
    def ports_inside(self) -> list[int]:
        """The ports of the listeners, for IPv4 and for IPv6."""
        servers = filter(None, (self._listener, self._listener_6))
        return [int(server.getsockname()[1]) for server in servers]

    def look_up(self, host: Any, port: Any, *more: Any, **named: Any) -> Any:
        """Look a name up: as the system does if it is a number in any notation, else here."""
        try:
            return _real_getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        except socket.gaierror:
            name = str(host).lower().rstrip(".")
            time.sleep(self.slow.get(name, 0))
            found = next(self.names.get(name, iter(())), None)
            if not found:
                raise socket.gaierror(socket.EAI_NONAME, "no such name") from None
            return [_entry(address, port) for address in found]

    def connect(self, place: tuple[str, int], *more: Any, **named: Any) -> socket.socket:
        """Connect to the site outside, or to the listener if the address is any other."""
        self.asked.append(place[0])
        if place[0] in PUBLIC and self.is_deaf:
            raise ConnectionRefusedError("the site is down: another address may be tried")
        if place[0] in PUBLIC:
            return _real_connect(self._site.getsockname(), 5)
        if is_elsewhere(place[0]):
            raise OSError("unreachable in this test")
        if place[0] == "::1" and self._listener_6 is not None:
            return _real_connect(self._listener_6.getsockname()[:2], 5)
        return _real_connect(self._listener.getsockname(), 5)


def _server_6() -> socket.socket | None:
    """Listen on the loopback of IPv6; return None where the system has none."""
    try:
        return socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        return None


def _entry(address: str, port: Any) -> tuple[Any, ...]:
    """Return what the system's lookup tells of an address."""
    if ":" not in address:
        return socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)
    return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, int("%" in address))


def is_elsewhere(address: str) -> bool:
    """Tell by Python's own tables whether an address is public, though not of our site."""
    found = ipaddress.ip_address(address)
    return found.version == 4 and found.is_global and not found.is_multicast
