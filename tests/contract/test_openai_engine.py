"""The engine behind OpenAI-compatible servers, against a server that refuses as real ones do."""

import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from imaginem.ai_emulator import AiEmulator, AiEmulatorServer
from imaginem.ai_emulator.chat import MODEL, ChatEmulator
from imaginem.ai_emulator.chat_refusals import (
    ChatRefusal,
    ServerKind,
    filtered,
    loading,
    over_limit,
    refusal,
)
from imaginem.config.settings import read_settings
from imaginem.engines.openai.connection import ANSWER_LIMIT, api_address
from imaginem.engines.openai.prompts import prompt
from imaginem.errors import Busy, ConfigurationError, PermanentError, RetryableError
from imaginem.images.decoding import Photo, decode_photo
from imaginem.outputs import ImageAnalysis, Tag
from imaginem.ports import CallContext
from imaginem.runtime import Runtime
from imaginem.telemetry.silent import SilentTelemetry
from imaginem.testing import MemorySharedState, photo_bytes
from tests.ai_emulator import KEY, ColorEngines

CALL = CallContext("b", "one", "generalclassification")
SERVERS: tuple[ServerKind, ...] = ("llama-server", "vllm", "ollama", "azure")


class Metrics:
    """Telemetry that keeps what was counted."""

    def __init__(self) -> None:
        self.counted: dict[tuple[str, str], float] = {}

    def count(self, name: str, amount: float = 1, **attributes: str) -> None:
        key = (name, attributes.get("direction") or attributes.get("outcome", ""))
        self.counted[key] = self.counted.get(key, 0) + amount


class Bench:
    """A server, and an app whose engines ask it."""

    def __init__(self) -> None:
        self.engines: Any = ColorEngines()
        self.server = AiEmulatorServer(AiEmulator(self.engines))
        self.server.start()

    @property
    def chat(self) -> ChatEmulator:
        return self.server.ai_emulator.chat

    def runtime(self, **more: str) -> Runtime:
        settings = {
            "VISION_ENGINE": "openai",
            "OPENAI_ENDPOINT": self.server.address,
            "OPENAI_API_KEY": KEY,
            "OPENAI_MODEL": MODEL,
            "OPENAI_CALLS_PER_SECOND": "0",
            "IMAGINEM_ASSETS": "/nowhere",  # so that the local engine adds nothing
            **more,
        }
        runtime = Runtime(read_settings(settings))
        runtime.made["shared_state"] = MemorySharedState()
        return runtime


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.server.stop()


def photo(width: int = 640, height: int = 480, format_name: str = "JPEG") -> Photo:
    return decode_photo(photo_bytes(width, height, "teal", format_name))


def answer(**fields: Any) -> str:
    return json.dumps(fields)


CAT = answer(caption="A cat.", tags=[{"name": "cat", "confidence": 0.9}])


def test_a_photo_is_described_and_what_nobody_looked_for_is_told(bench: Bench) -> None:
    bench.engines.more_tags = [Tag(name="naked", confidence=0.9)]
    found = bench.runtime().vision.analyze(photo(), CALL)

    assert [(tag.name, tag.confidence) for tag in found.tags] == [("photo", 0.9), ("dog", 0.7)]
    assert found.description.captions[0].text == "A photo."
    assert found.not_looked_for == ["objects", "color", "image_type"]
    assert (found.metadata.width, found.model_version) == (640, MODEL)
    assert found.adult.adult_score == 0.0


def test_text_has_scripts_of_its_own_letters_and_no_places(bench: Bench) -> None:
    bench.chat.next.append((answer(lines=["Анна Ковалёва", "  ", "Tel. \u202e123\x07"]), "stop"))
    found = bench.runtime().ocr.read(photo(), CALL)

    assert found.full_text == "Анна Ковалёва\nTel. 123"
    assert [(line.script, line.language) for line in found.lines] == [
        ("Cyrl", "ru"),
        ("Latn", "und-Latn"),
    ]
    assert found.without_places is True
    assert [line.polygon for line in found.lines] == [[], []]


def test_nothing_but_scaled_pixels_leaves_the_machine(bench: Bench) -> None:
    exif = Image.Exif()
    exif[0x010E] = "SECRET-DESCRIPTION"
    exif.get_ifd(0x8825)[1] = "N"
    file = io.BytesIO()
    Image.new("RGB", (3000, 1000), "teal").save(file, "JPEG", exif=exif, comment=b"SECRET-COMMENT")

    bench.runtime(OPENAI_MAX_SIDE="1500").vision.analyze(decode_photo(file.getvalue()), CALL)
    bench.runtime().vision.analyze(decode_photo(file.getvalue()), CALL)

    for sent in bench.chat.photos:
        assert b"SECRET" not in sent
        with Image.open(io.BytesIO(sent)) as opened:
            assert not opened.getexif()
            assert max(opened.size) in (1500, 2048)


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        (set(), ["json_schema", "json_object", None]),
        ({"json_object"}, ["json_schema", "json_object"]),
        ({"json_schema"}, ["json_schema"]),
    ],
)
def test_what_a_server_does_not_know_is_left_out_from_then_on(
    bench: Bench, known: set[str], asked: list[str | None]
) -> None:
    bench.chat.formats = known
    engine = bench.runtime().vision

    assert engine.analyze(photo(), CALL).tags
    formats = [(sent.get("response_format") or {}).get("type") for sent in bench.chat.requests]
    assert formats == asked
    engine.analyze(photo(), CALL)
    assert len(bench.chat.requests) == len(asked) + 1


