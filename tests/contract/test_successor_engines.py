"""Document Intelligence and Content Understanding through the real SDKs, against the emulator."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest
from PIL import Image

from imaginem.ai_emulator import AiEmulator, AiEmulatorOptions, AiEmulatorServer
from imaginem.ai_emulator.refusals import Refusal
from imaginem.config.settings import Settings, read_settings
from imaginem.engines.azure.calls import Service, ServiceRefused
from imaginem.engines.azure.content_client import OwnAnalyzer, content_client
from imaginem.engines.azure.content_understanding import ContentVision
from imaginem.engines.azure.document_intelligence import DocumentOcr, read_client
from imaginem.engines.azure.operations import Operations
from imaginem.engines.pacing import Pacer
from imaginem.engines.supplement import Supplement, local_supplement
from imaginem.errors import Busy, PermanentError, RetryableError
from imaginem.images.decoding import Photo, decode_photo
from imaginem.outputs import ImageAnalysis, PhotoMetadata, Tag
from imaginem.ports import CallContext
from imaginem.telemetry.silent import SilentTelemetry
from imaginem.testing import MemorySharedState, photo_bytes
from tests.ai_emulator import KEY, ColorEngines

CALL = CallContext("b", "one", "ocr")
OTHER = CallContext("b", "two", "ocr")


class Time:
    """A clock that a wait moves on; real time passes only as far as the emulator needs it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.speed = 1
        self.waited: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds * self.speed
        self.waited.append(seconds)
        time.sleep(0.005)


class Bench:
    """An emulator, and engines that call it; each is an instance of the app of its own."""

    def __init__(self, options: AiEmulatorOptions | None = None) -> None:
        self.engines = ColorEngines()
        self.ai_emulator = AiEmulator(self.engines, options)
        self.server = AiEmulatorServer(self.ai_emulator)
        self.server.start()
        self.shared_state = MemorySharedState()
        self.time = Time()

    def settings(self, **more: str) -> Settings:
        accounts = ("DOCUMENTINTELLIGENCE", "CONTENTUNDERSTANDING")
        asked = {f"{name}_ENDPOINT": self.server.address for name in accounts}
        keys = {f"{name}_API_KEY": KEY for name in accounts}
        return read_settings({**asked, **keys, **more})

    def service(self, name: str) -> Service:
        return Service(name, Pacer(self.shared_state, name, 0), SilentTelemetry())

    def operations(self, service: Service) -> Operations:
        return Operations(
            service,
            service,
            self.shared_state,
            clock=self.time.clock,
            sleep=self.time.sleep,
            now=self.time.clock,
        )

    def ocr(self, **more: str) -> DocumentOcr:
        settings = self.settings(**more).documentintelligence
        operations = self.operations(self.service("documentintelligence"))
        return DocumentOcr(read_client(settings, _none), operations, tier=settings.tier)

    def vision(self, supplement: Supplement | None = None, **more: str) -> ContentVision:
        settings = self.settings(**more).contentunderstanding
        service = self.service("contentunderstanding")
        client = content_client(settings, _none)
        analyzer = OwnAnalyzer(
            client, service, settings.model, clock=self.time.clock, sleep=self.time.sleep
        )
        return ContentVision(client, self.operations(service), analyzer, supplement)

    def asked(self, method: str, part: str) -> list[str]:
        requests = self.ai_emulator.requests
        return [one for one in requests if one.startswith(method) and part in one]


def _none() -> NoReturn:
    raise AssertionError("no identity is asked while there is a key")


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.server.stop()


def give_up(bench: Bench, engine: str = "ocr", call: CallContext = CALL) -> None:
    """Begin an operation that takes too long, and let it end after that."""
    held = (bench.ai_emulator.documents, bench.ai_emulator.contents)
    for service in held:
        service.operations.held.set()
    bench.time.speed = 30
    with pytest.raises(RetryableError, match="no result within 90 s"):
        look(bench, engine, call)
    bench.time.speed = 1
    for service in held:
        service.operations.held.clear()


def photo(width: int = 300, height: int = 200) -> Photo:
    return decode_photo(photo_bytes(width, height))


def large_photo() -> Photo:
    out = io.BytesIO()
    Image.effect_noise((3200, 2400), 90).convert("RGB").save(out, "JPEG", quality=95)
    return decode_photo(out.getvalue())


