"""The table of engines: a row or a provider that is added there is known everywhere."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imaginem.config.declare import read_section
from imaginem.config.engine_table import ENGINE_TABLE, EngineRow, EngineTable, Provider
from imaginem.config.sections.engines import EngineSettings
from imaginem.config.settings import read_settings
from imaginem.config.startup import check_start
from imaginem.errors import ConfigurationError, RetryableError
from imaginem.images.decoding import decode_photo
from imaginem.ports import FACES, OCR, RECOGNIZER, VISION, EngineKind
from imaginem.runtime import Runtime
from imaginem.testing import Failing, MemoryServices, job_for, photo_bytes
from steps.generalclassification import generalclassification
from tests.extra_engines.sharpness import SHARPNESS, ConstantSharpness

SHARPNESS_ROW = EngineRow(
    kind=SHARPNESS,
    setting="SHARPNESS_ENGINE",
    providers=(Provider("laplace", "tests.extra_engines.sharpness"),),
    fake="tests.extra_engines.sharpness:FakeSharpness",
    label="Sharpness",
)
BLUR_ROW = replace(SHARPNESS_ROW, kind=EngineKind[Any]("blur"))
"""A second kind with the same setting."""
PAPER = Provider("paper", "tests.extra_engines.paper_faces")
ON_AZURE = {
    "WEBSITE_SITE_NAME": "func-imaginem",
    "SQL_CONNECTION_STRING": "Server=tcp:s.database.windows.net;Database=d",
    "VISION_ENGINE": "azure",
    "VISION_ENDPOINT": "https://v.cognitiveservices.azure.com",
    "FACE_PRINT_ENGINE": "azure",
    "FACE_ENDPOINT": "https://f.cognitiveservices.azure.com",
}


def with_provider(provider: Provider) -> EngineTable:
    """Return the app's table with one more provider of face detection, and one more kind."""
    rows = [
        replace(row, providers=(*row.providers, provider)) if row.kind == FACES else row
        for row in ENGINE_TABLE.rows
    ]
    return EngineTable((*rows, SHARPNESS_ROW))


def with_ocr_engine(provider: Provider) -> EngineTable:
    """Return the app's table with one more provider of ocr."""
    rows = [
        replace(row, providers=(*row.providers, provider)) if row.kind == OCR else row
        for row in ENGINE_TABLE.rows
    ]
    return EngineTable(tuple(rows))


TABLE = with_provider(PAPER)


def test_an_engine_is_not_mistaken_for_a_service_of_the_same_name() -> None:
    runtime = Runtime(read_settings({"FACE_ENGINE": "paper"}, TABLE))
    runtime.made["faces"] = "a service"

    assert runtime.faces.name == "paper-faces-1"


def test_an_added_provider_is_allowed_by_its_setting_and_serves() -> None:
    runtime = Runtime(read_settings({"FACE_ENGINE": "paper"}, TABLE))
    photo = decode_photo(photo_bytes())

    assert runtime.faces.detect(photo, job_for().call) == []
    assert runtime.faces is runtime.engine(FACES)
    assert runtime.engine_names["faces"] == "paper-faces-1"
    with pytest.raises(ConfigurationError, match=r"FACE_ENGINE.*local or azure$"):
        read_settings({"FACE_ENGINE": "paper"})


def test_an_added_kind_is_chosen_made_named_and_faked() -> None:
    settings = read_settings({}, TABLE)
    runtime = Runtime(settings)
    photo = decode_photo(photo_bytes())

    assert settings.engine_choices["SHARPNESS_ENGINE"] == "laplace"
    assert runtime.engine(SHARPNESS).sharpness(photo, job_for().call) == 1.0
    assert runtime.engine(SHARPNESS) is runtime.engine(SHARPNESS)
    assert runtime.engine_names["sharpness"] == "sharpness-1"

    job = job_for(services=MemoryServices(engine_table=TABLE))
    assert job.engine(SHARPNESS).sharpness(photo, job.call) == 0.5
    blurred = {"sharpness": ConstantSharpness("blurred", 0.1)}
    job = job_for(services=MemoryServices(engine_table=TABLE, engines=blurred))
    assert job.engine(SHARPNESS).sharpness(photo, job.call) == 0.1


