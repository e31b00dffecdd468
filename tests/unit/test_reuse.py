"""Outputs of pure steps are taken from an earlier job of the same bytes, and from no other."""

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imaginem import JobContext, StepParameters, StepSettings, step
from imaginem.config.engine_state import state_of_engines
from imaginem.config.settings import read_settings
from imaginem.errors import RegistrationError, StorageUnavailable
from imaginem.memory.engines import FakeFaces, FakeOcr, FakeVision
from imaginem.pipeline.brought import installed_versions
from imaginem.pipeline.card_steps import classifier_step
from imaginem.pipeline.progress_row import read_row
from imaginem.pipeline.reuse import TOLD
from imaginem.pipeline.step_sources import sources_of
from imaginem.pipeline.steps import Registry, default_registry
from imaginem.ports import CoreSettings, Fusion, JobKey
from imaginem.ports.weights import Weights
from imaginem.testing import MemoryModels, MemoryServices, message_for, photo_bytes, run_all
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.erase import forget_job
from imaginem.usecases.forget_face import forget_face
from imaginem.usecases.jobs import view_job
from imaginem.usecases.rerun import prepare_rerun, rerun_job
from imaginem.usecases.submit import run_again, submit_photo
from tests.dashboard import PIPELINE
from tests.unit.test_model_cards import CLASSIFIER
from tests.workbench import Found

PURE = ("generalclassification", "ocr", "facedetection")
ONE, TWO = ("one", "a"), ("two", "b")
Asked = Callable[..., int]
"""Sends a photo to a card's step; returns how often the model was asked."""