class TestReading:
    def test_words_come_back_into_their_lines_in_the_photos_pixels(self, bench: Bench) -> None:
        text = bench.ocr().read(photo(), CALL)

        assert text.full_text == "two words"
        assert text.language == "en"
        assert [word.text for word in text.lines[0].words] == ["two", "words"]
        assert text.lines[0].words[1].polygon == [150, 0, 300, 0, 300, 20, 150, 20]
        assert text.lines[0].confidence == pytest.approx(0.7)

    def test_version_and_features_are_pinned(self, bench: Bench) -> None:
        bench.ocr().read(photo(), CALL)
        (begun,) = bench.asked("POST", ":analyze")
        assert begun.startswith("POST /documentintelligence/documentModels/prebuilt-read:analyze?")
        for part in ("api-version=2024-11-30", "features=languages", "unicodeCodePoint"):
            assert part in begun

    def test_the_free_tier_gets_smaller_files_than_a_paid_one(self, bench: Bench) -> None:
        seen = large_photo()
        bench.ocr().read(seen, CALL)
        bench.ai_emulator.documents.free = True
        with pytest.raises(RetryableError, match="set DOCUMENTINTELLIGENCE_TIER=F0"):
            bench.ocr().read(seen, OTHER)
        text = bench.ocr(DOCUMENTINTELLIGENCE_TIER="f0").read(seen, OTHER)

        paid, free = bench.engines.looked_at
        assert paid[0] == 3200 > free[0]
        assert text.lines[0].polygon[2] == pytest.approx(3200, abs=4)

    def test_a_reading_that_fails_for_good_is_not_tried_again(self, bench: Bench) -> None:
        bench.engines.read = refusing("InvalidContent")  # type: ignore[method-assign]
        with pytest.raises(PermanentError, match="InvalidContent"):
            bench.ocr().read(photo(), CALL)

    def test_a_reading_that_fails_at_the_service_is_tried_again(self, bench: Bench) -> None:
        bench.engines.read = broken  # type: ignore[method-assign,assignment]
        with pytest.raises(RetryableError, match="InternalServerError"):
            bench.ocr().read(photo(), CALL)


class TestPaying:
    """What was begun is paid for; whoever gives up waiting leaves it to the next delivery."""

    def test_a_redelivery_goes_on_waiting_and_pays_nothing(self, bench: Bench) -> None:
        give_up(bench)
        assert bench.ocr().read(photo(), CALL).full_text == "two words"
        assert len(bench.asked("POST", ":analyze")) == 1

    def test_what_has_ended_is_begun_anew_when_a_job_runs_again(self, bench: Bench) -> None:
        give_up(bench)
        for _ in range(2):
            bench.ocr().read(photo(), CALL)
        assert len(bench.asked("POST", ":analyze")) == 2

    @pytest.mark.parametrize("call", [OTHER, CallContext("b", "one", "another")])
    def test_another_job_or_step_never_gets_what_was_kept(
        self, bench: Bench, call: CallContext
    ) -> None:
        give_up(bench)
        bench.ocr().read(photo(), call)
        assert len(bench.asked("POST", ":analyze")) == 2

    def test_what_the_service_has_forgotten_is_begun_anew(self, bench: Bench) -> None:
        give_up(bench)
        bench.ai_emulator.documents.operations.forget()
        assert bench.ocr().read(photo(), CALL).full_text == "two words"
        assert len(bench.asked("POST", ":analyze")) == 2

    def test_a_kept_id_that_the_service_refuses_is_begun_anew(self, bench: Bench) -> None:
        give_up(bench)
        operations = bench.ai_emulator.documents.operations
        (kept,) = operations.numbers()
        state = operations.state

        def refusing_kept(number: str) -> tuple[datetime, str, dict[str, Any]]:
            if number == kept:  # of another account, or written by hand
                raise Refusal(400, "InvalidRequest", "Invalid operation id.")
            return state(number)

        operations.state = refusing_kept  # type: ignore[method-assign]
        before = len(bench.asked("GET", kept))
        for _ in range(2):
            assert bench.ocr().read(photo(), CALL).full_text == "two words"
        assert len(bench.asked("POST", ":analyze")) == 3
        assert len(bench.asked("GET", kept)) == before + 1

    def test_nobody_asks_for_what_is_a_day_old(self, bench: Bench) -> None:
        give_up(bench)
        (begun,) = bench.ai_emulator.documents.operations.numbers()
        bench.time.now += 21 * 3600
        before = len(bench.asked("GET", begun))
        bench.ocr().read(photo(), CALL)
        assert len(bench.asked("GET", begun)) == before

    def test_a_refused_question_loses_nothing(self, bench: Bench) -> None:
        quota = bench.ai_emulator.results["documentintelligence"]
        waits = [3, 0]
        quota.admit = lambda: waits.pop(0) if waits else 0  # type: ignore[method-assign]
        assert bench.ocr().read(photo(), CALL).full_text == "two words"
        assert len(bench.asked("POST", ":analyze")) == 1
        assert 3 in bench.time.waited

    def test_an_analysis_is_not_paid_twice_either(self, bench: Bench) -> None:
        give_up(bench, "vision")
        assert bench.vision().analyze(photo(), CALL).tags
        assert len(bench.asked("POST", ":analyzeBinary")) == 1

    def test_words_for_underwear_are_left_out_of_an_answer(self, bench: Bench) -> None:
        bench.engines.more_tags = [Tag(name="lingerie", confidence=0.6)]
        analysis = bench.vision().analyze(photo(), CALL)
        assert [tag.name for tag in analysis.tags] == ["photo", "dog"]
        assert "lingerie" not in analysis.description.tags


