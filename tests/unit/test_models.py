"""The job message: what is accepted, what is refused and why."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaginem.errors import InvalidMessage
from imaginem.message import MESSAGE_LIMIT, decode_message

PIPELINE = ("ocr", "pipelineoutput")


def body(**definition: Any) -> dict[str, Any]:
    return {
        "job_definition": {"id": "job-1", "input": {"image_url": "https://x.test/a"}} | definition
    }


def refusal(value: object) -> str:
    text = value if isinstance(value, str | bytes) else json.dumps(value)
    with pytest.raises(InvalidMessage) as told:
        decode_message(text, PIPELINE)
    return str(told.value)


def test_defaults_are_filled_in() -> None:
    message = decode_message(json.dumps(body()), PIPELINE)

    definition = message.job_definition
    assert definition.batch_id == "default"
    assert definition.processing_pipeline == list(PIPELINE)
    assert definition.processing_step == 0
    assert message.job_output == {}
    assert message.current == "ocr"
    assert message.following == "pipelineoutput"


@pytest.mark.parametrize(
    "encode",
    [
        lambda raw: raw,
        base64.b64encode,
        base64.encodebytes,  # with a line break after 76 characters
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: json.dumps(raw.decode()).encode(),
        lambda raw: base64.b64encode(json.dumps(raw.decode()).encode()),
        lambda raw: json.dumps(base64.b64encode(raw).decode()).encode(),
    ],
)
def test_json_is_read_plain_as_base64_and_in_a_json_string(encode: Any) -> None:
    raw = encode(json.dumps(body(batch_id="b")).encode())

    assert decode_message(raw, PIPELINE).job_definition.batch_id == "b"


@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda key: key not in ("job_definition", "job_output")),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
            ),
            max_leaves=5,
        ),
        max_size=4,
    )
)
def test_unknown_fields_pass_through_untouched(extra: dict[str, Any]) -> None:
    definition = {**extra, **body()["job_definition"]}
    definition.pop("_imaginem", None)
    definition["input"] = {
        "image_url": "https://x.test/a",
        "image_classifiers": ["c"],
        "mine": extra,
    }
    sent = {**extra, "job_definition": definition}
    for name in ("batch_id", "processing_pipeline", "processing_step"):
        definition.pop(name, None)

    came = json.loads(decode_message(json.dumps(sent), PIPELINE).encode())

    assert {name: came[name] for name in extra} == extra
    assert came["job_definition"]["input"] == definition["input"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("hello", "neither JSON nor base64"),
        ("", "neither JSON nor base64"),
        ("{", "not JSON"),
        ('"hello"', "the message is a JSON string, and in it the message is neither JSON"),
        (json.dumps(json.dumps("{}")), "job_definition is missing"),
        ("[]", "job_definition is missing"),
        ({}, "job_definition is missing"),
        ({"job_definition": {"input": {"image_url": "u"}}}, "job_definition.id: field required"),
        ({"job_definition": {"id": "a"}}, "job_definition.input: field required"),
        ({"job_definition": {"id": "a", "input": {}}}, "input.image_url: field required"),
        (body(id=""), "job_definition.id is empty"),
        (body(id="x" * 513), "longer than 512"),
        (body(id="%" * 200), "longer than 512"),
        (body(processing_step=2), "the pipeline has 2 steps"),
        (body(processing_step=-1), "processing_step"),
        (body(processing_pipeline=[]), "processing_pipeline"),
        (body(processing_pipeline=["ocr"] * 51), "processing_pipeline"),
        (body(processing_pipeline=["ocr", "ocr"]), "stands twice"),
        (body(processing_pipeline=["ocr-poison"]), "reserved"),
        (body(processing_pipeline=["azure-webjobs-x"]), "reserved"),
        (body(processing_pipeline=["OCR"]), "no queue name"),
        (body(processing_pipeline=["job-state"]), "clashes"),
        (body(processing_pipeline=["ocr", "ocr-output"]), "clashes"),
        (body(note="x" * MESSAGE_LIMIT), "more than a message may carry"),
    ],
)
def test_a_message_that_cannot_be_a_job_is_refused_with_the_field(value: object, told: str) -> None:
    assert told in refusal(value)


def test_an_outsiders_bookkeeping_does_no_harm() -> None:
    nonsense: Any
    for nonsense in ("x", 5, ["a"], {"attempt": "many"}, {"fence": {}}):
        message = decode_message(json.dumps(body(_imaginem=nonsense)), PIPELINE)
        assert message.job_definition.bookkeeping.fence == ""


def test_a_number_is_taken_as_an_id() -> None:
    assert decode_message(json.dumps(body(id=7)), PIPELINE).job_definition.id == "7"


def test_bookkeeping_is_read_by_its_names_in_messages_alone() -> None:
    noted = body(_imaginem={"unsuccessful": ["ocr"], "unfinished": ["facecrop"]})
    message = decode_message(json.dumps(noted), PIPELINE)

    assert message.job_definition.bookkeeping.unsuccessful == ["facecrop"]


def test_a_message_is_copied_only_where_something_changes() -> None:
    message = decode_message(json.dumps(body()), PIPELINE)
    assert message.with_image_url("https://x.test/a") is message
    assert message.with_image_url("https://x.test/b").job_definition.input.image_url[-1] == "b"

    noted = message.noting(attempt=0)
    assert json.loads(noted.encode())["job_definition"]["_imaginem"] == {"attempt": 0}
    assert noted.noting(attempt=0) is noted
    assert noted.noting(attempt=1).job_definition.bookkeeping.attempt == 1
    assert noted.job_definition.bookkeeping.attempt == 0