class Engines:
    """Engines that count who asks them."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def of(self, engine: Any, method: str) -> Any:
        asked, calls = getattr(engine, method), self.calls

        def ask(*given: Any, **named: Any) -> Any:
            calls[method] += 1
            return asked(*given, **named)

        setattr(engine, method, ask)
        return engine


class House:
    """A whole Imaginem with reuse, and engines that count."""

    def __init__(self, reuse: str = "these engines", **settings: Any) -> None:
        chosen = CoreSettings(default_pipeline=PIPELINE, reuse=reuse, **settings)
        self.engines = Engines()
        self.services = MemoryServices(
            core_settings=chosen,
            vision=self.engines.of(FakeVision(), "analyze"),
            ocr=self.engines.of(FakeOcr(), "read"),
            faces=self.engines.of(FakeFaces(), "detect"),
        )
        self.registry = default_registry

    def send(
        self,
        key: JobKey,
        photo: bytes | None = None,
        pipeline: Sequence[str] = PIPELINE,
        **said: Any,
    ) -> None:
        submit_photo(self.services, key, "a.png", photo or photo_bytes(), pipeline, **said)
        run_all(self.services, self.registry)

    def calls(self) -> int:
        """Return how many calls there were since this was asked last."""
        count = self.engines.calls.total()
        self.engines.calls.clear()
        return count

    def output(self, key: JobKey, name: str) -> Any:
        result = self.services.results.read(key)
        assert result is not None
        return result.job_output[name]


@pytest.fixture
def house() -> House:
    """One job has ended."""
    made = House()
    made.send(ONE)
    assert made.calls() == 3
    return made


class TestTheSamePhoto:
    def test_of_another_job_makes_no_call(self, house: House) -> None:
        house.send(TWO)
        assert house.calls() == 0
        for name in ("generalclassification", "ocr"):
            assert house.output(TWO, name) == house.output(ONE, name)
        row = read_row(house.services.log, TWO)
        assert row is not None
        assert (row.job_state, tuple(row.reused)) == ("succeeded", PURE)

    def test_in_steps_with_deliveries_of_their_own_makes_none_either(self) -> None:
        house = House(fusion=Fusion())
        house.send(ONE)
        house.send(TWO)
        assert house.calls() == 3

    def test_says_that_it_was_reused(self, house: House) -> None:
        house.send(TWO)
        seen = view_job(house.services, TWO, EVERYTHING)
        assert {each.name for each in seen.steps if each.reason == TOLD} == set(PURE)
        assert view_job(house.services, ONE, EVERYTHING).steps[0].reason == ""

    def test_has_faces_with_ids_of_its_own(self, house: House) -> None:
        house.send(TWO)
        (here,) = house.output(TWO, "facedetection")["faces"]
        (there,) = house.output(ONE, "facedetection")["faces"]
        assert here["face_id"] != there["face_id"]
        assert {**here, "face_id": ""} == {**there, "face_id": ""}
        fresh = House(reuse="")
        fresh.send(TWO)
        assert house.output(TWO, "facedetection") == fresh.output(TWO, "facedetection")

    def test_can_be_reused_of_a_job_that_has_reused_it(self, house: House) -> None:
        house.send(TWO)
        forget_job(house.services, ONE)
        house.send(("three", "c"))
        assert house.calls() == 0


class TestNothingIsReused:
    def test_where_the_setting_is_off(self) -> None:
        house = House(reuse="")
        house.send(ONE)
        house.send(TWO)
        assert house.calls() == 6

    def test_for_another_photo(self, house: House) -> None:
        house.send(TWO, photo_bytes(color="red"))
        assert house.calls() == 3

    def test_of_another_group(self, house: House) -> None:
        house.services.batches.open_batch("two", "blue")
        house.send(TWO)
        assert house.calls() == 3
        house.services.batches.open_batch("three", "blue")
        house.send(("three", "c"))
        assert house.calls() == 0

    def test_after_the_job_was_erased(self, house: House) -> None:
        forget_job(house.services, ONE)
        house.send(TWO)
        assert house.calls() == 3

    def test_after_a_face_was_erased_from_the_photo(self, house: House) -> None:
        (face,) = house.output(ONE, "facedetection")["faces"]
        forget_face(house.services, uuid.UUID(face["face_id"]), EVERYTHING, ONE)
        house.send(TWO)
        assert house.calls() == 3
        assert house.output(TWO, "facedetection")["faces"] == []
        house.send(("three", "c"))
        assert house.calls() == 1  # faces are looked for each time from now on
        assert house.output(("three", "c"), "facedetection")["faces"] == []

    def test_of_other_engines_or_settings(self, house: House) -> None:
        house.services.core_settings = replace(house.services.core_settings, reuse="others")
        house.send(TWO)
        assert house.calls() == 3

    def test_when_somebody_runs_a_job_again(self, house: House) -> None:
        rerun_job(house.services, ONE, prepare_rerun(house.services, "one", "ocr", {}))
        run_all(house.services, house.registry)
        assert house.calls() == 2
        run_again(house.services, ONE)
        run_all(house.services, house.registry)
        assert house.calls() == 3

    def test_of_a_job_without_a_result(self) -> None:
        house = House()
        house.send(ONE, pipeline=("generalclassification", "ocr"))
        house.send(TWO, pipeline=("generalclassification", "ocr"))
        assert house.calls() == 4

    def test_of_an_output_that_came_with_a_message(self, house: House) -> None:
        """Whoever may write to a queue can make up an output, but no key of it."""
        house.services.database.results.clear()
        made_up = {"full_text": "made up", "lines": []}
        forged = message_with(ONE, {"ocr": made_up}, house)
        house.services.queues.send("facedetection", forged)
        run_all(house.services, house.registry)
        assert house.output(ONE, "ocr") == made_up
        house.send(TWO)
        assert house.output(TWO, "ocr")["full_text"] != "made up"

    def test_of_an_output_in_a_message_that_claims_to_be_in_the_middle(self, house: House) -> None:
        """A run and a fence can be made up; what an output was made of needs our seal."""
        house.services.database.results.clear()
        made_of = RecordedMade(house)
        house.send(("real", "x"))
        house.services.database.results.clear()
        made_up = {"full_text": "made up", "lines": []}
        forged = json.loads(message_with(ONE, {"ocr": made_up}, house))
        forged["job_definition"]["_imaginem"] = {
            "run": "nobody",
            "fence": "made-up",
            "made": {"ocr": made_of.made["ocr"]},
            "seals": {"ocr": "0" * 64},
        }
        house.services.queues.send("facedetection", json.dumps(forged))
        run_all(house.services, house.registry)
        assert house.output(ONE, "ocr") == made_up
        house.send(TWO)
        assert house.output(TWO, "ocr")["full_text"] != "made up"

    def test_of_an_output_that_was_changed_on_its_way(self) -> None:
        house = House(fusion=Fusion())
        changed = {"full_text": "made up", "lines": []}
        change_on_the_way(house, "ocr", changed)
        house.send(ONE)
        assert house.output(ONE, "ocr") == changed
        house.send(TWO)
        assert house.calls() == 4  # what nobody has changed is reused


def test_a_database_that_is_away_costs_a_call_and_no_try(house: House) -> None:
    def away(*given: Any) -> Any:
        raise StorageUnavailable("away")

    house.services.results.reusable = away  # type: ignore[method-assign, assignment]
    house.send(TWO)
    assert house.calls() == 3
    row = read_row(house.services.log, TWO)
    assert row is not None
    assert row.job_state == "succeeded"


def test_an_output_of_an_older_form_is_made_again(house: House) -> None:
    (key, result), *_ = house.services.database.results.items()
    broken = {**result.job_output, "ocr": {"lines": "none"}}
    house.services.database.results[key] = replace(result, job_output=broken)
    house.send(TWO)
    assert house.calls() == 1


def test_an_output_with_nan_of_an_earlier_version_is_made_again(house: House) -> None:
    (key, result), *_ = house.services.database.results.items()
    line = {"text": "a", "confidence": float("nan"), "polygon": [], "words": []}
    broken = {**result.job_output, "ocr": {"full_text": "a", "lines": [line]}}
    house.services.database.results[key] = replace(result, job_output=broken)
    house.send(TWO)
    assert house.calls() == 1


class Limits(StepSettings):
    limit: int = 1


class Said(StepParameters):
    limit: int = 1


class TestAStepOfOnesOwn:
    @pytest.fixture
    def own(self) -> House:
        house = House()
        registry = house.registry = Registry()
        ran = house.engines.calls

        @step(registry=registry)
        def before(job: JobContext) -> Found:
            return Found(what=str(job.image_parameters.get("size")))

        @step(registry=registry, pure=True, requires=(before,), settings=Limits, parameters=Said)
        def counted(job: JobContext) -> Found:
            ran["counted"] += 1
            return Found(what=f"{job.settings(Limits).limit} {job.parameters(Said).limit}")

        registry.add(default_registry.get("pipelineoutput"))
        return house

    def send(self, house: House, number: int, **said: Any) -> int:
        """Send the photo once more; return how often the step ran."""
        house.send((f"batch {number}", "a"), None, ("before", "counted", "pipelineoutput"), **said)
        return house.calls()

    def test_runs_once_for_each_of_what_it_depends_on(self, own: House) -> None:
        assert [self.send(own, number) for number in range(3)] == [1, 0, 0]
        said = {"step_parameters": {"counted": {"limit": 5}}}
        assert [self.send(own, number, **said) for number in (3, 4)] == [1, 0]
        own.services.environment = {"COUNTED_LIMIT": "7"}
        assert [self.send(own, number) for number in (5, 6)] == [1, 0]
        assert own.output(("batch 6", "a"), "counted") == {"what": "7 1"}

    def test_runs_again_when_its_file_was_changed(
        self, own: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert [self.send(own, number) for number in (1, 2)] == [1, 0]
        changed = tmp_path / "counted.py"
        changed.write_text("another")
        monkeypatch.setattr(type(own.registry.get("counted")), "file", str(changed))
        assert [self.send(own, number) for number in (3, 4)] == [1, 0]

    @pytest.mark.parametrize(
        "line",
        [
            "from steps.helping.edges import strength",
            "import steps.helping.edges as edges",
            "from steps.helping import edges",
            "def look():\n    from .helping.edges import strength",
            "from . import helping",
            "from steps.other import anything",
        ],
    )
    def test_runs_again_when_a_module_that_it_imports_was_changed(
        self, own: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
    ) -> None:
        files = {
            "steps/counted.py": line,
            "steps/helping/edges.py": "from imaginem import step\nimport numpy",
            "steps/helping/__init__.py": "from steps.helping import edges",
            "steps/other.py": "from .helping.edges import strength",
            "steps/__init__.py": "",
            "steps/stranger.py": "",
        }
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        counted = own.registry.get("counted")
        monkeypatch.setattr(type(counted), "file", str(tmp_path / "steps/counted.py"))
        assert [self.send(own, number) for number in (1, 2)] == [1, 0]

        for number, (name, again) in enumerate({"stranger": 0, "helping/edges": 1}.items(), 3):
            (tmp_path / f"steps/{name}.py").write_text("changed = 1")
            sources_of.cache_clear()  # as in the process that starts then
            assert self.send(own, number) == again

    def test_runs_again_with_another_version_of_a_package(
        self, own: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own.registry.get("counted").requirements = ("numpy",)
        assert [self.send(own, number) for number in (1, 2)] == [1, 0]
        installed_versions.cache_clear()
        monkeypatch.setattr("imaginem.pipeline.brought.version", lambda name: "99")
        assert [self.send(own, number) for number in (3, 4)] == [1, 0]
        installed_versions.cache_clear()

    def test_runs_again_with_other_weights(self, own: House) -> None:
        assert [self.send(own, number) for number in (1, 2)] == [1, 0]
        net = Path(__file__)
        sha256 = hashlib.sha256(net.read_bytes()).hexdigest()
        own.registry.get("counted").weights = (
            Weights(file=str(net), sha256=sha256, licence="MIT"),
        )
        assert [self.send(own, number) for number in (3, 4)] == [1, 0]

    def test_is_not_reused_if_nobody_can_tell_what_it_is_made_of(
        self, own: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(type(own.registry.get("counted")), "file", "")
        assert [self.send(own, number) for number in (1, 2)] == [1, 1]


class TestAStepOfAModelCard:
    @pytest.fixture
    def asked(self, tmp_path: Path) -> Asked:
        """A step of a card, and what sends photos to it."""
        house = House()
        house.services.models = house.engines.of(MemoryModels(), "tags")

        def ask(number: int, photo: bytes | None = None, **change: Any) -> int:
            house.registry = Registry()
            (tmp_path / "tents.json").write_text(json.dumps({**CLASSIFIER, **change}), "utf-8")
            classifier_step(str(tmp_path / "tents.py"), registry=house.registry)
            house.registry.add(default_registry.get("pipelineoutput"))
            house.send((f"batch {number}", "a"), photo, ("tents", "pipelineoutput"))
            return house.calls()

        return ask

    def test_runs_once_for_a_photo(self, asked: Asked) -> None:
        assert [asked(number) for number in range(3)] == [1, 0, 0]
        assert asked(3, photo_bytes(color="red")) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"threshold": 0.6},
            {"labels": ["tent", "barn"]},
            {"input": {**CLASSIFIER["input"], "resize": "crop"}},
            {"model": {**CLASSIFIER["model"], "sha256": "cd" * 32}},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_runs_again_with_another_card_or_model(
        self, asked: Asked, change: dict[str, Any]
    ) -> None:
        assert [asked(1), asked(2, **change), asked(3, **change), asked(4)] == [1, 1, 0, 0]


def test_what_a_step_declares_wrongly_is_told() -> None:
    def some(job: JobContext) -> Found:
        return Found(what="")

    with pytest.raises(RegistrationError, match="`adopt` is for a step that is `pure=True`"):
        step(registry=Registry(), adopt=lambda job, found: found)(some)
    with pytest.raises(RegistrationError, match="`made_with` is for a step that is `pure=True`"):
        step(registry=Registry(), made_with="a prompt")(some)
    with pytest.raises(RegistrationError, match="finalizer, so it can't be pure"):
        step(registry=Registry(), pure=True, finalizer=True)(some)


class TestWhatStandsForTheEngines:
    def of(self, model: str = "a", **environment: str) -> str:
        storage = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
        return state_of_engines(read_settings(storage | environment), {"vision": model})

    def test_changes_with_what_they_are_and_with_their_settings(self) -> None:
        usual = self.of()
        assert usual == self.of() == self.of(PIPELINE_FUSION="off", RETENTION_DAYS_PHOTOS="3")
        others = {self.of(OCR_LANGUAGES="none"), self.of(LOCAL_RUNTIME="onnxruntime")}
        assert len(others | {usual}) == 3
        assert self.of("b") != usual

    def test_does_not_change_with_a_key(self) -> None:
        azure = {
            "VISION_ENGINE": "azure",
            "VISION_ENDPOINT": "https://a.cognitiveservices.azure.com",
        }
        assert self.of(**azure, VISION_API_KEY="one") == self.of(**azure, VISION_API_KEY="two")
        assert self.of(**azure) != self.of()


class RecordedMade:
    """Notes what results say that their outputs were made of."""

    def __init__(self, house: House) -> None:
        self.made: dict[str, str] = {}
        save = house.services.results.save

        def saving(result: Any, **named: Any) -> None:
            self.made |= result.made
            save(result, **named)

        house.services.results.save = saving  # type: ignore[method-assign]


def change_on_the_way(house: House, name: str, output: Any) -> None:
    """Change an output in each message that carries it between two steps, once."""
    send = house.services.queues.send

    def sending(queue: str, body: str, *, delay: float = 0) -> str:
        value = json.loads(body)
        if name in value["job_output"]:
            house.services.queues.send = send  # type: ignore[method-assign]
            value["job_output"][name] = output
        return send(queue, json.dumps(value), delay=delay)

    house.services.queues.send = sending  # type: ignore[method-assign]


def message_with(key: JobKey, outputs: dict[str, Any], house: House) -> str:
    """Return a message that begins at facedetection and says of its outputs what it likes."""
    url = house.services.blobs.put("inputimages", "one/photo", photo_bytes(), "image/png")
    message = message_for(
        url, PIPELINE, job_id=key[1], batch_id=key[0], step=PIPELINE.index("facedetection")
    )
    made = {"ocr": "a" * 64}
    return message.with_outputs(outputs).noting(made=made).encode()
