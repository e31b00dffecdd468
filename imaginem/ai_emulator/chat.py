"""An OpenAI-compatible server: models and chat completions about one picture.

There is no generative model behind it: our own engines answer the questions of our prompts. It is
as strict as the strictest server about what it is sent.
"""

import base64
import binascii
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from imaginem.ai_emulator.chat_refusals import (
    ChatRefusal,
    ServerKind,
    no_model,
    no_pictures,
    refusal,
    too_long,
    unknown_format,
    wrong_key,
)
from imaginem.ai_emulator.images import EMULATOR
from imaginem.errors import PermanentError
from imaginem.images.decoding import Photo, decode_photo
from imaginem.ports import OcrEngine, VisionEngine

MODEL = "emulated-vision"
_DATA = "data:image/jpeg;base64,"
_PATCH = 28 * 28  # pixels that are one token
_LETTERS = 4  # that are one token
# What Azure's structured outputs refuse, by its documentation.
_UNKNOWN_KEYWORDS = frozenset(
    {"$ref", "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "default"}
)


class ChatEmulator:
    """The routes below `/v1`.

    Args:
        vision: returns the engine that says what is in a photo.
        ocr: returns the engine that reads text.
        key: that it takes; empty: it asks for none.
        is_token: tells whether something is a token that it takes instead.

    Attributes:
        server: in whose form it refuses.
        models: that it has.
        formats: of answers that it knows.
        sees: its model takes pictures.
        context: tokens that a request may have.
        next: what the next calls get instead of an answer: a refusal, or the text of an answer with
            its `finish_reason`.
        photos: files that were sent.
        requests: bodies of the calls, without pictures.
        tokens_in, tokens_out: of all answers.
    """

    def __init__(
        self,
        vision: Callable[[], VisionEngine],
        ocr: Callable[[], OcrEngine],
        key: str = "",
        is_token: Callable[[str], bool] = lambda text: False,
    ) -> None:
        self._vision, self._ocr = vision, ocr
        self._key, self._is_token = key, is_token
        self._lock = threading.Lock()
        self.server: ServerKind = "llama-server"
        self.models = [MODEL]
        self.formats = {"json_schema", "json_object"}
        self.sees = True
        self.context = 128_000
        self.next: deque[ChatRefusal | tuple[str, str] | Response] = deque()
        self.photos: list[bytes] = []
        self.requests: list[dict[str, Any]] = []
        self.tokens_in = self.tokens_out = 0

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/v1/models", self._list, methods=["GET"]),
            Route("/v1/chat/completions", self._complete, methods=["POST"]),
        ]

    async def _list(self, request: Request) -> Response:
        try:
            self._check_key(request)
        except ChatRefusal as refused:
            return refused.answer()
        data = [{"id": name, "object": "model", "owned_by": "imaginem"} for name in self.models]
        return JSONResponse({"object": "list", "data": data})

    async def _complete(self, request: Request) -> Response:
        try:
            self._check_key(request)
            body = await request.json()
            planned = self.next.popleft() if self.next else None
            if isinstance(planned, ChatRefusal):
                raise planned
            if isinstance(planned, Response):
                return planned
            return JSONResponse(await run_in_threadpool(self._completion, body, planned))
        except ChatRefusal as refused:
            return refused.answer()

    def _check_key(self, request: Request) -> None:
        signed = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._key and signed != self._key and not self._is_token(signed):
            raise wrong_key(self.server)

    def _completion(self, body: dict[str, Any], planned: tuple[str, str] | None) -> dict[str, Any]:
        prompt, data = _parts(self.server, body)
        with self._lock:
            self.photos.append(data)
            self.requests.append({**body, "messages": [prompt]})
        if body.get("model") not in self.models:
            raise no_model(self.server, str(body.get("model")))
        if not self.sees:
            raise no_pictures(self.server, str(body["model"]))
        photo = _decoded(self.server, data)
        wanted = self._wanted(body.get("response_format"), prompt)
        tokens_in = len(prompt) // _LETTERS + photo.width * photo.height // _PATCH
        if tokens_in > self.context:
            raise too_long(self.server)
        content, reason = planned or (json.dumps(self._answer(wanted, photo)), "stop")
        most = body.get("max_tokens") or body.get("max_completion_tokens") or 0
        if most and len(content) // _LETTERS > most:
            content, reason = content[: most * _LETTERS], "length"
        return self._shown(body["model"], content, reason, tokens_in)

    def _wanted(self, response_format: Any, prompt: str) -> set[str]:
        """Return the fields that are asked for, by the schema or by the prompt."""
        kind = response_format["type"] if response_format else ""
        if kind and kind not in self.formats:
            raise unknown_format(self.server, kind)
        if kind == "json_schema":
            schema = response_format["json_schema"]["schema"]
            _check_schema(self.server, schema)
            return set(schema["properties"])
        if kind == "json_object" and "json" not in prompt.lower():
            message = "'messages' must contain the word 'json' to use 'json_object'."
            raise refusal(self.server, 400, message, param="messages")
        return {name for name in ("caption", "lines", "left", "answer") if f'"{name}"' in prompt}

    def _answer(self, wanted: set[str], photo: Photo) -> dict[str, Any]:
        if "left" in wanted:
            middle = photo.height // 2
            places = {"left": photo.width // 4, "right": photo.width * 3 // 4}
            return {name: _color_at(photo, x, middle) for name, x in places.items()}
        if "lines" in wanted:
            return {"lines": [line.text for line in self._ocr().read(photo, EMULATOR).lines]}
        found = self._vision().analyze(photo, EMULATOR)
        captions = [caption.text for caption in found.description.captions]
        tags = [{"name": tag.name, "confidence": tag.confidence} for tag in found.tags]
        caption = captions[0] if captions else "A photo."
        if "answer" in wanted:
            return {"answer": caption, "can_tell": bool(captions)}
        return {
            "caption": caption,
            "tags": tags,
            "categories": [{"name": one.name, "confidence": one.score} for one in found.categories],
            "adult": found.adult.adult_score or 0.0,
            "racy": found.adult.racy_score or 0.0,
            "gore": found.adult.gore_score or 0.0,
        }

    def _shown(self, model: str, content: str, reason: str, tokens_in: int) -> dict[str, Any]:
        tokens_out = len(content) // _LETTERS + 1
        with self._lock:
            self.tokens_in += tokens_in
            self.tokens_out += tokens_out
        message = {"role": "assistant", "content": content}
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            "usage": {
                "prompt_tokens": tokens_in,
                "completion_tokens": tokens_out,
                "total_tokens": tokens_in + tokens_out,
            },
        }


