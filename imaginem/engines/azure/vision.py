"""What is in a photo and what is written in it, by Azure Computer Vision 3.2."""

import io
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from imaginem.config.settings import ServiceSettings
from imaginem.engines.azure.calls import (
    CONNECT_SECONDS,
    READ_SECONDS,
    SCOPE,
    Service,
    check_answer,
)
from imaginem.engines.azure.payload import VISION_LIMITS, Payload, payload
from imaginem.errors import Busy, PermanentError, RetryableError
from imaginem.images.decoding import Photo
from imaginem.outputs import (
    Adult,
    Box,
    Caption,
    Category,
    Colors,
    Description,
    FoundObject,
    ImageAnalysis,
    ImageType,
    OcrText,
    PhotoMetadata,
    Tag,
    TextLine,
    Word,
)

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

FEATURES = ("Categories", "Tags", "Description", "Objects", "Color", "Adult", "ImageType")
"""What is asked for; `Faces` is not: its age and gender are retired. Each is billed as a call."""
_POLL_SECONDS = 1.0  # Microsoft, "Call the Read API": poll every one to two seconds
_POLL_LIMIT = 90.0


def vision_client(settings: ServiceSettings, credential: "Callable[[], TokenCredential]") -> Any:
    """Return the SDK's client, which has no types; it retries nothing and tells every refusal."""
    from azure.cognitiveservices.vision.computervision import ComputerVisionClient
    from msrest.authentication import Authentication, CognitiveServicesCredentials

    class Token(Authentication):
        """Sends a token of the app's identity; the credential keeps it until it lapses."""

        def signed_session(self, session: Any = None) -> Any:
            """Sign a request."""
            session = super().signed_session(session)
            session.headers["Authorization"] = f"Bearer {credential().get_token(SCOPE).token}"
            return session

    signer = CognitiveServicesCredentials(settings.key) if settings.key else Token()
    client: Any = ComputerVisionClient(settings.endpoint, signer)  # type: ignore[no-untyped-call]
    client.config.connection.timeout = (CONNECT_SECONDS, READ_SECONDS)
    client.config.redirect_policy.allow = False
    # One shared object: replacing it would leave the retries of other threads as they are.
    policy = client.config.retry_policy.policy
    policy.total = policy.connect = 0
    policy.read = False
    policy.status_forcelist = frozenset()
    policy.respect_retry_after_header = False
    client.config.hooks.append(
        lambda answer, *_, **__: check_answer(answer.status_code, answer.headers, answer.text)
    )
    return client


class AzureVision:
    """Says what is in a photo."""

    name = "azure-vision-3.2"

    def __init__(self, client: Any, service: Service) -> None:
        self._client = client
        self._service = service

    def analyze(self, photo: Photo) -> ImageAnalysis:
        """Return what is in a photo; rectangles are in its own pixels."""
        sent = payload(photo, VISION_LIMITS)
        with self._service.call("analyze", units=len(FEATURES)):
            found = self._client.analyze_image_in_stream(
                io.BytesIO(sent.data), visual_features=list(FEATURES), language="en"
            )
            if found is None:
                raise ValueError("an empty answer")
        return ImageAnalysis(
            tags=[Tag(name=tag.name, confidence=tag.confidence) for tag in found.tags or ()],
            categories=[
                Category(name=category.name, score=category.score)
                for category in found.categories or ()
            ],
            description=_description(found.description),
            objects=[_object(thing, sent) for thing in found.objects or ()],
            color=_colors(found.color),
            adult=_adult(found.adult),
            image_type=_image_type(found.image_type),
            metadata=PhotoMetadata(width=photo.width, height=photo.height, format=photo.format),
        )


def _description(found: Any) -> Description:
    if found is None:
        return Description()
    captions = [
        Caption(text=said.text, confidence=said.confidence) for said in found.captions or ()
    ]
    return Description(tags=list(found.tags or ()), captions=captions)


def _object(found: Any, sent: Payload) -> FoundObject:
    where = found.rectangle
    left, top = round(sent.x(where.x)), round(sent.y(where.y))
    return FoundObject(
        object=found.object_property,
        confidence=found.confidence,
        rectangle=Box(
            x=left,
            y=top,
            w=round(sent.x(where.x + where.w)) - left,
            h=round(sent.y(where.y + where.h)) - top,
        ),
    )


