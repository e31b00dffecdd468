"""Whoever chooses an engine that sends photos away is told to whom, everywhere."""

import logging
from typing import Any

import pytest

from imaginem.config.receivers import log_receivers, photo_receivers, with_receivers
from imaginem.config.settings import Settings, read_settings
from imaginem.errors import ConfigurationError, RetryableError
from imaginem.runtime import Runtime
from imaginem.testing import MemoryServices
from imaginem.usecases.health import engine_checks, examine
from tests.dashboard import client, keep, web_services


def settings(endpoint: str = "http://10.0.0.8:8080", **more: str) -> Settings:
    chosen = {"VISION_ENGINE": "openai", "OPENAI_ENDPOINT": endpoint, "OPENAI_MODEL": "m"}
    return read_settings({**chosen, **more})


@pytest.mark.parametrize(
    ("endpoint", "place"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1:8080 on this machine"),
        ("http://[::1]:8080", "[::1]:8080 on this machine"),
        ("http://localhost/v1", "localhost on this machine"),
        ("http://10.0.0.8:8080", "10.0.0.8:8080, not encrypted"),
        ("https://a.openai.azure.com/openai/v1", "a.openai.azure.com"),
    ],
)
def test_the_host_is_told_with_what_it_means(endpoint: str, place: str) -> None:
    (receiver,) = photo_receivers(settings(endpoint))
    assert receiver.text == f"Photos are sent to {place} (for vision, ocr, questions)."


def test_local_engines_send_no_photos_even_with_a_servers_address_set() -> None:
    assert photo_receivers(settings(VISION_ENGINE="local")) == []
    assert Runtime(settings(VISION_ENGINE="local")).photo_receivers == []


def test_each_account_is_told_once_with_all_its_engines() -> None:
    mixed = settings(
        OCR_ENGINE="azure",
        VISION_ENDPOINT="https://v",
        FACE_ENGINE="azure",
        FACE_ENDPOINT="https://f",
    )
    told = [(receiver.host, receiver.engines) for receiver in photo_receivers(mixed)]
    assert told == [
        ("10.0.0.8:8080", ("vision", "questions")),
        ("v", ("ocr",)),
        ("f", ("faces", "prints")),
    ]
    notes = with_receivers({"ocr": "it ends"}, mixed)
    assert notes["ocr"] == "it ends. Photos are sent to v."
    assert notes["vision"] == "Photos are sent to 10.0.0.8:8080, not encrypted."


def test_the_start_says_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "imaginem.config"):
        log_receivers(settings())
    assert "Photos are sent to 10.0.0.8:8080" in caplog.text


def test_the_page_that_sends_photos_says_it() -> None:
    services = web_services()
    told = "Photos are sent to 10.0.0.8:8080, not encrypted (for vision)."
    assert "Photos are sent" not in client(services).get("/upload").text
    services.photo_receivers = [told]
    assert f'<p role="note">{told}</p>' in client(services).get("/upload").text


def test_lines_without_places_are_shown_and_nothing_seems_to_be_marked() -> None:
    services = web_services()
    line = {"text": "<b>Anna</b>", "confidence": 0, "polygon": []}
    keep(services, ("b", "one"), {"ocr": {"full_text": "Anna", "lines": [line]}})
    marked = client(services).get("/photos/b/one").text
    outputs = {"ocr": {"full_text": "Anna", "lines": [line], "without_places": True}}
    keep(services, ("b", "two"), outputs)
    page = client(services).get("/photos/b/two?text=Anna").text

    assert 'data-for="line-1"' in marked
    assert '<span dir="auto">&lt;b&gt;Anna&lt;/b&gt;</span>' in page
    assert "does not tell where it stands" in page
    assert 'data-for="line-1"' not in page
    assert "Words (?)" in page


def test_the_doctor_asks_an_engine_that_can_tell_whether_its_server_answers() -> None:
    class Silent:
        name = "silent"

        def probe(self) -> None:
            raise RetryableError("nobody answers: start it")

    services = MemoryServices(vision=Silent())
    problems = {found.name: found.problem for found in examine(engine_checks(services))}
    assert problems["vision"] == "nobody answers: start it"
    assert problems["ocr"] == ""


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"OPENAI_ENDPOINT": ""}, "OPENAI_ENDPOINT is empty: give the server's address"),
        ({"OPENAI_MODEL": ""}, "OPENAI_MODEL is empty: name a model that takes pictures"),
        ({"OPENAI_IDENTITY": "on"}, "OPENAI_ENDPOINT is http, over which no identity's token"),
        ({"OPENAI_IDENTITY": "on", "OPENAI_API_KEY": "k"}, "leave out one of them"),
        ({"OPENAI_ENDPOINT": "http://user:word@host"}, "OPENAI_ENDPOINT can't be used"),
        ({"OPENAI_PROMPTS": "/no/such/folder"}, "give the path of a folder with prompts"),
        ({"OPENAI_TIMEOUT": "900"}, "give seconds, from 1 to 300"),
    ],
)
def test_settings_that_can_not_serve_are_told_at_the_start(more: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as raised:
        settings(**{"endpoint": more.pop("OPENAI_ENDPOINT", "http://10.0.0.8"), **more})
    assert "word" not in str(raised.value)
