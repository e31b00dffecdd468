"""Asks the model about one photo, and takes nothing but the object that was asked for.

Servers differ in what they know of a request. What one refuses is left out from then on: first the
schema becomes "a JSON object", then nothing but the prompt asks for JSON.
"""

import base64
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic

from imaginem.config.sections.openai import OpenAiAccount
from imaginem.engines.azure.limits import ServiceLimits
from imaginem.engines.azure.payload import payload
from imaginem.engines.azure.reading import fields, number, objects, text
from imaginem.engines.openai.answers import schema_of
from imaginem.engines.openai.connection import Connection
from imaginem.engines.openai.parsing import AnswerT, NotAsAsked, parsed
from imaginem.engines.openai.refusals import NotUnderstood
from imaginem.engines.openai.service import OpenAiService, Usage
from imaginem.errors import PermanentError
from imaginem.images.decoding import Photo
from imaginem.ports import CallContext
from imaginem.redaction import one_line

_LEAST_SIDE = 28
"""Pixels of the shorter side: models that cut pictures into patches refuse less than one."""
_MOST_BYTES = 8 * 1024 * 1024
_QUOTED = 4000  # characters of a wrong answer that are sent back to be mended
_NAME_LIMIT = 100
_FORMAT_WORDS = ("response_format", "json_schema", "json_object", "schema", "grammar", "guided")
"""One of them is in what a server says that doesn't know a format of answers, or our schema."""
_MENDING = (
    "That is not the JSON object that was asked for: {problem}. Answer again, with the JSON object "
    "alone."
)


@dataclass(frozen=True)
class Question(Generic[AnswerT]):
    """What is asked of a photo.

    Attributes:
        name: of the schema, and of the call in traces, metrics and errors.
        prompt: the text that goes with the picture.
        answer: what must come back.
    """

    name: str
    prompt: str
    answer: type[AnswerT]


@dataclass(frozen=True)
class Reply(Generic[AnswerT]):
    """What came back.

    Attributes:
        answer: as asked.
        model: that answered, by the server's word; empty if it doesn't tell.
    """

    answer: AnswerT
    model: str