def _colors(found: Any) -> Colors:
    if found is None:
        return Colors()
    return Colors(
        dominant_color_foreground=found.dominant_color_foreground or "",
        dominant_color_background=found.dominant_color_background or "",
        dominant_colors=list(found.dominant_colors or ()),
        accent_color=found.accent_color or "",
        is_bw_img=bool(found.is_bw_img),
    )


def _adult(found: Any) -> Adult:
    if found is None:
        return Adult()
    return Adult(
        is_adult_content=bool(found.is_adult_content),
        adult_score=found.adult_score or 0.0,
        is_racy_content=bool(found.is_racy_content),
        racy_score=found.racy_score,
        is_gory_content=found.is_gory_content,
        gore_score=found.gore_score,
    )


def _image_type(found: Any) -> ImageType:
    if found is None:
        return ImageType()
    return ImageType(
        clip_art_type=int(found.clip_art_type or 0),
        line_drawing_type=int(found.line_drawing_type or 0),
    )


class AzureOcr:
    """Reads text with Read 3.2, which works on its own while we ask for the result.

    Args:
        client: see `vision_client`.
        service: of the account.
        clock: seconds, steady.
        sleep: waits some seconds.
    """

    name = "azure-read-3.2"

    def __init__(
        self,
        client: Any,
        service: Service,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._service = service
        self._clock, self._sleep = clock, sleep

    def read(self, photo: Photo) -> OcrText:
        """Return the text in reading order; polygons are in the photo's own pixels."""
        sent = payload(photo, VISION_LIMITS)
        with self._service.call("read"):
            begun = self._client.read_in_stream(
                io.BytesIO(sent.data), reading_order="natural", raw=True
            )
            place = str(begun.headers.get("Operation-Location") or "") if begun else ""
            if not place:
                raise ValueError("an answer without Operation-Location")
        found = self._result(place.rstrip("/").rpartition("/")[2])
        pages = found.analyze_result.read_results if found.analyze_result else []
        lines = [_line(line, sent) for page in pages for line in page.lines]
        languages = [page.language for page in pages if page.language]
        return OcrText(
            full_text="\n".join(line.text for line in lines),
            lines=lines,
            language=languages[0] if languages else "",
        )

    def _result(self, operation: str) -> Any:
        """Ask until it is done. While asking, being refused costs time and no new reading."""
        until = self._clock() + _POLL_LIMIT
        pause = _POLL_SECONDS
        last: RetryableError | None = None
        while self._clock() < until:
            self._sleep(pause)
            pause = _POLL_SECONDS
            try:
                with self._service.call("read result", units=0, wait_for_quota=True):
                    found = self._client.get_read_result(operation)
                    if found is None:
                        raise ValueError("an empty answer")
            except RetryableError as problem:
                last = problem
                pause = min(problem.retry_after or _POLL_SECONDS, _POLL_LIMIT / 6)
                continue
            status = str(getattr(found.status, "value", found.status))
            if status == "succeeded":
                return found
            if status == "failed":
                raise PermanentError("Azure vision read: the photo could not be read; send another")
        late = f"Azure vision read: no result within {_POLL_LIMIT:.0f} s"
        if isinstance(last, Busy):
            raise Busy(f"{late}: {last}", retry_after=last.retry_after)
        raise RetryableError(f"{late}: {last}" if last else late)


def _line(found: Any, sent: Payload) -> TextLine:
    words = [
        Word(text=word.text, confidence=word.confidence, polygon=_polygon(word.bounding_box, sent))
        for word in found.words
    ]
    sure = sum(word.confidence for word in words) / len(words) if words else 0.0
    return TextLine(
        text=found.text,
        confidence=round(sure, 4),
        polygon=_polygon(found.bounding_box, sent),
        words=words,
    )


def _polygon(corners: Sequence[float], sent: Payload) -> list[int]:
    return [
        round(sent.y(value) if index % 2 else sent.x(value)) for index, value in enumerate(corners)
    ]
