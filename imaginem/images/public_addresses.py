"""The network layer of the fetcher: connects to public IP addresses only, up to a deadline."""

import ipaddress
import socket
import ssl
from collections.abc import Iterable

import httpcore

from imaginem.errors import PermanentError, RetryableError
from imaginem.images.deadlines import Deadline
from imaginem.images.name_lookups import NameLookups
from imaginem.images.special_addresses import is_public


def resolve(
    host: str, port: int, *, private_too: bool, deadline: Deadline, look_up: NameLookups
) -> list[str]:
    """Return the IP addresses of a host, all of them checked.

    Args:
        host: name of the host.
        port: to connect to.
        private_too: allow private addresses.
        deadline: until which the name server is waited for.
        look_up: asks it.

    Raises:
        TimeoutError: the name server took longer.
        PermanentError: the host doesn't exist, or one of its addresses is private.
        RetryableError: the name server did not answer.
    """
    try:
        entries = look_up(host, port, deadline)
    except socket.gaierror as problem:
        if problem.errno == socket.EAI_AGAIN:
            raise RetryableError(f"the name {host} can't be looked up now") from None
        raise PermanentError(f"there is no host named {host}: check the address") from None
    except UnicodeError:
        raise PermanentError(f"{host!r} is not a host name") from None
    addresses = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in entries))
    for address in addresses:
        if not private_too and not is_public(ipaddress.ip_address(address)):
            raise PermanentError(
                f"{host} leads to {address}, an address inside a network: photos are fetched "
                "from public addresses only (ALLOWED_IMAGE_HOSTS opens exceptions)"
            )
    return addresses


class TimedStream(httpcore.NetworkStream):
    """A connection that fails after a deadline, even if the server sends byte by byte.

    Args:
        plain: the connection without the deadline.
        deadline: after which it fails.
    """

    def __init__(self, plain: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._plain = plain
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Receive some bytes."""
        return self._plain.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes."""
        self._plain.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._plain.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Encrypt from here on; the certificate is checked against the name, not the address."""
        left = self._deadline.left(timeout)
        secured = self._plain.start_tls(ssl_context, server_hostname, left)
        return TimedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> object:
        """Return information about the connection, such as its socket."""
        return self._plain.get_extra_info(info)


class GuardedBackend(httpcore.NetworkBackend):
    """Connects to checked addresses only.

    Args:
        private_too: allow private addresses: ALLOWED_IMAGE_HOSTS names the host.
        deadline: after which it fails, names that are looked up included.
        look_up: asks the name server.
    """

    def __init__(self, private_too: bool, deadline: Deadline, look_up: NameLookups) -> None:
        self._private_too, self._deadline, self._look_up = private_too, deadline, look_up
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve the host name, check every address, connect to the first that answers."""
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        found = resolve(
            host,
            port,
            private_too=self._private_too,
            deadline=self._deadline,
            look_up=self._look_up,
        )
        for address in found:
            try:
                left = self._deadline.left(timeout)
                plain = self._plain.connect_tcp(address, port, left, local_address, socket_options)
                return TimedStream(plain, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as problem:
                failure = problem
        raise failure

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._plain.sleep(seconds)
