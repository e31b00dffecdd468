"""Settings: defaults, and every problem told at once."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import ValidationError

import steps  # noqa: F401 - registers them
from imaginem.config.local_settings import local_settings
from imaginem.config.sections.pipeline import DEFAULT_PIPELINE
from imaginem.config.settings import MAX_DEQUEUE_COUNT, Settings, choosing, read_settings
from imaginem.config.startup import check_start
from imaginem.errors import ConfigurationError
from imaginem.pipeline.means import setting_name
from imaginem.pipeline.steps import default_registry
from imaginem.ports import FACES, CoreSettings, FaceGrid, Fusion, RetentionDays
from infra.gates.app_settings import declared_settings

ROOT = Path(__file__).parents[2]


def test_nothing_set_means_a_laptop() -> None:
    settings = read_settings({})

    assert settings.storage_connection == "UseDevelopmentStorage=true"
    assert settings.pipeline[0] == "generalclassification"
    assert settings.vision_engine == settings.face_engine == settings.face_print_engine == "local"
    assert settings.match_threshold == 0.45


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as told:
        read_settings(
            {
                "VISION_ENGINE": "remote",
                "FACE_MATCH_THRESHOLD": "2",
                "MAX_ATTEMPTS": "none",
                "PIPELINE_DEFINITION": "ocr,ocr",
                "FACES_CONTAINER": "Faces!",
                "VISION_ENDPOINT": "no-address",
                "FACE_ENDPOINT": "http://127.0.0.1:7080",
                "FACE_CALLS_PER_SECOND": "fast",
                "FACE_LIST": "Mine!",
                "HTTP_ACCESS": "everybody",
                "AzureWebJobsStorage": "x",
                "AzureWebJobsStorage__accountName": "y",
            }
        )
    for name in (
        "VISION_ENGINE",
        "FACE_MATCH_THRESHOLD",
        "MAX_ATTEMPTS",
        "PIPELINE_DEFINITION",
        "FACES_CONTAINER",
        "VISION_ENDPOINT",
        "FACE_ENDPOINT is http",
        "FACE_CALLS_PER_SECOND",
        "FACE_LIST",
        "HTTP_ACCESS",
        "AzureWebJobsStorage__accountName",
    ):
        assert name in str(told.value)


def test_thresholds_must_be_in_order() -> None:
    with pytest.raises(ConfigurationError, match="above FACE_MATCH_THRESHOLD"):
        read_settings({"FACE_MATCH_THRESHOLD": "0.4", "FACE_POSSIBLE_THRESHOLD": "0.5"})
    assert read_settings({"FACE_MATCH_THRESHOLD": "0.3"}).possible_threshold == 0.3


class TestFaceGrid:
    AZURE: ClassVar = {"FACE_ENGINE": "azure", "FACE_ENDPOINT": "https://faces.example"}

    @pytest.mark.parametrize(("text", "cells"), [("3x3", 9), ("4X1", 4), ("off", 1), ("", 1)])
    def test_a_grid_is_columns_and_rows(self, text: str, cells: int) -> None:
        assert read_settings({**self.AZURE, "FACE_GRID": text}).face_grid.cells == cells

    @pytest.mark.parametrize("text", ["3", "5x5", "0x2", "1x1", "3x3x3", "on"])
    def test_what_is_no_grid_is_refused_with_what_is_right(self, text: str) -> None:
        with pytest.raises(ConfigurationError, match=r"FACE_GRID is .* such as 3x3"):
            read_settings({**self.AZURE, "FACE_GRID": text})

    def test_an_engine_that_sees_one_photo_a_call_can_have_no_grid(self) -> None:
        with pytest.raises(ConfigurationError, match="FACE_GRID=off, or FACE_ENGINE=azure"):
            read_settings({"FACE_GRID": "3x3"})

    def test_a_single_run_may_still_choose_another_engine(self) -> None:
        settings = read_settings({**self.AZURE, "FACE_GRID": "3x3"})
        assert choosing(settings, FACES, "local").face_engine == "local"


def test_a_connection_string_is_not_shown() -> None:
    settings = read_settings({"SQL_CONNECTION_STRING": "mssql://me:hidden@server/db"})

    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(
    "name", ["AzureWebJobsStorage", "SQL_CONNECTION_STRING", "VISION_API_KEY", "FACE_API_KEY"]
)
def test_no_key_and_no_connection_string_is_shown(name: str) -> None:
    settings = read_settings({name: "hidden"})

    assert "hidden" not in repr(settings) + str(settings) + f"{settings.vision}{settings.face}"


def test_settings_stay_as_they_were_read() -> None:
    settings = read_settings({})
    for section, field in ((settings, "max_attempts"), (settings.vision, "endpoint")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, field, "other")


def test_the_pipeline_has_the_same_defaults_without_settings() -> None:
    settings = read_settings({})

    assert settings.core() == CoreSettings(default_pipeline=settings.pipeline)


def test_the_pipeline_is_given_every_setting_of_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imaginem.config.sections.pipeline.MAX_DEQUEUE_COUNT", 9)
    kept = {field.name: days for days, field in enumerate(fields(RetentionDays), 1)}
    texts = {
        "PIPELINE_DEFINITION": "ocr",
        "INPUT_CONTAINER": "holidays",
        "FACES_CONTAINER": "heads",
        "MAX_ATTEMPTS": "7",
        "MAX_WAITS": "8",
        "RETRY_SECONDS": "0.5",
        "AUDIT_PURPOSES": "tracing, protection",
        "BACKUP_DAYS": "35",
        "WATCHDOG_MINUTES": "0",
        "PIPELINE_FUSION": "ocr+facedetection, facecrop",
        "FACE_MATCH_LIMIT": "30",
        "FACE_ENGINE": "azure",
        "FACE_ENDPOINT": "https://faces.example",
        "FACE_GRID": "3x2",
        "FACE_GRID_SECONDS": "7",
        "REUSE_OUTPUTS": "on",
        **{f"RETENTION_{kind.upper()}_DAYS": str(days) for kind, days in kept.items()},
    }
    expected = CoreSettings(
        default_pipeline=("ocr",),
        input_container="holidays",
        faces_container="heads",
        max_attempts=7,
        max_waits=8,
        max_dequeue_count=9,
        retry_seconds=0.5,
        purposes=("tracing", "protection"),
        retention=RetentionDays(**kept),
        backup_days=35,
        looks_again=False,
        fusion=Fusion(groups=(frozenset({"ocr", "facedetection"}), frozenset({"facecrop"}))),
        match_limit=30,
        face_grid=FaceGrid(3, 2),
        face_grid_seconds=7,
        reuse="on",
    )
    for field in fields(CoreSettings):
        assert getattr(expected, field.name) != field.default, f"give {field.name} a value here"
    assert read_settings(texts).core() == expected


@pytest.mark.parametrize("name", sorted(Settings.declared()))
def test_whatever_a_setting_holds_its_error_names_it_and_says_what_to_give(name: str) -> None:
    try:
        read_settings({name: "\x00?! nonsense"})
    except ConfigurationError as problem:
        assert re.match(rf"settings: {name} (is '|can't be used).*: give \w+", str(problem))


@pytest.mark.parametrize(
    ("name", "taken", "refused"),
    [
        ("MAX_ATTEMPTS", ["1", "12"], ["0", "-1", "1.5"]),
        ("RETRY_SECONDS", ["0", "0.2", "3599.9"], ["-0.1", "3600", "inf", "nan"]),
        ("FACE_MATCH_THRESHOLD", ["0", "1"], ["-0.01", "1.01", "nan"]),
        ("VISION_CALLS_PER_SECOND", ["0", "1000000"], ["-1", "1000001", "inf"]),
        ("FACE_LIST", ["a" * 50, "x_1-"], ["a" * 51, "A", "a b"]),
        ("FACE_ENGINE", ["local", "LOCAL"], ["xlocal", "localx", "local|azure"]),
        (
            "PIPELINE_FUSION",
            ["off", "Auto", "ocr + facecrop"],
            ["on", "ocr+", "ocr+ocr", "off,auto", "auto+ocr"],
        ),
        ("HTTP_ACCESS", ["health", "Platform"], ["none"]),
        ("INPUT_CONTAINER", ["my-photos"], ["ab", "My", "azure-webjobs-hosts"]),
    ],
)
def test_a_value_is_held_to_its_bounds(name: str, taken: list[str], refused: list[str]) -> None:
    for text in taken:
        read_settings({name: text})
    for text in refused:
        with pytest.raises(ConfigurationError, match=f"{name} is '{re.escape(text)}': give"):
            read_settings({name: text})


def test_what_is_wrong_with_a_pipeline_is_said_without_speaking_of_a_message() -> None:
    with pytest.raises(ConfigurationError, match="'ocr' stands twice") as error:
        read_settings({"PIPELINE_DEFINITION": "ocr,ocr"})

    assert "job_definition" not in str(error.value)


@pytest.mark.parametrize("name", sorted(Settings.declared()))
def test_an_empty_setting_counts_as_not_set(name: str) -> None:
    assert read_settings({name: "  "}) == read_settings({})


def test_the_gates_of_infra_read_the_declarations_as_they_are() -> None:
    notes = {name: field.json_schema_extra for name, field in Settings.declared().items()}
    reasons = {name: note["not_on_azure"] for name, note in notes.items() if isinstance(note, dict)}

    assert declared_settings(ROOT) == reasons


def test_host_json_poisons_after_the_try_that_the_log_calls_the_last() -> None:
    host = json.loads((ROOT / "host.json").read_text())

    assert host["extensions"]["queues"]["maxDequeueCount"] == MAX_DEQUEUE_COUNT


def test_the_example_is_a_valid_local_settings_file(tmp_path: Path) -> None:
    example = (ROOT / "local.settings.json.example").read_text()
    (tmp_path / "local.settings.json").write_text(example)

    values, usual = local_settings(tmp_path), read_settings({})
    same = read_settings(values) == usual
    others = [name for name in values if read_settings({name: values[name]}) != usual]
    assert same, f"local.settings.json.example and the default differ in {', '.join(others)}"


def test_a_broken_local_settings_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"local\.settings\.json can't be read"):
        local_settings(tmp_path)


AZURE = {
    "WEBSITE_SITE_NAME": "func-imaginem",
    "VISION_ENGINE": "azure",
    "FACE_ENGINE": "azure",
    "VISION_ENDPOINT": "https://v.cognitiveservices.azure.com/",
    "FACE_ENDPOINT": "https://f.cognitiveservices.azure.com/",
    "SQL_CONNECTION_STRING": "Server=tcp:s.database.windows.net;Database=d",
    "HTTP_ACCESS": "platform",
}


def test_azure_engines_have_a_confidence_scale_of_their_own() -> None:
    settings = read_settings(AZURE)

    assert (settings.match_threshold, settings.possible_threshold) == (0.5, 0.4)
    assert settings.vision.endpoint == "https://v.cognitiveservices.azure.com"
    mixed = read_settings({**AZURE, "FACE_PRINT_ENGINE": "local"})
    assert (mixed.face_engine, mixed.match_threshold) == ("azure", 0.45)


def test_an_azure_engine_needs_its_address() -> None:
    for name in ("VISION_ENDPOINT", "FACE_ENDPOINT"):
        with pytest.raises(ConfigurationError, match=f"{name} is empty"):
            read_settings({**AZURE, name: ""})


def test_the_setting_that_asks_for_the_azure_engine_is_named() -> None:
    with pytest.raises(ConfigurationError, match="FACE_PRINT_ENGINE is azure"):
        read_settings({"FACE_PRINT_ENGINE": "azure"})


def test_an_address_that_is_wrong_is_not_called_empty_too() -> None:
    with pytest.raises(ConfigurationError) as error:
        read_settings({"VISION_ENGINE": "azure", "VISION_ENDPOINT": "no-address"})

    assert str(error.value).count("VISION_ENDPOINT") == 1


def test_storage_is_reached_by_the_apps_identity_unless_it_has_one_of_its_own() -> None:
    own = {"AZURE_CLIENT_ID": "app"}

    assert read_settings(own).storage_client_id == "app"
    named = read_settings({**own, "AzureWebJobsStorage__clientId": "storage"})
    assert (named.client_id, named.storage_client_id) == ("app", "storage")


def test_on_azure_the_api_is_shut_unless_the_platform_authenticates() -> None:
    assert read_settings({**AZURE, "HTTP_ACCESS": ""}).http_access == "health"
    assert read_settings(AZURE).http_access == "platform"
    with pytest.raises(ConfigurationError, match="opens the API to everybody"):
        read_settings({**AZURE, "HTTP_ACCESS": "local"})
    with pytest.raises(ConfigurationError, match="platform authentication is off"):
        read_settings({**AZURE, "WEBSITE_AUTH_ENABLED": "False"})
    assert read_settings({}).http_access == "local"


@pytest.mark.parametrize("address", ["", "sqlite:///x.db"])
def test_on_azure_the_app_refuses_to_start_with_sqlite(address: str) -> None:
    with pytest.raises(ConfigurationError, match="SQL_CONNECTION_STRING"):
        check_start(read_settings({**AZURE, "SQL_CONNECTION_STRING": address}))


def test_on_azure_the_app_refuses_to_start_without_its_engines_packages_and_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("imaginem.config.startup.find_spec", lambda name: None)
    asked = {**AZURE, "FACE_PRINT_ENGINE": "local", "IMAGINEM_ASSETS": str(tmp_path / "none")}
    with pytest.raises(ConfigurationError) as told:
        check_start(read_settings(asked))
    assert "onnxruntime is not installed" in str(told.value)
    assert "no weights in" in str(told.value)

    check_start(read_settings(AZURE))
    check_start(read_settings({"IMAGINEM_ASSETS": "/nowhere"}))  # a laptop: doctor tells


def test_a_driver_that_the_package_lacks_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = {**AZURE, "SQL_DRIVER": "MSSQL-Python"}
    check_start(read_settings(asked))
    monkeypatch.setattr("imaginem.config.startup.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="make package SQL_DRIVER=mssql-python"):
        check_start(read_settings(asked))


def test_storage_endpoints_may_be_given_instead_of_a_name() -> None:
    names = [f"AzureWebJobsStorage__{service}ServiceUri" for service in ("blob", "queue", "table")]
    settings = read_settings(dict.fromkeys(names, "https://127.0.0.1:1/devstoreaccount1"))

    assert settings.storage_connection == ""
    assert set(settings.storage_endpoints) == {"blob", "queue", "table"}
    with pytest.raises(ConfigurationError, match="set all three"):
        read_settings({names[0]: "https://127.0.0.1:1/x"})


@pytest.mark.parametrize(
    "address", ["https://:s3cret@host", "https://me@host", "https://me:s@host"]
)
def test_an_address_with_a_login_in_it_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(ConfigurationError, match="OTEL_EXPORTER_OTLP_ENDPOINT") as told:
        read_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": address})
    assert "s3cret" not in str(told.value)


_INSTRUMENTATION = "InstrumentationKey=00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        f"{_INSTRUMENTATION};",
        f"{_INSTRUMENTATION};x",
        f"{_INSTRUMENTATION};a=b=c",
        f"{_INSTRUMENTATION};Authorization=aad",
    ],
)
def test_a_connection_string_that_the_exporter_refuses_is_told_at_start(text: str) -> None:
    with pytest.raises(ConfigurationError, match="APPLICATIONINSIGHTS_CONNECTION_STRING"):
        read_settings({"APPLICATIONINSIGHTS_CONNECTION_STRING": text})


def test_a_whole_connection_string_of_application_insights_is_taken() -> None:
    text = f"{_INSTRUMENTATION};IngestionEndpoint=https://x.in.applicationinsights.azure.com/"
    settings = read_settings({"APPLICATIONINSIGHTS_CONNECTION_STRING": text})
    assert settings.telemetry.insights == text


@pytest.mark.parametrize("text", ["5.0", "5.00", "five", "0"])
def test_a_count_is_a_whole_number_and_written_as_one(text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"MAX_ATTEMPTS is '{text}': give 1 or more$"):
        read_settings({"MAX_ATTEMPTS": text})


def test_the_settings_of_steps_that_ship_are_in_the_example() -> None:
    example = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))["Values"]
    shipped = {*DEFAULT_PIPELINE, "sample"}
    wanted = {
        setting_name(step, field)
        for step, model in default_registry.settings()
        if step in shipped
        for field in model.model_fields
    }
    assert wanted - set(example) == set()