class TestRefusals:
    @pytest.mark.parametrize("engine", ["ocr", "vision"])
    def test_a_wrong_key_names_the_settings(self, bench: Bench, engine: str) -> None:
        keys = dict.fromkeys(
            ("DOCUMENTINTELLIGENCE_API_KEY", "CONTENTUNDERSTANDING_API_KEY"), "wrong-and-secret"
        )
        with pytest.raises(RetryableError, match=r"(?s)_API_KEY.*Cognitive Services User") as told:
            look(bench, engine, CALL, **keys)
        assert "wrong-and-secret" not in str(told.value)
        assert ("DOCUMENTINTELLIGENCE" if engine == "ocr" else "CONTENTUNDERSTANDING") in str(
            told.value
        )

    @pytest.mark.parametrize("engine", ["ocr", "vision"])
    def test_a_quota_that_is_used_up_lets_the_message_wait(self, bench: Bench, engine: str) -> None:
        for name, quota in bench.ai_emulator.quotas.items():
            if name not in ("vision", "face"):
                quota.admit = lambda: 7  # type: ignore[method-assign]
        with pytest.raises(Busy) as told:
            look(bench, engine, CALL)
        assert told.value.retry_after == 7
        assert len(bench.ai_emulator.requests) == 1  # the SDK tries nothing again by itself

    def test_a_connection_that_breaks_is_not_tried_again_by_the_sdk(self, bench: Bench) -> None:
        taken = []
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def hang_up() -> None:
                while True:
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        return
                    taken.append(connection.recv(100))
                    connection.close()

            threading.Thread(target=hang_up, daemon=True).start()
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with pytest.raises(RetryableError, match="CONTENTUNDERSTANDING_ENDPOINT"):
                bench.vision(CONTENTUNDERSTANDING_ENDPOINT=address).analyze(photo(), CALL)
            assert len(taken) == 1
            listener.shutdown(socket.SHUT_RDWR)


