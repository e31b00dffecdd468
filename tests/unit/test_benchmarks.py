"""What `make bench` does around its measurements: options, judgements, what is missing."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.__main__ import PARTS, describe_machine, main, measure_part
from benchmarks.baseline import check_commit
from benchmarks.options import Options, read_options
from benchmarks.rivals.environment import REQUIREMENTS, Missing, packages
from benchmarks.rivals.redis_server import redis_server
from benchmarks.rivals.scripts.asking import asked
from benchmarks.rivals.scripts.judging import faces_right, pairs_right, words_right
from benchmarks.rivals.scripts.search_rival import deleted
from benchmarks.search.crowd import POSSIBLE, write_crowd
from benchmarks.throughput import in_turn
from imaginem.assets.manifest import load_manifest


def test_sizes_and_the_commit_to_compare_with_come_from_the_environment() -> None:
    options = read_options(
        {"PHOTOS": "112", "BASELINE": "fd1fef0", "ROUNDS": "", "GALLERIES": "10,2000"}
    )
    assert options.galleries == (10, 2000)

    assert (options.photos, options.baseline) == (112, "fd1fef0")
    assert options.rounds == Options().rounds


@pytest.mark.parametrize("text", ["0", "many", "-3", "1e6", "²", "99999999999"])
def test_a_size_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=f"VECTORS={text}: write a whole number"):
        read_options({"VECTORS": text})


@pytest.mark.parametrize("commit", ["no-such-commit", "--help"])
def test_a_commit_that_is_none_is_told_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], commit: str
) -> None:
    monkeypatch.setenv("BASELINE", commit)

    assert main(["quota"]) == 2
    assert f"BASELINE={commit}: this repository has no such commit" in capsys.readouterr().out


def test_a_commit_that_is_there_can_be_compared_with() -> None:
    check_commit("HEAD")


def test_a_language_without_texts_is_named_with_those_that_have_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SCRIPT_LANGUAGES", "xx")

    (row,) = importlib.import_module(PARTS["scripts"]).run()

    assert row.name == "xx: character errors"
    assert "there are no texts in it, only in ar, fa, ur" in row.shown


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_its_measurement(part: str) -> None:
    assert callable(importlib.import_module(PARTS[part]).run)


def test_a_part_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["thruput"])

    assert "there is no part thruput; there are step_execution, " in capsys.readouterr().err


def test_a_part_that_breaks_is_told_in_the_table_and_missed() -> None:
    (row,) = measure_part("search", "benchmarks.nowhere", Console(quiet=True))

    assert (row.name, row.value, row.kept) == ("search", None, False)
    assert "No module named 'benchmarks.nowhere'" in row.shown


def test_a_photo_that_was_not_fetched_is_told_plainly_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    samples = [asset for asset in load_manifest().of_kind("sample") if not asset.installed]
    for asset in samples:
        with (tmp_path / asset.file_name).open("wb") as file:
            file.truncate(asset.size)
    monkeypatch.setenv("IMAGINEM_ASSETS", str(tmp_path))
    console = Console(record=True, quiet=True)

    (row,) = measure_part("throughput", PARTS["throughput"], console)

    assert row.shown == "not measured: group1.jpg is missing: run `imaginem assets fetch --bench`"
    assert (row.kept, console.export_text()) == (False, "")


def test_the_machine_is_stated() -> None:
    assert "cores" in describe_machine()
    assert "load" in describe_machine()


def test_without_redis_the_reason_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(Missing, match="apt-get install redis-server"), redis_server():
        pass


def test_everything_that_is_compared_with_is_pinned() -> None:
    assert all("==" in package for package in packages())
    assert "celery" in REQUIREMENTS.read_text("utf-8")


def test_every_second_round_goes_the_other_way() -> None:
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return 1.0

    in_turn({name: lambda name=name: measure(name) for name in "abc"}, 2)  # type: ignore[misc]

    assert "".join(order) == "abccba"


def test_words_are_compared_without_case_and_signs_and_counted_once_each() -> None:
    answers = words_right(lambda path: "RED cross, red", {"photo": "Red Cross: Shelter"})

    assert answers == {"words_right": 2, "words": 3, "words_beside": 1}


def test_faces_beyond_those_that_a_person_counts_are_told_apart() -> None:
    found = {"group": 5, "crowd": 2, "cat": 1}

    answers = faces_right(found.__getitem__, {"group": 3, "crowd": 4}, ["cat"])

    assert answers == {"faces_found": 5, "faces": 7, "faces_beside": 3}


def test_a_pair_is_wrong_if_strangers_match_or_a_face_was_not_found() -> None:
    persons = [("ann", 1), ("ann", 1), ("bob", 1), ("eve", None)]

    answers = pairs_right(lambda one, other: one == other, persons)

    assert answers == {"pairs_right": 1, "pairs": 6}


def test_recall_counts_the_true_neighbours_that_an_index_finds(tmp_path: Path) -> None:
    write_crowd(tmp_path, 400, 20)
    vectors = np.load(tmp_path / "vectors.npy")
    truth = json.loads((tmp_path / "truth.json").read_text("utf-8"))

    def exact(query: np.ndarray) -> list[int]:
        return [int(row) for row in np.flatnonzero(vectors @ query >= POSSIBLE)]

    def even_rows_only(query: np.ndarray) -> list[int]:
        return [row for row in exact(query) if row % 2 == 0]

    known = [row for one in truth for row in one]
    assert len(truth) == 20
    assert len(known) > 20  # persons have several photos
    assert asked(tmp_path, exact, 1)["recall"] == 1
    share = sum(row % 2 == 0 for row in known) / len(known)
    assert asked(tmp_path, even_rows_only, 1)["recall"] == pytest.approx(share)


class FewFound:
    """An index that finds a face for one query alone, as a graph may."""

    def __init__(self, faces: dict[str, list[int]]) -> None:
        self._faces = faces

    def search(self, query: str) -> list[int]:
        return self._faces.get(query, [])

    def delete(self, row: int) -> None:
        for rows in self._faces.values():
            rows.remove(row)


def test_an_index_that_finds_nothing_for_the_first_query_is_measured_all_the_same() -> None:
    figures = deleted(FewFound({"other": [7, 8]}), ["one", "other"])
    assert figures["deleted_at_once"] == 1
    assert deleted(FewFound({}), ["one", "other"]) == {}
