"""Services that will be shut down are told in time, and by name."""

import logging
from dataclasses import replace
from datetime import date

import pytest

from imaginem.cli.doctor import ends_of
from imaginem.config.engine_table import ENGINE_TABLE, EngineTable
from imaginem.config.retirement import log_retirements, retirements
from imaginem.config.settings import Settings, read_settings
from imaginem.runtime import Runtime

LAST_DAY = date(2028, 9, 25)
ACCOUNTS = {
    "VISION_ENDPOINT": "https://v",
    "FACE_ENDPOINT": "https://f",
    "DOCUMENTINTELLIGENCE_ENDPOINT": "https://d",
    "CONTENTUNDERSTANDING_ENDPOINT": "https://c",
}


def settings(**chosen: str) -> Settings:
    return read_settings({**ACCOUNTS, **chosen})


def test_computer_vision_ends_for_both_engines_and_each_has_its_successor() -> None:
    asked = settings(VISION_ENGINE="azure", FACE_ENGINE="azure")
    ends = retirements(asked.engine_table, asked.engine_choices, date(2026, 11, 27))

    assert [(end.kind, end.day, end.successor) for end in ends] == [
        ("vision", LAST_DAY, "contentunderstanding"),
        ("ocr", LAST_DAY, "documentintelligence"),
    ]
    assert not any(end.is_near for end in ends)


def test_whoever_uses_local_engines_or_the_successors_is_told_nothing() -> None:
    for chosen in ({}, {"VISION_ENGINE": "contentunderstanding", "FACE_ENGINE": "azure"}):
        asked = settings(**chosen)
        assert retirements(asked.engine_table, asked.engine_choices, LAST_DAY) == []


def test_a_successor_is_a_provider_of_the_same_setting_that_stays() -> None:
    for row in ENGINE_TABLE.rows:
        for provider in row.providers:
            if provider.retires:
                assert row.provider(provider.successor).retires is None


@pytest.mark.parametrize(
    ("today", "levels", "says"),
    [
        (date(2027, 9, 25), [], ""),
        (date(2027, 9, 26), [logging.WARNING] * 2, "retires on 2028-09-25"),
        (date(2028, 9, 24), [logging.WARNING] * 2, "retires on 2028-09-25"),
        (date(2028, 9, 25), [logging.ERROR] * 2, "has retired on 2028-09-25"),
        (date(2031, 1, 1), [logging.ERROR] * 2, "has retired on 2028-09-25"),
    ],
)
def test_the_start_warns_in_the_last_year_and_complains_from_the_day_on(
    today: date, levels: list[int], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    log_retirements(settings(VISION_ENGINE="azure"), today)

    assert [record.levelno for record in caplog.records] == levels
    if levels:
        first, second = (record.getMessage() for record in caplog.records)
        assert says in first
        assert "set VISION_ENGINE=contentunderstanding" in first
        assert "set OCR_ENGINE=documentintelligence" in second


def test_the_doctor_tells_the_day_and_finds_a_problem_once_it_has_come() -> None:
    asked = settings(VISION_ENGINE="azure", OCR_ENGINE="documentintelligence")
    (before,) = ends_of(asked, date(2026, 11, 27))
    (after,) = ends_of(asked, LAST_DAY)

    assert before.name == after.name == "service of VISION_ENGINE=azure"
    assert (before.problem, after.note) == ("", "")
    assert "retires on 2028-09-25: set VISION_ENGINE=contentunderstanding" in before.note
    assert "has retired on 2028-09-25" in after.problem
    assert ends_of(settings(), LAST_DAY) == []


def test_api_and_pages_are_told_by_kind() -> None:
    notes = Runtime(settings(OCR_ENGINE="azure")).engine_notes
    assert list(notes) == ["ocr"]
    assert "set OCR_ENGINE=documentintelligence" in notes["ocr"]


def test_an_end_in_the_table_is_all_that_is_needed() -> None:
    rows = [
        replace(
            row,
            providers=tuple(
                replace(provider, retires=date(2030, 1, 1), successor="local")
                if provider.name == "azure"
                else provider
                for provider in row.providers
            ),
        )
        for row in ENGINE_TABLE.rows
    ]
    asked = settings(VISION_ENGINE="azure", FACE_ENGINE="azure")
    ends = retirements(EngineTable(tuple(rows)), asked.engine_choices, date(2026, 1, 1))
    assert [end.kind for end in ends] == ["vision", "ocr", "faces", "prints"]
