"""Calls to a storage emulator on this machine, without what only calls into the world need.

For every call `requests` looks for proxies, certificates and passwords in the environment and in
files, and keeps cookies; that takes a third of a call's processor time. Towards an address of this
machine, over plain HTTP, nothing of it applies. Whether a proxy of the environment does is found
out once, when a client is made.
"""

import re
from typing import Any

from azure.core.pipeline.transport import RequestsTransport
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies
from urllib3 import HTTPConnectionPool, Retry


class _DirectAdapter(HTTPAdapter):
    """Keeps connections to services of plain HTTP; without proxies, certificates and cookies."""

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> HTTPConnectionPool:
        """Return the pool of connections to the service of a request."""
        return self.poolmanager.connection_from_url(str(request.url))

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        """Return the answer as the SDK reads it."""
        response = Response()
        response.request, response.url, response.raw = req, str(req.url), resp
        response.status_code, response.reason = resp.status, resp.reason
        response.headers = CaseInsensitiveDict(resp.headers)
        return response


class _DirectSession(Session):
    """Sends requests as the SDK made them."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        never = Retry(total=False, redirect=False, raise_on_status=False)  # the SDK tries again
        self.mount("http://", _DirectAdapter(max_retries=never))

    def request(  # type: ignore[override]  # what the SDK's transport hands over
        self,
        method: str,
        url: str,
        *,
        headers: Any,
        data: Any = None,
        files: Any = None,
        stream: bool = False,
        timeout: Any = None,
        **options: Any,
    ) -> Response:
        """Send a request and return its answer; one whose body is a stream goes the usual way."""
        body = data.encode() if isinstance(data, str) else data
        if files or not (body is None or isinstance(body, bytes)):
            every = {**options, "stream": stream, "timeout": timeout}
            return super().request(method, url, headers=headers, data=data, files=files, **every)
        prepared = PreparedRequest()
        prepared.method, prepared.url, prepared.headers = method, url, headers
        if body is not None and "Content-Length" not in headers:
            prepared.headers = CaseInsensitiveDict({**headers, "Content-Length": str(len(body))})
        prepared.body = body
        response = self.get_adapter(url).send(prepared, stream=stream, timeout=timeout)
        if not stream:
            _ = response.content  # reads it, so that the connection is free again
        return response


def direct_transport(connection_string: str, service: str, options: Any) -> dict[str, Any]:
    """Return the option that has a client call a service of this machine directly.

    Args:
        connection_string: of the account.
        service: `blob`, `queue` or `table`.
        options: of the client, its timeouts among them.

    Returns:
        `transport`; nothing if the service is elsewhere, has TLS, or a proxy is set for it.
    """
    pattern = rf"(?:^|;)\s*{service}Endpoint=(http://(?:127\.0\.0\.1|localhost|\[::1\])[:/][^;]*)"
    found = re.search(pattern, connection_string, re.IGNORECASE)
    if found is None or get_environ_proxies(found[1]):
        return {}
    timeouts = {name: options[name] for name in ("connection_timeout", "read_timeout")}
    return {"transport": RequestsTransport(session=_DirectSession(), **timeouts)}