def test_a_model_that_wants_other_options_gets_them(bench: Bench) -> None:
    wanted = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens'."
    bench.chat.next.append(refusal("azure", 400, wanted, param="max_tokens"))
    unsupported = "Unsupported value: 'temperature' does not support 0 with this model."
    bench.chat.next.append(refusal("azure", 400, unsupported, param="temperature"))
    bench.runtime().vision.analyze(photo(), CALL)

    (sent,) = bench.chat.requests
    assert sent["max_completion_tokens"] == 4000
    assert "max_tokens" not in sent
    assert "temperature" not in sent


@pytest.mark.parametrize(
    "content",
    [
        f"Here you are:\n```json\n{CAT}\n```\nAnything else?",
        f"<think>A {{cat}}, surely.</think>{CAT}",
        f" \n{CAT}",
    ],
)
def test_text_around_the_object_is_passed_over(bench: Bench, content: str) -> None:
    bench.chat.next.append((content, "stop"))
    found = bench.runtime().vision.analyze(photo(), CALL)

    assert [tag.name for tag in found.tags] == ["cat"]
    assert found.unanswered == ["categories", "adult"]


def test_an_answer_that_is_not_what_was_asked_for_may_be_mended_once(bench: Bench) -> None:
    bench.chat.next += [("A cat, I think.", "stop"), (CAT, "stop")]
    found = bench.runtime().vision.analyze(photo(), CALL)

    assert [tag.name for tag in found.tags] == ["cat"]
    assert "there is no JSON object in it" in bench.chat.requests[1]["messages"][0]

    guessed = answer(caption="A cat.", tags=[{"name": "cat", "confidence": "0.9"}])
    bench.chat.next += [("A cat.", "stop"), (guessed, "stop")]
    with pytest.raises(PermanentError, match=r"twice: tags\.0\.confidence: .*number"):
        bench.runtime().vision.analyze(photo(), CALL)
    assert not bench.chat.next


def test_words_of_an_answer_are_short_plain_and_counted(bench: Bench) -> None:
    wild = answer(
        caption="<script>alert(1)</script>\nx\u202e" + "y" * 2000,
        tags=[{"name": f"Tag {number}\x1b[31m", "confidence": 1e308} for number in range(100)],
        categories=[{"name": "people_", "confidence": 7}, {"name": "secrets", "confidence": 1}],
        adult=0.7,
        racy=-3,
        gore=0.2,
    )
    bench.chat.next.append((wild, "stop"))
    found = bench.runtime().vision.analyze(photo(), CALL)

    (caption,) = found.description.captions
    assert len(caption.text) == 500
    assert not any(sign in caption.text for sign in "\n\u202e")
    assert len(found.tags) == 30
    assert (found.tags[0].name, found.tags[0].confidence) == ("tag 0 [31m", 1.0)
    assert [(one.name, one.score) for one in found.categories] == [("people_", 1.0)]
    assert (found.adult.is_adult_content, found.adult.racy_score) == (True, 0.0)


@pytest.mark.parametrize(
    ("planned", "kind", "told"),
    [
        ((CAT, "length"), PermanentError, "cut off at 4000 tokens: raise OPENAI_MAX_TOKENS"),
        (("", "content_filter"), PermanentError, "filter of the model's deployment"),
        (filtered(), PermanentError, "filter of the model's deployment"),
        (ChatRefusal(413, {}), PermanentError, "lower OPENAI_MAX_SIDE"),
        (refusal("vllm", 400, "no such thing"), PermanentError, r"no such thing \(status 400\)"),
        (refusal("vllm", 418, "a teapot"), PermanentError, "a teapot"),
        (refusal("vllm", 401, f"not {KEY}"), RetryableError, r"not \*\*\*"),
        (refusal("vllm", 500, "CUDA error"), RetryableError, "CUDA error"),
        (RedirectResponse("http://127.0.0.1:9/v1"), RetryableError, "Redirects are not followed"),
        (Response("<html>", 200), RetryableError, "no usable answer"),
        (Response(b"x" * (ANSWER_LIMIT + 1), 200), RetryableError, "more than 4194304 bytes"),
        (Response("[" * 100_000, 200), RetryableError, "no usable answer"),
        (JSONResponse({"error": "overloaded"}), RetryableError, "no choices"),
        (JSONResponse({"choices": [{"message": {"refusal": "I won't."}}]}), PermanentError,
         "the model refuses this photo: I won't."),
    ],
)  # fmt: skip
def test_each_refusal_is_the_photos_fault_or_the_servers(
    bench: Bench, planned: Any, kind: type[Exception], told: str
) -> None:
    bench.chat.next.append(planned)
    with pytest.raises(kind, match=told) as raised:
        bench.runtime().vision.analyze(photo(), CALL)
    assert type(raised.value).__mro__[1] is not Busy
    assert isinstance(raised.value, PermanentError) is (kind is PermanentError)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("server", SERVERS)