class Dialect:
    """What the server has been seen not to know; all calls of a process share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._formats = ["json_schema", "json_object"]
        self._limit = "max_tokens"
        self._temperature = True

    def options(self, question: Question[Any], max_tokens: int) -> dict[str, Any]:
        """Return the options of a request."""
        options: dict[str, Any] = {self._limit: max_tokens}
        if self._temperature:
            options["temperature"] = 0
        if self._formats[:1] == ["json_schema"]:
            schema = {"name": question.name, "strict": True, "schema": schema_of(question.answer)}
            options["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif self._formats:
            options["response_format"] = {"type": self._formats[0]}
        return options

    def learn(self, refused: NotUnderstood, sent: Mapping[str, Any]) -> bool:
        """Leave out what a server refused; tell whether another try makes sense."""
        said = refused.said
        with self._lock:
            if "max_tokens" in sent and "max_completion_tokens" in said:
                self._limit = "max_completion_tokens"
            elif "temperature" in sent and "temperature" in said:
                self._temperature = False
            elif "response_format" in sent and any(word in said for word in _FORMAT_WORDS):
                if self._formats[:1] == [sent["response_format"]["type"]]:
                    self._formats = self._formats[1:]  # else another call has learned it meanwhile
            else:
                return False
        return True


class Chat:
    """Asks one model.

    Args:
        connection: to the server.
        service: paces and counts.
        settings: of the server.
        dialect: what the server doesn't know.
    """

    def __init__(
        self,
        connection: Connection,
        service: OpenAiService,
        settings: OpenAiAccount,
        dialect: Dialect,
    ) -> None:
        self._connection, self._service = connection, service
        self._settings, self._dialect = settings, dialect
        self.model = settings.model
        self.is_proven = (
            False  # that its model sees pictures, see `imaginem.engines.openai.probing`
        )
        self._limits = ServiceLimits(_MOST_BYTES, _LEAST_SIDE, settings.max_side)

    def ask(self, question: Question[AnswerT], photo: Photo, call: CallContext) -> Reply[AnswerT]:
        """Return what the model answers; a wrong answer may be mended once.

        Raises:
            PermanentError: the server, its filter or the model refuses this photo, or the answer is
                cut off, or is not what was asked for, twice.
            RetryableError: no answer, or a refusal that is not the photo's fault.
        """
        messages = [_asked(question.prompt, payload(photo, self._limits).data)]
        with self._service.turn(call):
            content, model = self._complete(question, messages, call)
            try:
                return Reply(parsed(content, question.answer), model)
            except NotAsAsked as problem:
                messages += _mending(content, str(problem))
            content, model = self._complete(question, messages, call)
        try:
            return Reply(parsed(content, question.answer), model)
        except NotAsAsked as problem:
            raise PermanentError(
                f"openai {question.name}: the answer is not what was asked for, twice: "
                f"{one_line(str(problem), 200)}. Set OPENAI_MODEL to a model that keeps to a JSON "
                "schema"
            ) from None

    def models(self, call: CallContext) -> list[str]:
        """Return the names of the models that the server has."""
        with self._service.call("models", call, units=0):
            listed = fields(self._connection.get("/models"))
        return [name for item in objects(listed.get("data")) if (name := text(item.get("id")))]

    def _complete(
        self, question: Question[Any], messages: list[dict[str, Any]], call: CallContext
    ) -> tuple[str, str]:
        """Return the text of an answer, and the model's name."""
        while True:
            options = self._dialect.options(question, self._settings.max_tokens)
            body = {"model": self._settings.model, "messages": messages, "stream": False, **options}
            try:
                with self._service.call(question.name, call):
                    answer = fields(self._connection.post("/chat/completions", body))
                    choices = objects(answer.get("choices"))
                    if not choices:
                        raise ValueError("the answer has no choices")
            except NotUnderstood as refused:
                if not self._dialect.learn(refused, options):
                    raise
                continue
            self._service.note_usage(question.name, call, _usage(answer.get("usage")))
            return self._content(question, choices[0]), text(answer.get("model"))[:_NAME_LIMIT]

    def _content(self, question: Question[Any], choice: Mapping[str, object]) -> str:
        """Return the text of a choice.

        Raises:
            PermanentError: it was refused or cut off.
        """
        message, reason = fields(choice.get("message")), text(choice.get("finish_reason"))
        if refusal := text(message.get("refusal")):
            raise PermanentError(
                f"openai {question.name}: the model refuses this photo: {one_line(refusal, 200)}"
            )
        if reason == "content_filter":
            raise PermanentError(
                f"openai {question.name}: the filter of the model's deployment refuses this photo: "
                "let it annotate instead of block, or run the photo again with another engine"
            )
        if reason == "length":
            raise PermanentError(
                f"openai {question.name}: the answer was cut off at {self._settings.max_tokens} "
                "tokens: raise OPENAI_MAX_TOKENS, or choose a model that doesn't repeat itself"
            )
        content = message.get("content")
        if isinstance(content, list):  # parts, as some gateways answer
            return "".join(text(part.get("text")) for part in objects(content))
        return text(content)


def _asked(prompt: str, jpeg: bytes) -> dict[str, Any]:
    data = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    parts = [{"type": "text", "text": prompt}, {"type": "image_url", "image_url": {"url": data}}]
    return {"role": "user", "content": parts}


def _mending(content: str, problem: str) -> list[dict[str, Any]]:
    return [
        {"role": "assistant", "content": content[:_QUOTED]},
        {"role": "user", "content": _MENDING.format(problem=problem)},
    ]


def _usage(told: object) -> Usage:
    counts = [number(fields(told).get(name)) for name in ("prompt_tokens", "completion_tokens")]
    return Usage(*(max(int(count or 0), 0) for count in counts))
