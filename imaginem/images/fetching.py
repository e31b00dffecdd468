"""Fetch a photo from a user's address, without reaching private networks (SSRF).

The host name is resolved here, every IP address is checked, and the connection is made to a
checked one; redirects go through the same check. Proxies of the environment are not used.
What is received is never decompressed.
"""

import time
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit

from imaginem.errors import PermanentError, RetryableError
from imaginem.images.deadlines import Clock, Deadline
from imaginem.images.headers import declared_length, retry_after
from imaginem.images.limits import BYTE_LIMIT, BYTE_LIMIT_MB
from imaginem.images.name_lookups import NameLookups, look_up_name
from imaginem.redaction import one_line, without_query

if TYPE_CHECKING:
    import httpcore

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
TOTAL_SECONDS = 30.0
"""How long one fetch may take, redirects included."""
REDIRECTS = 5
"""Most redirects that one fetch follows."""


class GuardedFetcher:
    """Fetches photos over http(s).

    Args:
        allowed_hosts: `name` or `name:port` of hosts that may have private addresses.
        total_seconds: how long one fetch may take, redirects and the lookup of names included.
        look_up: asks the name server.
        clock: tells the time that passes.
    """

    def __init__(
        self,
        allowed_hosts: Collection[str] = (),
        *,
        total_seconds: float = TOTAL_SECONDS,
        look_up: NameLookups = look_up_name,
        clock: Clock = time.monotonic,
    ) -> None:
        self._allowed = {host.strip().lower() for host in allowed_hosts if host.strip()}
        self._total_seconds = total_seconds
        self._look_up, self._clock = look_up, clock

    def __call__(self, url: str) -> bytes:
        """Return the bytes at an address.

        Raises:
            PermanentError: the address is not http(s), leads to a private network, answers
                4xx, redirects too often, or holds more than 20 MB.
            RetryableError: 408, 429, 5xx, a time-out or a broken connection.
        """
        deadline = Deadline(self._total_seconds, self._clock)
        for _ in range(REDIRECTS + 1):
            parts = check_address(url)
            answer = self._get(url, parts, deadline)
            if isinstance(answer, bytes):
                return answer
            url = _redirected(url, answer)
        raise PermanentError(f"{without_query(url)}: more than {REDIRECTS} redirects")

    def _get(self, url: str, parts: SplitResult, deadline: Deadline) -> bytes | str:
        """Return the body, or the address that a redirect names."""
        import httpcore

        shown = without_query(url)
        try:
            return self._request(parts, shown, deadline)
        except (TimeoutError, httpcore.TimeoutException):
            raise RetryableError(f"{shown}: no answer in time") from None
        except httpcore.ConnectError as problem:
            if "CERTIFICATE" in str(problem).upper():
                raise PermanentError(f"{shown}: its certificate is not trusted") from None
            raise RetryableError(f"{shown}: can't connect ({problem})") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as problem:
            raise RetryableError(f"{shown}: the connection broke ({problem})") from None

    def _request(self, parts: SplitResult, shown: str, deadline: Deadline) -> bytes | str:
        import httpcore

        from imaginem.images.public_addresses import GuardedBackend

        headers = [
            ("Host", _host_header(parts)),
            ("User-Agent", "imaginem"),
            ("Accept", "image/*"),
            ("Accept-Encoding", "identity"),
        ]
        timeout = {"connect": CONNECT_SECONDS, "read": READ_SECONDS, "write": READ_SECONDS}
        backend = GuardedBackend(self._is_allowed(parts), deadline, self._look_up)
        with (
            httpcore.ConnectionPool(network_backend=backend) as pool,
            pool.stream(
                "GET", _ascii_url(parts), headers=headers, extensions={"timeout": timeout}
            ) as response,
        ):
            target = _redirect(response)
            if target is not None:
                return target
            _check_status(response, shown)
            return _read(response, shown, deadline)

    def _is_allowed(self, parts: SplitResult) -> bool:
        host = (parts.hostname or "").lower()
        return host in self._allowed or f"{host}:{_port(parts)}" in self._allowed


def _redirected(url: str, location: str) -> str:
    """Return the address that a redirect leads to.

    Raises:
        PermanentError: it leads to none.
    """
    try:
        return urljoin(url, location)
    except ValueError:
        shown = one_line(without_query(location), 200)
        raise PermanentError(
            f"{without_query(url)} redirects to {shown!r}, which is no address"
        ) from None


def check_address(url: str) -> SplitResult:
    """Return the parts of an http(s) address.

    Raises:
        PermanentError: the address is not http(s), or holds a user or password.
    """
    shown = without_query(url)[:200]
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    try:
        if host and not host.isascii():
            host.encode("idna")
        url.encode()  # an unpaired surrogate can't be sent
    except UnicodeError:
        host = None
    if not host or parts.scheme not in ("http", "https") or any(c.isspace() for c in url):
        raise PermanentError(
            f"job_definition.input.image_url: {shown!r} is not an http(s) address of a photo"
        )
    if parts.username is not None or parts.password is not None:
        raise PermanentError("job_definition.input.image_url: remove user and password from it")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _host_header(parts: SplitResult) -> str:
    host = parts.hostname or ""
    host = (
        f"[{host}]" if ":" in host else host.encode("idna").decode() if not host.isascii() else host
    )
    return host if parts.port is None else f"{host}:{parts.port}"


def _ascii_url(parts: SplitResult) -> str:
    from urllib.parse import quote

    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/?%:@!$&'()*+,;=~-._")
    return f"{parts.scheme}://{_host_header(parts)}{path}" + (f"?{query}" if query else "")


def _redirect(response: "httpcore.Response") -> str | None:
    """Return the address that a redirect names; None when the response is not a redirect."""
    if response.status not in (301, 302, 303, 307, 308):
        return None
    return _header(response, b"location")


def _header(response: "httpcore.Response", name: bytes) -> str | None:
    for key, value in response.headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return None


def _check_status(response: "httpcore.Response", shown: str) -> None:
    status = response.status
    if status == 200:
        return
    if status in (408, 429) or status >= 500:
        seconds = retry_after(_header(response, b"retry-after"))
        raise RetryableError(f"{shown} answered {status}", retry_after=seconds)
    raise PermanentError(f"{shown} answered {status}: check the address and that it is public")


def _read(response: "httpcore.Response", shown: str, deadline: Deadline) -> bytes:
    """Return the body of a response, within the limits of bytes and time."""
    too_large = PermanentError(
        f"{shown}: more than {BYTE_LIMIT} bytes ({BYTE_LIMIT_MB} MB): send a smaller photo"
    )
    if (declared_length(_header(response, b"content-length")) or 0) > BYTE_LIMIT:
        raise too_large
    body = bytearray()
    chunks: Iterable[bytes] = response.iter_stream()
    for chunk in chunks:
        body += chunk
        if len(body) > BYTE_LIMIT:
            raise too_large
        if deadline.has_passed:
            raise RetryableError(f"{shown}: not received in time")
    return bytes(body)