def test_each_servers_own_refusals_say_what_to_change(bench: Bench, server: ServerKind) -> None:
    bench.chat.server = server
    for change, told in (
        ({"OPENAI_API_KEY": "other"}, "Check OPENAI_API_KEY"),
        ({"OPENAI_MODEL": "other"}, "Check OPENAI_MODEL"),
    ):
        with pytest.raises(RetryableError, match=told):
            bench.runtime(**change).vision.analyze(photo(), CALL)
    bench.chat.context = 500
    with pytest.raises(PermanentError, match="lower OPENAI_MAX_SIDE"):
        bench.runtime().vision.analyze(photo(), CALL)
    bench.chat.sees = False
    with pytest.raises(RetryableError, match="The model takes no pictures"):
        bench.runtime().vision.analyze(photo(), CALL)


def test_a_server_without_room_is_left_alone_by_everybody(bench: Bench) -> None:
    runtime = bench.runtime(OPENAI_CALLS_PER_SECOND="100")
    bench.chat.next.append(over_limit("azure", 77))
    with pytest.raises(Busy, match="token rate limit") as raised:
        runtime.vision.analyze(photo(), CALL)
    assert raised.value.retry_after == 77
    other = bench.runtime(OPENAI_CALLS_PER_SECOND="100")
    other.made["shared_state"] = runtime.shared_state
    with pytest.raises(Busy, match="spoken for"):
        other.ocr.read(photo(), CALL)
    assert not bench.chat.requests

    bench.chat.next += [loading(), refusal("azure", 429, "quota", code="insufficient_quota")]
    waits = []
    for _ in range(2):
        with pytest.raises(Busy) as raised:
            bench.runtime().vision.analyze(photo(), CALL)
        waits.append(raised.value.retry_after)
    assert waits == [10.0, 3600.0]


def test_a_slow_answer_is_given_up_even_if_it_comes_byte_by_byte() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_drip, args=(listener,), daemon=True).start()
        settings = {
            "VISION_ENGINE": "openai",
            "OPENAI_ENDPOINT": f"http://127.0.0.1:{listener.getsockname()[1]}",
            "OPENAI_MODEL": MODEL,
            "OPENAI_TIMEOUT": "1",
            "OPENAI_CALLS_PER_SECOND": "0",
        }
        runtime = Runtime(read_settings(settings))
        runtime.made["shared_state"] = MemorySharedState()
        started = time.monotonic()
        with pytest.raises(RetryableError, match="no answer within 1 s"):
            runtime.vision.analyze(photo(), CALL)
        assert time.monotonic() - started < 3


def test_an_answer_without_an_end_is_given_up_by_its_size(bench: Bench) -> None:
    bench.chat.next.append(StreamingResponse(iter(lambda: b"x" * 65536, b"")))
    with pytest.raises(RetryableError, match="more than 4194304 bytes"):
        bench.runtime(OPENAI_TIMEOUT="10").vision.analyze(photo(), CALL)


def _drip(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(40):
            time.sleep(0.1)
            try:
                connection.sendall(b" ")
            except OSError:
                return


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ("http://127.0.0.1:9", "Check OPENAI_ENDPOINT and that the server runs"),
        ("http://no-such-host.invalid", "there is no host named|can't be looked up"),
    ],
)
def test_a_server_that_is_not_there_is_not_the_photos_fault(
    bench: Bench, endpoint: str, told: str
) -> None:
    with pytest.raises(RetryableError, match=told):
        bench.runtime(OPENAI_ENDPOINT=endpoint).vision.analyze(photo(), CALL)


def test_a_process_makes_no_more_calls_at_a_time_than_it_may(bench: Bench) -> None:
    slow = bench.engines.vision = Slow(bench.engines)
    runtime = bench.runtime(OPENAI_CALLS_AT_ONCE="2")
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(runtime.vision.analyze, photo(), CALL) for _ in range(6)]
        assert all(each.result().tags for each in asked)
    assert slow.most == 2


