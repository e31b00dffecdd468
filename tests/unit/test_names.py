"""Names that storage accepts, and text that may be shown."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaginem.errors import InvalidMessage
from imaginem.names import blob_segment, is_plain_path, job_prefix, table_key
from imaginem.redaction import one_line, redact, redact_shown, redact_values, without_query


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_different_ids_never_share_a_key(one: str, other: str) -> None:
    assert (table_key(one, "id") == table_key(other, "id")) == (one == other)


@given(st.text(min_size=1, max_size=100))
def test_a_key_has_no_forbidden_character(text: str) -> None:
    key = table_key(text, "id")

    assert not set(key) & set("/\\#?\t\n\r\x7f")


@given(st.text(min_size=1, max_size=500), st.text(min_size=1, max_size=500))
def test_a_job_cannot_reach_into_anothers_folder(batch: str, job: str) -> None:
    prefix = job_prefix(batch, job)

    assert prefix.count("/") == 2
    assert ".." not in prefix.split("/")
    assert len(prefix) < 500
    assert set(prefix) <= set(string.ascii_letters + string.digits + "-._~%/")


@given(st.text(min_size=1, max_size=400), st.text(min_size=1, max_size=400))
def test_different_ids_never_share_a_folder(one: str, other: str) -> None:
    assert (blob_segment(one) == blob_segment(other)) == (one == other)


def test_dots_are_no_way_up() -> None:
    assert blob_segment("..") == "%2E%2E"


def test_a_key_is_counted_after_encoding() -> None:
    assert table_key("%" * 170, "id") == "%25" * 170
    with pytest.raises(InvalidMessage, match="longer"):
        table_key("%" * 171, "id")


@pytest.mark.parametrize(
    "text",
    [
        "https://a.test/b.jpg?sv=1&sig=SECRET answered 403",
        "AccountKey=SECRET;more",
        "Server=x;Pwd=SECRET;",
        "password: SECRET",
        "api-key=SECRET",
        "Authorization: Bearer SECRET.abc",
        "blobSasToken=SECRET",
        'sent {"x-functions-key": "SECRET"}',
        r'sent "{\"client_secret\":\"SECRET\"}"',
        "callback%3Ftoken%3DSECRET",
        "key eyJSECRETabc.eyJhbGciOi.c2ln",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    assert "SECRET" not in redact(text)


def test_addresses_lose_query_and_fragment() -> None:
    assert without_query("https://a.test/b?c#d") == "https://a.test/b"
    assert without_query("https://a.test/b#c?d") == "https://a.test/b"


@pytest.mark.parametrize(
    "address",
    ["https://me:SECRET@a.test/b", "HTTP://SECRET@a.test/b", "https://me:SE@CRET@a.test/b"],
)
def test_addresses_lose_user_and_password(address: str) -> None:
    for shown in (without_query(address), redact(f"{address} answered 403")):
        assert "SECRET" not in shown
        assert "CRET" not in shown
        assert "me" not in shown
        assert "a.test/b" in shown


def test_what_is_no_user_is_left_in_an_address() -> None:
    for text in ("https://a.test/b@c", "mail me@a.test", "https://a.test/b and c@d"):
        assert redact(text) == text


def test_values_are_redacted_whole_where_their_name_is_a_secrets() -> None:
    value = {
        "password": "SECRET",
        "API-Key": ["SECRET"],
        "my password": "SECRET",
        "list": ["https://a.test/b?SECRET", {"sig": 7}],
        "number": 7,
        "none": None,
    }
    assert redact_values(value) == {
        "password": "***",
        "API-Key": "***",
        "my password": "***",
        "list": ["https://a.test/b", {"sig": "***"}],
        "number": 7,
        "none": None,
    }


@pytest.mark.parametrize(
    "given",
    [
        {"blobSasToken": "SECRET"},
        {"x-functions-key": "SECRET"},
        {"SAS": {"value": ["SECRET"]}},
        {"subscriptionKey": 5, "AUTHORIZATION": "SECRET"},
        {"note": "sv=2024&sig=SECRET%3D"},
        {"note": "callback?accessToken=SECRET"},
        {"note": "sig%3DSECRET%26x"},
        {"header": "Bearer SECRET.abc"},
        {"note": '{"inner": {"client_secret": "SECRET"}}'},
        {"https://a.test/b?sig=SECRET": 1},
        [{"deep": [{"token": "SECRET"}]}],
        {"note": "eyJSECRETabc.eyJhbGciOi.c2ln"},
        {"note": "SECRET" + "a" * 80 + "=="},
    ],
)
def test_what_a_sender_gave_is_shown_and_kept_without_secrets(given: object) -> None:
    assert "SECRET" not in json.dumps(redact_shown(given))
    assert "SECRET" not in json.dumps(redact_values(given))


def test_what_only_may_be_a_secret_is_kept_for_steps_and_not_shown() -> None:
    given = {"recordKey": "A-7", "note": "recordKey=A-7"}
    assert redact_values(given) == given
    assert redact_shown(given) == {"recordKey": "***", "note": "recordKey=***"}


def test_errors_of_ours_still_say_what_to_do() -> None:
    for told in ("VISION_API_KEY: set it", "token: is not valid", "PIN: has 4 digits"):
        assert redact(told) == told


def test_what_is_no_secret_is_shown_as_it_was_given() -> None:
    given = {
        "original_name": "key of the sea: a token of love.jpg",
        "key": "c4",
        "keywords": ["monkey", "pinned"],
        "size": 5,
        "turned": None,
        "time": "2026-05-01T10:00:00+00:00",
        "address": "https://a.test/b",
        "json": '{"camera": "X"}',
        "long": "a" * 200_000,  # and it takes no time
    }
    assert redact_shown(given) == given
    assert redact_values(given) == given


def test_a_line_is_one_line() -> None:
    assert one_line("a\n  b\tc") == "a b c"
    assert one_line("x" * 600) == "x" * 600
    assert one_line("x" * 601) == "x" * 599 + "…"
    assert one_line("x" * 9, 4) == "xxx…"
    assert one_line("password: SECRET") == "password: ***"


def test_a_path_that_leads_elsewhere_is_no_blobs_name() -> None:
    for name in ("a/../b", "..", "a/./b", "/../a", "a//..", "", "/", "//", "a\\..\\b"):
        assert not is_plain_path(name), name
    for name in ("batch/job/..photo..jpg", "/a", "a//b", "a/"):
        assert is_plain_path(name), name
