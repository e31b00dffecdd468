"""What is written in a photo, by Read 3.2 of Azure Computer Vision."""

import io
import time
from collections.abc import Callable, Sequence
from typing import Any

from imaginem.config.settings import Settings
from imaginem.engines.azure.accounts import vision_account
from imaginem.engines.azure.calls import Service, ServiceRefused
from imaginem.engines.azure.limits import READ
from imaginem.engines.azure.payload import Payload, payload
from imaginem.engines.parts import EngineParts
from imaginem.errors import Busy, PermanentError, RetryableError
from imaginem.images.decoding import Photo
from imaginem.outputs import OcrText, TextLine, Word
from imaginem.ports import CallContext, OcrEngine

_POLL_SECONDS = 1.0  # Microsoft, "Call the Read API": poll every one to two seconds
_POLL_LIMIT = 90.0


class AzureOcr:
    """Reads text. Read works in the background, and is asked for its result until it is done.

    Args:
        client: see `make_vision_client`.
        service: of the account.
        tier: of the account, such as `S1`; `F0` takes smaller files.
        clock: seconds, steady.
        sleep: waits some seconds.
    """

    name = "azure-read-3.2"

    def __init__(
        self,
        client: Any,
        service: Service,
        *,
        tier: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._service = service
        self._tier = tier
        self._clock, self._sleep = clock, sleep

    def read(self, photo: Photo, call: CallContext) -> OcrText:
        """Return the text in reading order; polygons are in the photo's own pixels."""
        sent = payload(photo, READ.at(self._tier))
        try:
            operation = self._begin(sent, call)
        except ServiceRefused as refused:
            if "InvalidImageSize" in refused.codes and len(sent.data) > READ.free.max_bytes:
                raise RetryableError(
                    f"{refused}. If the account is free, set VISION_TIER=F0"
                ) from None
            raise
        result = self._result(operation, call)
        pages = result.analyze_result.read_results if result.analyze_result else []
        lines = [_line(line, sent) for page in pages for line in page.lines]
        languages = [page.language for page in pages if page.language]
        return OcrText(
            full_text="\n".join(line.text for line in lines),
            lines=lines,
            language=languages[0] if languages else "",
        )

    def _begin(self, sent: Payload, call: CallContext) -> str:
        """Hand over a photo, and return the id of the operation that reads it."""
        with self._service.call("read", call):
            answer = self._client.read_in_stream(
                io.BytesIO(sent.data), reading_order="natural", raw=True
            )
            address = str(answer.headers.get("Operation-Location") or "") if answer else ""
            if not address:
                raise ValueError("an answer without Operation-Location")
        return address.rstrip("/").rpartition("/")[2]

    def _result(self, operation: str, call: CallContext) -> Any:
        """Ask until the result is there. A refusal delays the next question; it loses nothing."""
        until = self._clock() + _POLL_LIMIT
        pause = _POLL_SECONDS
        last: RetryableError | None = None
        while self._clock() < until:
            self._sleep(pause)
            pause = _POLL_SECONDS
            try:
                with self._service.call("read result", call, units=0, wait_for_quota=True):
                    result = self._client.get_read_result(operation)
                    if result is None:
                        raise ValueError("an empty answer")
            except RetryableError as problem:
                last = problem
                pause = min(problem.retry_after or _POLL_SECONDS, _POLL_LIMIT / 6)
                continue
            status = str(getattr(result.status, "value", result.status))
            if status == "succeeded":
                return result
            if status == "failed":
                raise PermanentError("Azure vision read: the photo could not be read; send another")
        late = f"Azure vision read: no result within {_POLL_LIMIT:.0f} s"
        if isinstance(last, Busy):
            raise Busy(f"{late}: {last}", retry_after=last.retry_after)
        raise RetryableError(f"{late}: {last}" if last else late)


def engine_name(settings: Settings) -> str:
    """Return the engine's name."""
    return AzureOcr.name


def make_engine(parts: EngineParts) -> OcrEngine:
    """Return the engine of `ocr`."""
    return AzureOcr(*vision_account(parts), tier=parts.settings.vision.tier)


def _line(line: Any, sent: Payload) -> TextLine:
    words = [
        Word(text=word.text, confidence=word.confidence, polygon=_polygon(word.bounding_box, sent))
        for word in line.words
    ]
    mean = sum(word.confidence for word in words) / len(words) if words else 0.0
    return TextLine(
        text=line.text,
        confidence=round(mean, 4),
        polygon=_polygon(line.bounding_box, sent),
        words=words,
    )


def _polygon(corners: Sequence[float], sent: Payload) -> list[int]:
    return [
        round(sent.y(value) if index % 2 else sent.x(value)) for index, value in enumerate(corners)
    ]