class Slow:
    """An engine that notes how many calls there are at a time."""

    def __init__(self, engines: ColorEngines) -> None:
        self._engines = engines
        self._lock = threading.Lock()
        self._now = self.most = 0

    def analyze(self, photo: Photo, call: CallContext) -> ImageAnalysis:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.05)
        with self._lock:
            self._now -= 1
        return self._engines.analyze(photo, call)


def test_tokens_are_counted_as_the_server_counts_them(bench: Bench) -> None:
    runtime = bench.runtime(OPENAI_PRICE_IN="2", OPENAI_PRICE_OUT="10")
    metrics = runtime.made["telemetry"] = _WithSpans()
    runtime.vision.analyze(photo(), CALL)
    runtime.ocr.read(photo(), CALL)

    told: list[float] = [bench.chat.tokens_in, bench.chat.tokens_out]
    counted = metrics.counted
    assert told == [counted["imaginem.tokens", "in"], counted["imaginem.tokens", "out"]]
    assert min(told) > 0
    assert counted["imaginem.calls", "ok"] == 2
    assert counted["imaginem.cost", ""] == pytest.approx((told[0] * 2 + told[1] * 10) / 1e6)


class _WithSpans(Metrics):
    """Spans of nothing, and what was counted."""

    def __init__(self) -> None:
        super().__init__()
        silent = SilentTelemetry()
        self.span, self.measure = silent.span, silent.measure


def test_the_operators_own_prompt_is_sent_and_names_the_engine(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "photo.txt").write_text('Only tents. {"caption": "", "tags": []} $5', "utf-8")
    ours, own = bench.runtime(), bench.runtime(OPENAI_PROMPTS=str(tmp_path))
    own.vision.analyze(photo(), CALL)

    assert bench.chat.requests[0]["messages"][0].startswith("Only tents.")
    assert ours.vision.name != own.vision.name
    assert ours.ocr.name == own.ocr.name
    assert own.engine_names["vision"] == own.vision.name

    (tmp_path / "photo.txt").write_bytes(b"\xff")
    prompt.cache_clear()
    with pytest.raises(ConfigurationError, match=r"photo\.txt can't be read as UTF-8"):
        _ = bench.runtime(OPENAI_PROMPTS=str(tmp_path)).vision


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"),
        ("http://host:11434/v1/", "http://host:11434/v1"),
        ("https://a.openai.azure.com", "https://a.openai.azure.com/openai/v1"),
        ("https://a.services.ai.azure.com/openai/v1", "https://a.services.ai.azure.com/openai/v1"),
        ("https://gateway/llm/v1/chat/completions", "https://gateway/llm/v1"),
    ],
)
def test_an_address_may_be_given_with_or_without_the_apis_path(endpoint: str, address: str) -> None:
    assert api_address(endpoint.rstrip("/")) == address


def test_a_check_sees_a_model_that_is_missing_blind_or_right(bench: Bench) -> None:
    bench.runtime().vision.probe()  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match=f"The server lists: {MODEL}"):
        bench.runtime(OPENAI_MODEL="other").vision.probe()  # type: ignore[attr-defined]
    bench.chat.next.append((answer(left="green", right="white"), "stop"))
    with pytest.raises(ConfigurationError, match="says green and white"):
        bench.runtime().ocr.probe()  # type: ignore[attr-defined]


def test_a_question_is_answered_in_words_that_may_be_shown(bench: Bench) -> None:
    engine = bench.runtime().questions
    bench.chat.next += [
        (answer(answer="Two\u202e tents.", can_tell=True), "stop"),
        (answer(answer="A naked man.", can_tell=True), "stop"),
    ]
    told = engine.answer(photo(), " Is there\na tent? ", CALL)
    withheld = engine.answer(photo(), "What else?", CALL)

    assert (told.question, told.answer, told.can_tell) == ("Is there a tent?", "Two tents.", True)
    assert (told.withheld, told.model_version) == (None, MODEL)
    assert (withheld.answer, withheld.withheld) == ("", True)
    for question in ("", "\x00", "x" * 501):
        with pytest.raises(PermanentError, match="ask with 1 to 500"):
            engine.answer(photo(), question, CALL)
    assert len(bench.chat.requests) == 2


def test_without_an_engine_for_questions_a_step_is_told_which_setting_is_missing() -> None:
    runtime = Runtime(read_settings({"VISION_ENGINE": "local"}))
    with pytest.raises(PermanentError, match="set QUESTION_ENGINE"):
        runtime.questions.answer(photo(), "Is there a tent?", CALL)


def test_an_own_prompt_without_a_place_for_the_question_is_refused(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "question.txt").write_text("Any tents?", "utf-8")
    with pytest.raises(ConfigurationError, match=r"question\.txt lacks \$question"):
        _ = bench.runtime(OPENAI_PROMPTS=str(tmp_path)).questions