def test_an_added_kind_has_its_setting_checked_with_all_others() -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_settings({"SHARPNESS_ENGINE": "local", "VISION_ENGINE": "paper"}, TABLE)
    assert "SHARPNESS_ENGINE" in str(refused.value)
    assert "VISION_ENGINE" in str(refused.value)


def test_an_added_provider_is_asked_for_its_packages_and_weights_before_the_start(
    tmp_path: Path,
) -> None:
    needy = replace(PAPER, packages=("json", "no_such_package"), needs_weights=True)
    table = with_provider(needy)
    asked = {**ON_AZURE, "FACE_ENGINE": "paper", "IMAGINEM_ASSETS": str(tmp_path / "none")}
    with pytest.raises(ConfigurationError) as refused:
        check_start(read_settings(asked, table))
    assert "FACE_ENGINE is 'paper', but no_such_package is not installed" in str(refused.value)
    assert "or set it to 'azure' or 'local'" in str(refused.value)
    assert "no weights in" in str(refused.value)

    check_start(read_settings({**asked, "FACE_ENGINE": "azure"}, table))
    check_start(read_settings({**asked}, TABLE))  # the plain provider needs nothing


def test_a_missing_package_is_named_when_the_engine_is_made() -> None:
    table = with_provider(
        Provider("paper", "tests.extra_engines.broken", packages=("no_such_package",))
    )
    runtime = Runtime(read_settings({"FACE_ENGINE": "paper"}, table))
    with pytest.raises(ConfigurationError, match="the paper engine needs no_such_package"):
        _ = runtime.faces
    with pytest.raises(ConfigurationError, match="the paper engine needs no_such_package"):
        _ = runtime.engine_names


def test_recognition_follows_detection_where_it_has_such_a_provider() -> None:
    follows = {
        name: read_settings({"FACE_ENGINE": name, "FACE_ENDPOINT": "https://f"}, TABLE)
        for name in ("local", "azure", "paper")
    }
    assert {name: found.face_print_engine for name, found in follows.items()} == {
        "local": "local",
        "azure": "azure",
        "paper": "local",
    }


def test_an_added_recognizer_brings_its_own_thresholds() -> None:
    usual = {"FACE_MATCH_THRESHOLD": 0.8, "FACE_POSSIBLE_THRESHOLD": 0.7}
    rows = [
        replace(row, providers=(*row.providers, replace(PAPER, defaults=usual)))
        if row.kind == RECOGNIZER
        else row
        for row in ENGINE_TABLE.rows
    ]
    settings = read_settings({"FACE_PRINT_ENGINE": "paper"}, EngineTable(tuple(rows)))
    assert (settings.match_threshold, settings.possible_threshold) == (0.8, 0.7)
    assert read_settings({}).match_threshold == 0.45


@pytest.mark.parametrize(("more", "less"), [("sharpness", "blur"), ("blur", "sharpness")])
def test_a_provider_of_one_kind_alone_is_refused_where_kinds_share_a_setting(
    more: str, less: str
) -> None:
    rows = [
        replace(row, providers=(*row.providers, PAPER)) if row.kind.name == more else row
        for row in (SHARPNESS_ROW, BLUR_ROW)
    ]
    refused = f"SHARPNESS_ENGINE chooses for both: add a line to the row of {less} too"
    with pytest.raises(ValueError, match=refused):
        EngineTable(tuple(rows))


def test_a_provider_of_all_kinds_that_share_a_setting_is_allowed_by_it() -> None:
    rows = [
        replace(row, providers=(*row.providers, PAPER)) if row.setting == "VISION_ENGINE" else row
        for row in ENGINE_TABLE.rows
    ]
    usual = ENGINE_TABLE.allowed()["VISION_ENGINE"]
    assert EngineTable(tuple(rows)).allowed()["VISION_ENGINE"] == (*usual, "paper")


