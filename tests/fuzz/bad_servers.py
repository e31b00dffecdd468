"""What bad servers answer: endless, slow, compressed, and leading on and on."""

import functools
import gzip
import itertools
import random
import socket
import time
import zlib
from collections.abc import Callable

Answer = Callable[[socket.socket], None]
_MEGABYTE = 2**20
# 64 MB of zeros, as Node.js's `brotliCompressSync` writes them: no package of ours does.
_BROTLI = bytes.fromhex(
    "cfffff7ff82700e2b14020f7fe9ffffffff04f00c4610180eefd3fffffffe19f0088c32200ddfbfffcffffc7"
    "3f0110870500baf7ff"
)
OK = b"HTTP/1.1 200 OK\r\n"
PLAIN = b"photo"
_STATUSES = (301, 302, 303, 307, 308)


def plain(connection: socket.socket) -> None:
    """Send a photo, as good servers do."""
    connection.sendall(OK + b"Content-Length: 5\r\n\r\n" + PLAIN)


def redirect(to: str, status: int) -> Answer:
    """Lead to an address."""
    head = f"HTTP/1.1 {status} Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
    return lambda connection: connection.sendall(head.encode("utf-8", "replace"))


def _endless(head: bytes, again: bytes, pause: float) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(1_000_000):
            connection.sendall(again)
            time.sleep(pause)

    return answer


def _stalling(head: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        time.sleep(8)

    return answer


SLOW: tuple[Answer, ...] = (
    _endless(OK + b"X: ", b"x", 0.05),
    _endless(OK, b"X: y\r\n", 0),
    _endless(OK + b"Content-Length: 900\r\n\r\n", b"x", 0.05),
    _endless(OK + b"Content-Length: 20000000\r\n\r\n", b"x" * 1_000, 0.1),
    _endless(OK + b"\r\n", b"x" * 65_536, 0),
    _endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0),
    _endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.01),
    _endless(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x", 0.01),
    _endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0", 0.01),
    _endless(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n", 0),
    _stalling(b""),
    _stalling(OK + b"Content-Length: 900\r\n\r\nhalf of it"),
    _stalling(OK + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\nhalf of it"),
    lambda connection: connection.sendall(b"\0" * 5_000),
    lambda connection: connection.sendall(b"HTTP/1.1 999999 ?\r\nContent-Length: -1\r\n\r\n"),
)
"""Servers that send slowly, without end, or nonsense."""


@functools.cache
def _bombs() -> tuple[tuple[str, bytes], ...]:
    """Return bodies that grow a hundredfold and more, with the encoding that they have."""
    zeros = bytes(32 * _MEGABYTE)
    member = gzip.compress(zeros, 1)
    raw = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return (
        ("gzip", member * 8),  # a quarter of a gigabyte: its members follow one another
        ("x-gzip", member),
        ("GZIP", member),
        ("gzip, gzip", gzip.compress(member * 8)),
        ("deflate", zlib.compress(zeros, 1)),
        ("deflate", raw.compress(zeros) + raw.flush()),
        ("br", _BROTLI),
        ("gzip, br", _BROTLI),
        ("deflate, gzip", member[:-8]),
        ("zstd", b"\x28\xb5\x2f\xfd" + bytes(900)),
        ("identity, gzip", member),
    )


def compressed(rng: random.Random) -> tuple[Answer, bytes, str]:
    """Return a server whose body grows when it is unpacked, its body, and what it is."""
    encoding, body = rng.choice(_bombs())
    way = rng.choice(("by length", "in chunks", "until the end", "as a transfer"))
    head = OK + f"Content-Encoding: {encoding}\r\n".encode()
    if way == "by length":
        head, sent = head + f"Content-Length: {len(body)}\r\n\r\n".encode(), body
    elif way == "until the end":
        head, sent = head + b"Connection: close\r\n\r\n", body
    else:
        coding = "chunked" if way == "in chunks" else f"{encoding}, chunked"
        if way == "as a transfer":
            head = OK
        head += f"Transfer-Encoding: {coding}\r\n\r\n".encode()
        sent = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    return (lambda connection: connection.sendall(head + sent)), body, f"{encoding} {way}"


def leading_on(rng: random.Random) -> tuple[Answer, str]:
    """Return a server that leads to another address each time, without end, and how."""
    count, status = itertools.count(1), rng.choice(_STATUSES)
    way = rng.choice(("onward", "longer", "slowly", "to and fro", "upward", "encrypted"))

    def answer(connection: socket.socket) -> None:
        number = next(count)
        if way == "slowly":
            time.sleep(0.2)
        to = {
            "longer": f"http://site.test/{'x' * 8_000 * number}",
            "to and fro": f"http://{('site', 'other')[number % 2]}.test/a",
            "upward": "../" * number + "?",
            "encrypted": f"{('https', 'http')[number % 2]}://site.test:80/{number}",
        }.get(way, f"/{number}")
        redirect(to, status)(connection)

    return answer, f"leads on, {way}"