class TestAnalyzer:
    def test_it_is_made_once_however_many_instances_begin_at_once(self, bench: Bench) -> None:
        barrier = threading.Barrier(6)

        def first_photo(number: int) -> ImageAnalysis:
            vision = bench.vision()
            barrier.wait()
            return vision.analyze(photo(300 + number, 200), CALL)

        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(first_photo, range(6)))
        assert [one.metadata.width for one in found] == list(range(300, 306))
        assert len(bench.ai_emulator.contents.analyzers) == 1

    def test_it_is_awaited_while_another_instance_makes_it(self, bench: Bench) -> None:
        bench.vision().analyze(photo(), CALL)
        (name,) = bench.ai_emulator.contents.analyzers
        bench.ai_emulator.contents.creating[name] = 3
        bench.vision().analyze(photo(301), CALL)
        assert len(bench.asked("PUT", "/analyzers/")) == 1

    def test_another_model_has_an_analyzer_of_its_own(self, bench: Bench) -> None:
        bench.ai_emulator.contents.deployments["gpt-6"] = "six"
        bench.vision().analyze(photo(), CALL)
        bench.vision(CONTENTUNDERSTANDING_MODEL="gpt-6").analyze(photo(), CALL)
        made = bench.ai_emulator.contents.analyzers.values()
        assert [one["models"]["completion"] for one in made] == ["gpt-5.2", "gpt-6"]

    def test_one_that_was_deleted_is_made_again_at_the_next_try(self, bench: Bench) -> None:
        vision = bench.vision()
        vision.analyze(photo(), CALL)
        bench.ai_emulator.contents.analyzers.clear()
        with pytest.raises((RetryableError, ServiceRefused)):
            vision.analyze(photo(301), CALL)
        assert vision.analyze(photo(301), CALL).tags

    def test_a_model_that_is_not_deployed_fails_no_photo_and_says_what_to_do(
        self, bench: Bench
    ) -> None:
        remedy = "Deploy the model that CONTENTUNDERSTANDING_MODEL names"
        with pytest.raises(RetryableError, match=remedy):
            bench.vision(CONTENTUNDERSTANDING_MODEL="gpt-7").analyze(photo(), CALL)
        bench.ai_emulator.contents.deployments.clear()
        bench.ai_emulator.contents.analyzers.clear()
        with pytest.raises(RetryableError, match=remedy):
            bench.vision().analyze(photo(), CALL)


class TestAnalysis:
    def test_what_nobody_looks_for_is_said(self, bench: Bench) -> None:
        found = bench.vision().analyze(photo(), CALL)

        assert [tag.name for tag in found.tags] == ["photo", "dog"]
        assert found.objects == []
        assert found.not_looked_for == ["objects", "color", "image_type"]
        assert found.unanswered == ["description", "adult"]
        assert ImageAnalysis.model_validate_json(found.model_dump_json()) == found

    def test_what_is_here_looks_for_it_instead(self, bench: Bench) -> None:
        def supplement(seen: Photo) -> ImageAnalysis:
            return (
                ColorEngines()
                .analyze(seen, CALL)
                .model_copy(
                    update={"tags": [], "metadata": PhotoMetadata(width=1, height=1, format="PNG")}
                )
            )

        found = bench.vision(supplement).analyze(photo(), CALL)

        assert [thing.object for thing in found.objects] == ["car"]
        assert found.color.dominant_colors == ["Teal"]
        assert [tag.name for tag in found.tags] == ["photo", "dog"]
        assert found.metadata.width == 300
        assert found.not_looked_for is None

    def test_without_weights_there_is_no_supplement(self, tmp_path: Path) -> None:
        assert local_supplement(read_settings({"IMAGINEM_ASSETS": str(tmp_path)})) is None
        assert local_supplement(read_settings({})) is not None

    def test_a_photo_that_the_models_filter_refuses_fails_and_says_why(self, bench: Bench) -> None:
        bench.engines.analyze = refusing("ContentFiltered")  # type: ignore[method-assign]
        with pytest.raises(PermanentError, match="guardrails annotate"):
            bench.vision().analyze(photo(), CALL)

    def test_no_address_and_no_name_leaves_the_house(self, bench: Bench) -> None:
        named = CallContext("families of X", "photo of Y", "generalclassification")
        bench.vision().analyze(photo(), named)
        bench.ocr().read(photo(), named)
        said = " ".join(bench.ai_emulator.requests)
        assert "families" not in said
        assert "photo%20of" not in said


def look(bench: Bench, engine: str, call: CallContext, **settings: str) -> object:
    if engine == "ocr":
        return bench.ocr(**settings).read(photo(), call)
    return bench.vision(None, **settings).analyze(photo(), call)


def refusing(code: str) -> Callable[..., NoReturn]:
    def refuse(*_: object) -> NoReturn:
        raise Refusal(400, "InvalidRequest", "It can't be done.", inner=code)

    return refuse


def broken(*_: object) -> NoReturn:
    raise RuntimeError("oops")
