"""HTTP to an OpenAI-compatible server: bounded in time and size, without redirects and retries.

The address is the operator's own setting, so it may be a private one. Proxies of the environment
are not used.
"""

import json
import ssl
from collections.abc import Callable
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import httpcore

from imaginem.engines.azure.calls import CONNECT_SECONDS, Refused
from imaginem.errors import PermanentError
from imaginem.images.deadlines import Deadline
from imaginem.images.headers import declared_length, retry_after
from imaginem.images.name_lookups import NameLookups, look_up_name
from imaginem.images.public_addresses import GuardedBackend

ANSWER_LIMIT = 4 * 1024 * 1024
"""Most bytes of an answer that are read: a hundred times what the longest text of a photo has."""
_AZURE = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
_HEADERS = [
    ("User-Agent", "imaginem"),
    ("Accept", "application/json"),
    ("Accept-Encoding", "identity"),
    ("Content-Type", "application/json"),
]


def api_address(endpoint: str) -> str:
    """Return the address below which the API is.

    Args:
        endpoint: as it is set. One without a path gets the usual one; another path is the
            operator's word, such as that of a gateway.
    """
    parts = urlsplit(endpoint)
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    if not path:
        path = "/openai/v1" if (parts.hostname or "").endswith(_AZURE) else "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


class Connection:
    """Makes calls, each on a connection of its own: a call takes seconds, a handshake none.

    Args:
        endpoint: of the server.
        authorization: returns the value of that header, or nothing; called for each call.
        seconds: that a call may take as a whole, looking up the name included.
        look_up: asks the name server.
    """

    def __init__(
        self,
        endpoint: str,
        authorization: Callable[[], str],
        seconds: float,
        look_up: NameLookups = look_up_name,
    ) -> None:
        self._base = api_address(endpoint)
        self._authorization, self._seconds, self._look_up = authorization, seconds, look_up

    def get(self, path: str) -> Any:
        """Return the JSON of an answer to GET; see `post`."""
        return self._call("GET", path, None)

    def post(self, path: str, body: Any) -> Any:
        """Return the JSON of an answer to POST.

        Args:
            path: below the API's address.
            body: is sent as JSON.

        Raises:
            Refused: the status is not 2xx; redirects are not followed.
            OSError: no connection, or no answer in time.
            ValueError: the answer is too large, or no JSON.
        """
        return self._call("POST", path, json.dumps(body).encode())

    def _call(self, method: str, path: str, body: bytes | None) -> Any:
        deadline = Deadline(self._seconds)
        headers = [("Host", urlsplit(self._base).netloc), *_HEADERS]
        if signed := self._authorization():
            headers.append(("Authorization", signed))
        timeout = {"connect": CONNECT_SECONDS, "read": self._seconds, "write": self._seconds}
        backend = GuardedBackend(True, deadline, self._look_up)
        try:
            with (
                httpcore.ConnectionPool(self._tls, network_backend=backend) as pool,
                pool.stream(
                    method,
                    f"{self._base}{path}",
                    headers=headers,
                    content=body,
                    extensions={"timeout": timeout},
                ) as response,
            ):
                data = _body(response)
                if not 200 <= response.status < 300:
                    raise _refused(response, data, signed)
        except (TimeoutError, httpcore.TimeoutException):
            raise TimeoutError(f"no answer within {self._seconds:.0f} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as problem:
            raise ConnectionError(str(problem) or type(problem).__name__) from None
        except PermanentError as problem:  # of looking up the name: no photo is to blame
            raise ConnectionError(str(problem)) from None
        return json.loads(data)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # The system's certificates, or those of SSL_CERT_FILE: a server of one's own has its own.
        return ssl.create_default_context()


def _body(response: httpcore.Response) -> bytes:
    declared = declared_length(_header(response, b"content-length")) or 0
    data = bytearray()
    if declared <= ANSWER_LIMIT:
        for chunk in response.iter_stream():
            data += chunk
            if len(data) > ANSWER_LIMIT:
                break
    if max(declared, len(data)) > ANSWER_LIMIT:
        raise ValueError(f"the answer has more than {ANSWER_LIMIT} bytes")
    return bytes(data)


def _refused(response: httpcore.Response, data: bytes, signed: str) -> Refused:
    codes, message = _explained(data)
    if secret := signed.removeprefix("Bearer "):  # a server may quote what it refuses
        message = message.replace(secret, "***")
    seconds = retry_after(_header(response, b"retry-after"))
    return Refused(response.status, codes, message or f"status {response.status}", seconds)


def _explained(data: bytes) -> tuple[tuple[str, ...], str]:
    """Return codes and message of an error's body: OpenAI's form, or that of older servers."""
    try:
        body: Any = json.loads(data)
    except (ValueError, RecursionError):
        return (), ""
    error = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(error, str):  # Ollama's own form
        return (), error
    if not isinstance(error, dict):
        return (), ""
    named = [error.get(name) for name in ("code", "type", "param")]
    codes = tuple(str(code) for code in named if isinstance(code, str | int) and code != "")
    message = error.get("message")
    return codes, message if isinstance(message, str) else ""


def _header(response: httpcore.Response, name: bytes) -> str | None:
    for key, value in response.headers:
        if key.lower() == name:
            return str(value, "latin-1")
    return None
