"""What is written in a photo, by Read 3.2 of Azure Computer Vision."""

import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

from imaginem.config.settings import Settings
from imaginem.engines.azure.accounts import read_account
from imaginem.engines.azure.calls import ServiceRefused
from imaginem.engines.azure.limits import READ
from imaginem.engines.azure.operations import Operation, OperationFailed, Operations
from imaginem.engines.azure.payload import Payload, payload
from imaginem.engines.azure.reading import Fields, fields, number, numbers, objects, text
from imaginem.engines.parts import EngineParts
from imaginem.errors import PermanentError, RetryableError
from imaginem.images.decoding import Photo
from imaginem.outputs import OcrText, TextLine, TextStyle, Word
from imaginem.ports import CallContext, OcrEngine


class AzureOcr:
    """Reads text. Read works in the background, and is asked for its result until it is done.

    Args:
        client: see `make_vision_client`.
        operations: of the account.
        tier: of the account, such as `S1`; `F0` takes smaller files.
    """

    name = "azure-read-3.2"

    def __init__(self, client: Any, operations: Operations, *, tier: str) -> None:
        self._client, self._operations = client, operations
        self._tier = tier

    def read(self, photo: Photo, call: CallContext) -> OcrText:
        """Return the text in reading order; polygons are in the photo's own pixels."""
        sent = payload(photo, READ.at(self._tier))
        operation = Operation(
            name="read",
            begin=lambda: self._begin(sent),
            ask=lambda number: fields(self._client.get_read_result(number)),
            result="analyzeResult",
            model=self.name,
            photo_key=photo.key,
        )
        try:
            return _read_text(self._operations.run(operation, call), sent)
        except OperationFailed:
            raise PermanentError(
                "Azure vision read: the photo could not be read; send another"
            ) from None
        except ServiceRefused as refused:
            if "InvalidImageSize" in refused.codes and len(sent.data) > READ.free.max_bytes:
                raise RetryableError(
                    f"{refused}. If the account is free, set VISION_TIER=F0"
                ) from None
            raise

    def _begin(self, sent: Payload) -> str:
        """Hand over a photo, and return the id of the operation that reads it."""
        answer = self._client.read_in_stream(
            io.BytesIO(sent.data), reading_order="natural", raw=True
        )
        address = str(answer.headers.get("Operation-Location") or "") if answer else ""
        if not address:
            raise ValueError("an answer without Operation-Location")
        return address.rstrip("/").rpartition("/")[2]


def engine_name(settings: Settings) -> str:
    """Return the engine's name."""
    return AzureOcr.name


def make_engine(parts: EngineParts) -> OcrEngine:
    """Return the engine of `ocr`."""
    client, operations = read_account(parts)
    return AzureOcr(client, operations, tier=parts.settings.vision.tier)


def _read_text(result: Fields, sent: Payload) -> OcrText:
    """Return the text of a result.

    Raises:
        PermanentError: it has no lines; of a photo without text it has an empty list.
    """
    pages = objects(result.get("readResults"))
    lines_told = [page["lines"] for page in pages if isinstance(page.get("lines"), list)]
    if not lines_told:
        raise PermanentError(
            "Azure vision read: the result has no lines, which it has of a photo without text too; "
            "send the photo again"
        )
    lines = [_line(line, sent) for told in lines_told for line in objects(told)]
    kept = [line for line in lines if line.text]
    return OcrText(
        full_text="\n".join(line.text for line in kept),
        lines=kept,
        language=_language(pages, kept),
        model_version=text(result.get("modelVersion")) or None,
    )


def _line(line: Fields, sent: Payload) -> TextLine:
    """Return a line; its confidence is the mean of what is told of its words."""
    words = [(_word(word, sent), word) for word in objects(line.get("words"))]
    told = [
        score
        for kept, word in words
        if kept.text and (score := number(word.get("confidence"))) is not None
    ]
    kept = [word for word, _ in words if word.text]
    return TextLine(
        text=text(line.get("text")) or " ".join(word.text for word in kept),
        confidence=round(sum(told) / len(told), 4) if told else 0.0,
        polygon=sent.corners(numbers(line.get("boundingBox"))),
        words=kept,
        language=text(line.get("language")) or None,
        style=_style(fields(line.get("appearance"))),
    )


def _word(word: Fields, sent: Payload) -> Word:
    return Word(
        text=text(word.get("text")),
        confidence=number(word.get("confidence")) or 0.0,
        polygon=sent.corners(numbers(word.get("boundingBox"))),
    )


def _style(appearance: Fields) -> TextStyle | None:
    """Return the style; in previews of Read it was a text with a confidence beside it."""
    style = appearance.get("style")
    name = text(style) or text(fields(style).get("name"))
    score = appearance.get("styleConfidence", fields(style).get("confidence"))
    return TextStyle(name=name, confidence=number(score)) if name else None


def _language(pages: Sequence[Fields], lines: Sequence[TextLine]) -> str:
    """Return the language of the first page that tells it, or of most lines."""
    told = [language for page in pages if (language := text(page.get("language")))]
    if told:
        return told[0]
    most = Counter(line.language for line in lines if line.language).most_common(1)
    return most[0][0] if most else ""
