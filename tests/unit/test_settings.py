"""Settings: defaults, and every problem told at once."""

import json
from pathlib import Path

import pytest

from imaginem.errors import ConfigurationError
from imaginem.settings import MAX_DEQUEUE_COUNT, local_settings, read_settings

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
        "AzureWebJobsStorage__accountName",
    ):
        assert name in str(told.value)


def test_thresholds_must_be_in_order() -> None:
    with pytest.raises(ConfigurationError, match="above FACE_MATCH_THRESHOLD"):
        read_settings({"FACE_MATCH_THRESHOLD": "0.4", "FACE_POSSIBLE_THRESHOLD": "0.5"})
    assert read_settings({"FACE_MATCH_THRESHOLD": "0.3"}).possible_threshold == 0.3


def test_a_connection_string_is_not_shown() -> None:
    settings = read_settings({"SQL_CONNECTION_STRING": "mssql://me:hidden@server/db"})

    assert "hidden" not in repr(settings)


def test_host_json_poisons_after_the_try_that_the_log_calls_the_last() -> None:
    host = json.loads((ROOT / "host.json").read_text())

    assert host["extensions"]["queues"]["maxDequeueCount"] == MAX_DEQUEUE_COUNT


def test_the_example_is_a_valid_local_settings_file(tmp_path: Path) -> None:
    example = (ROOT / "local.settings.json.example").read_text()
    (tmp_path / "local.settings.json").write_text(example)

    assert read_settings(local_settings(tmp_path)) == read_settings({})


def test_a_broken_local_settings_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"local\.settings\.json can't be read"):
        local_settings(tmp_path)