def test_a_kind_with_a_setting_of_its_own_has_providers_of_its_own() -> None:
    table = with_ocr_engine(PAPER)
    chosen = [
        read_settings(texts, table).engine_choices["OCR_ENGINE"]
        for texts in (
            {},
            {"VISION_ENGINE": "azure", "VISION_ENDPOINT": "https://v"},
            {"OCR_ENGINE": "paper"},
        )
    ]
    assert chosen == ["local", "azure", "paper"]
    assert table.allowed()["VISION_ENGINE"] == ENGINE_TABLE.allowed()["VISION_ENGINE"]


def test_text_follows_what_looks_at_photos_to_the_successor_that_reads() -> None:
    accounts = {
        "VISION_ENDPOINT": "https://v",
        "DOCUMENTINTELLIGENCE_ENDPOINT": "https://d",
        "CONTENTUNDERSTANDING_ENDPOINT": "https://c",
    }
    follows = {
        name: read_settings({"VISION_ENGINE": name, **accounts}).ocr_engine
        for name in ("local", "azure", "contentunderstanding")
    }
    assert follows == {
        "local": "local",
        "azure": "azure",
        "contentunderstanding": "documentintelligence",
    }
    mixed = {"VISION_ENGINE": "contentunderstanding", "OCR_ENGINE": "azure", **accounts}
    assert read_settings(mixed).ocr_engine == "azure"


@pytest.mark.parametrize(
    ("setting", "provider", "address"),
    [
        ("VISION_ENGINE", "azure", "VISION_ENDPOINT"),
        ("VISION_ENGINE", "contentunderstanding", "CONTENTUNDERSTANDING_ENDPOINT"),
        ("OCR_ENGINE", "azure", "VISION_ENDPOINT"),
        ("OCR_ENGINE", "documentintelligence", "DOCUMENTINTELLIGENCE_ENDPOINT"),
        ("OCR_ENGINE", "paper", "FACE_ENDPOINT"),
        ("FACE_ENGINE", "azure", "FACE_ENDPOINT"),
        ("FACE_PRINT_ENGINE", "azure", "FACE_ENDPOINT"),
    ],
)
def test_a_provider_needs_its_account_whatever_its_setting_is_called(
    setting: str, provider: str, address: str
) -> None:
    table = with_ocr_engine(replace(PAPER, account="FACE"))
    local = {name: providers[0] for name, providers in table.allowed().items()}
    asked = {**local, setting: provider}
    with pytest.raises(ConfigurationError, match=f"{setting} is {provider}, but {address} is emp"):
        read_settings(asked, table)
    read_settings({**asked, address: "https://account"}, table)


def test_a_setting_of_the_table_that_is_not_declared_is_named_with_its_place() -> None:
    class WithoutField(EngineSettings):
        engine_table = TABLE

    settings, _ = read_section(WithoutField, {})
    place = "declare SHARPNESS_ENGINE in imaginem/config/sections/engines.py"
    with pytest.raises(ConfigurationError, match=place):
        _ = settings.engine_choices


def test_users_see_the_names_that_they_are_used_to() -> None:
    assert [row.shown_as for row in ENGINE_TABLE.rows] == [
        "vision",
        "ocr",
        "faces",
        "prints",
        "questions",
    ]
    assert [row.setting for row in ENGINE_TABLE.rows] == [
        "VISION_ENGINE",
        "OCR_ENGINE",
        "FACE_ENGINE",
        "FACE_PRINT_ENGINE",
        "QUESTION_ENGINE",
    ]


def test_an_engine_that_was_passed_takes_the_place_of_the_fake() -> None:
    services = MemoryServices(vision=Failing(RetryableError("busy"), times=1))
    with pytest.raises(RetryableError, match="busy"):
        generalclassification(job_for(services=services))
    assert generalclassification(job_for(services=services)).metadata.width == 1
    assert services.engine(VISION).name == "failing"
    assert services.engine(OCR).name == services.engine(RECOGNIZER).name == "fake"