def _parts(server: ServerKind, body: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return the text of all messages, and the picture."""
    if body.get("stream"):
        raise refusal(server, 400, "streams are not played here", param="stream")
    texts, data = [], b""
    for message in body.get("messages") or ():
        content = message["content"]
        for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
            if part["type"] == "text":
                texts.append(part["text"])
            else:
                data = _picture(server, part["image_url"]["url"])
    return "\n".join(texts), data


def _picture(server: ServerKind, url: str) -> bytes:
    try:
        return base64.b64decode(url.removeprefix(_DATA), validate=True)
    except binascii.Error:
        raise refusal(server, 400, "Invalid image data.", param="messages") from None


def _decoded(server: ServerKind, data: bytes) -> Photo:
    try:
        return decode_photo(data)
    except PermanentError:
        raise refusal(server, 400, "Failed to load image", param="messages") from None


def _check_schema(server: ServerKind, schema: Mapping[str, Any]) -> None:
    wrong = _UNKNOWN_KEYWORDS & set(schema)
    fields = schema.get("properties")
    if fields is not None:
        complete = set(schema.get("required", ())) == set(fields)
        if not complete or schema.get("additionalProperties") is not False:
            wrong |= {"required", "additionalProperties"}
        for field in fields.values():
            _check_schema(server, field)
    if "items" in schema:
        _check_schema(server, schema["items"])
    if wrong:
        message = f"Invalid schema for response_format: {', '.join(sorted(wrong))}"
        raise refusal(server, 400, message, param="response_format")


def _color_at(photo: Photo, x: int, y: int) -> str:
    value: Any = photo.pil.getpixel((x, y))
    return ("red", "green", "blue")[value.index(max(value))]
