"""The calls of Azure Content Understanding, and our analyzer there, made when it is missing."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from imaginem.config.settings import ServiceSettings
from imaginem.engines.azure.calls import Refused, Service
from imaginem.engines.azure.core_clients import client_options, read_state, signer
from imaginem.engines.azure.photo_analyzer import analyzer_id, definition
from imaginem.engines.azure.reading import Fields
from imaginem.errors import RetryableError
from imaginem.ports import CallContext

if TYPE_CHECKING:
    from azure.ai.contentunderstanding import ContentUnderstandingClient
    from azure.core.credentials import TokenCredential

API_VERSION = "2025-11-01"
_POLL_SECONDS = 2.0
_POLL_LIMIT = 60.0
_NOT_FOUND, _CONFLICT = 404, 409


class ContentClient:
    """The calls of the service.

    Args:
        sdk: the SDK's client.
    """

    def __init__(self, sdk: "ContentUnderstandingClient") -> None:
        self._sdk = sdk

    def begin(self, analyzer: str, data: bytes) -> str:
        """Begin to analyze a photo; return the operation's id."""
        poller = self._sdk.begin_analyze_binary(
            analyzer, data, content_type="image/jpeg", polling=False
        )
        return poller.operation_id

    def ask(self, operation: str) -> Fields:
        """Return the state of an operation."""
        return read_state(self._sdk, f"/analyzerResults/{operation}", API_VERSION)

    def state_of(self, analyzer: str) -> str:
        """Return `creating`, `ready` or `failed`, or nothing if there is no such analyzer."""
        try:
            status = self._sdk.get_analyzer(analyzer).status
        except Refused as refused:
            if refused.status != _NOT_FOUND:
                raise
            return ""
        return str(getattr(status, "value", status))

    def make(self, analyzer: str, model: str) -> None:
        """Begin to make our analyzer, if nobody else has meanwhile."""
        try:
            self._sdk.begin_create_analyzer(analyzer, definition(model), polling=False)
        except Refused as refused:
            if refused.status != _CONFLICT:
                raise


def content_client(
    settings: ServiceSettings, credential: "Callable[[], TokenCredential]"
) -> ContentClient:
    """Return the client of an account."""
    from azure.ai.contentunderstanding import ContentUnderstandingClient

    key_or_token = signer(settings, credential)
    options = client_options(API_VERSION)
    return ContentClient(ContentUnderstandingClient(settings.endpoint, key_or_token, **options))


class OwnAnalyzer:
    """Our analyzer in an account; all instances may look for it and make it at once.

    Args:
        client: makes the calls.
        service: of the account.
        model: name or alias of the generative model.
        clock: seconds, steady.
        sleep: waits some seconds.
    """

    def __init__(
        self,
        client: ContentClient,
        service: Service,
        model: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._service, self._model = client, service, model
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._is_ready = False
        self.id = analyzer_id(model)

    def make_sure(self, call: CallContext) -> None:
        """Look for the analyzer, once in a process, and make it if it is missing.

        Raises:
            RetryableError: it can't be made, or not yet.
        """
        with self._lock:
            if not self._is_ready:
                self._await(call)
                self._is_ready = True

    def forget(self) -> None:
        """Look for it again before the next photo: somebody has deleted it."""
        self._is_ready = False

    def _await(self, call: CallContext) -> None:
        until = self._clock() + _POLL_LIMIT
        made = False
        while (state := self._state(call)) != "ready":
            if state == "failed":
                raise RetryableError(
                    f"Azure contentunderstanding analyzer: {self.id} could not be made; "
                    "delete it, and check CONTENTUNDERSTANDING_MODEL"
                )
            if not state and not made:
                with self._service.call("create analyzer", call, units=0, wait_for_quota=True):
                    self._client.make(self.id, self._model)
                made = True
            if self._clock() >= until:
                raise RetryableError(
                    f"Azure contentunderstanding analyzer: {self.id} is not ready after "
                    f"{_POLL_LIMIT:.0f} s"
                )
            self._sleep(_POLL_SECONDS)

    def _state(self, call: CallContext) -> str:
        with self._service.call("get analyzer", call, units=0, wait_for_quota=True):
            return self._client.state_of(self.id)
