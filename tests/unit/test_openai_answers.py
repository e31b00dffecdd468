"""Whatever a server answers, it becomes an output or one of our errors."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaginem.config.sections.openai import OpenAiAccount
from imaginem.config.settings import read_settings
from imaginem.engines.openai.answers import PhotoAnswer, TextAnswer, schema_of
from imaginem.engines.openai.chat import Chat, Dialect
from imaginem.engines.openai.ocr import OpenAiOcr
from imaginem.engines.openai.service import OpenAiService
from imaginem.engines.openai.vision import OpenAiVision
from imaginem.engines.pacing import Pacer
from imaginem.errors import PermanentError, RetryableError
from imaginem.images.decoding import decode_photo
from imaginem.outputs import ImageAnalysis, OcrText
from imaginem.ports import CallContext
from imaginem.telemetry.silent import SilentTelemetry
from imaginem.testing import MemorySharedState, photo_bytes

CALL = CallContext("b", "one", "ocr")
PHOTO = decode_photo(photo_bytes())
KEYS = ["choices", "message", "content", "usage", "prompt_tokens", "model", "finish_reason"]
FIELDS = ["caption", "tags", "name", "confidence", "categories", "adult", "racy", "lines"]
ODD = st.sampled_from([None, True, -1, 1e308, 10**30, "", "\ud800", "\x00\u202e", "cat"])


def json_of(keys: list[str]) -> st.SearchStrategy[Any]:
    """Return a strategy of JSON values whose objects have some of these keys."""
    return st.recursive(
        ODD | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(keys), inner, max_size=5)
        ),
        max_leaves=12,
    )


class Answering:
    """A server that always answers the same."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def post(self, path: str, body: Any) -> Any:
        json.dumps(body)  # it can be sent
        return self._answer


def chat(answer: Any) -> Chat:
    settings: OpenAiAccount = read_settings({"OPENAI_MODEL": "m"}).openai
    pacer = Pacer(MemorySharedState(), "openai", 0)
    service = OpenAiService(pacer, SilentTelemetry(), settings)
    connection: Any = Answering(answer)
    return Chat(connection, service, settings, Dialect())


def completion(content: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}


def ask(answer: Any) -> None:
    """Ask for tags and for text; what comes back can be kept."""
    for engine in (OpenAiVision("v", chat(answer), "?", None), OpenAiOcr("o", chat(answer), "?")):
        try:
            found: ImageAnalysis | OcrText = (
                engine.analyze(PHOTO, CALL)
                if isinstance(engine, OpenAiVision)
                else engine.read(PHOTO, CALL)
            )
        except (PermanentError, RetryableError) as problem:
            assert len(str(problem)) < 1000
        else:
            assert type(found).model_validate_json(found.model_dump_json()) == found


@given(json_of(KEYS))
def test_an_envelope_may_hold_anything(answer: Any) -> None:
    ask(answer)


@given(json_of(FIELDS), st.text(max_size=20))
def test_an_answer_may_hold_anything(value: Any, around: str) -> None:
    ask(completion(around + json.dumps(value) + around))
    ask(completion(value))


@pytest.mark.parametrize("model", [PhotoAnswer, TextAnswer])
def test_a_schema_has_nothing_that_some_server_refuses(
    model: type[PhotoAnswer] | type[TextAnswer],
) -> None:
    schema = schema_of(model)
    text = json.dumps(schema)
    assert schema["additionalProperties"] is False
    assert schema["required"] == list(model.model_fields)
    for word in ("$ref", "$defs", "anyOf", "default", "title", "maxLength", "minimum"):
        assert f'"{word}"' not in text
