"""Results: in memory, on SQLite and on PostgreSQL alike."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from imaginem.errors import ConfigurationError
from imaginem.ports import JobKey, JobResult, ResultOfAnotherRun, Results
from imaginem.ports.searchable import labels_in
from imaginem.sql import Database
from tests.contract.rows import ONE, THREE
from tests.stores import Stores, sql_stores


@pytest.fixture
def results(stores: Stores) -> Results:
    return stores.results


def result(key: JobKey, **output: object) -> JobResult:
    return JobResult(
        batch_id=key[0],
        id=key[1],
        processing_pipeline=("ocr", "pipelineoutput"),
        image_url="https://x.test/a",
        image_parameters={"size": 5, "name": "ü"},
        job_output=output,
        unsuccessful=("ocr",),
    )


def output_of(results: Results) -> object:
    kept = results.read(ONE)
    return kept and kept.job_output


class TestResults:
    def test_a_result_is_kept_and_replaced(self, results: Results) -> None:
        results.save(result(ONE, ocr={"full_text": "old"}))
        results.save(result(ONE, ocr={"full_text": "new"}))
        kept = results.read(ONE)

        assert kept is not None
        assert kept.job_output == {"ocr": {"full_text": "new"}}
        assert tuple(kept.processing_pipeline) == ("ocr", "pipelineoutput")
        assert kept.image_parameters == {"size": 5, "name": "ü"}
        assert tuple(kept.unsuccessful) == ("ocr",)
        assert kept.timestamp is not None
        assert kept.timestamp.tzinfo is not None

    def test_a_text_with_a_nul_is_kept_and_found_without_it(self, results: Results) -> None:
        tags = {"tags": [{"name": "te\0nt", "confidence": 0.9}]}
        output = {"ocr": {"full_text": "JANE\0 DOE"}, "generalclassification": tags}
        results.save(result(ONE, **output))
        assert output_of(results) == output
        assert ("tag", "tent") in labels_in(output)

    def test_of_a_job_only_the_results_of_some_runs_are_erased(self, results: Results) -> None:
        results.save(replace(result(ONE, a=1), run="m2"))
        results.erase_runs(ONE, {"m1"})
        assert output_of(results) == {"a": 1}
        results.erase_runs(ONE, {"m1", "m2"})
        assert output_of(results) is None
        results.save(result(ONE, a=2))  # of an earlier version: it names no run
        results.erase_runs(ONE, {"m1"})
        assert output_of(results) is None

    def test_an_output_is_found_by_what_it_was_made_of(self, results: Results) -> None:
        made = {"ocr": "a" * 64, "faces": "b" * 64}
        results.save(replace(result(ONE, ocr={"full_text": "x"}), made=made))
        assert results.reusable("other", "ocr", "a" * 64) == {"full_text": "x"}
        assert results.reusable("other", "ocr", "c" * 64) is None
        assert results.reusable("other", "faces", "a" * 64) is None
        assert results.reusable("other", "faces", "b" * 64) is None  # the result lacks it

    def test_of_several_such_outputs_the_latest_is_found(self, results: Results) -> None:
        made = {"ocr": "a" * 64}
        for key, text in ((ONE, "old"), (THREE, "new")):
            results.save(replace(result(key, ocr=text), made=made))
        assert results.reusable("other", "ocr", "a" * 64) == "new"
        results.save(result(THREE, ocr="later"))  # it does not say what it was made of
        assert results.reusable("other", "ocr", "a" * 64) == "old"

    def test_an_output_is_found_in_batches_of_the_same_group_alone(self, stores: Stores) -> None:
        stores.batches.open_batch(ONE[0], "red")
        stores.batches.open_batch("red too", "red")
        stores.batches.open_batch("blue", "blue")
        stores.results.save(replace(result(ONE, ocr="x"), made={"ocr": "a" * 64}))
        assert stores.results.reusable("red too", "ocr", "a" * 64) == "x"
        for batch_id in ("blue", "nobody's"):
            assert stores.results.reusable(batch_id, "ocr", "a" * 64) is None

    def test_nothing_is_found_of_what_was_erased(self, results: Results) -> None:
        kept = replace(result(ONE, ocr="x"), made={"ocr": "a" * 64}, run="m1")
        erasures: list[Callable[[], None]] = [
            lambda: results.erase(ONE),
            lambda: results.erase_batch(ONE[0], [ONE[1]]),
            lambda: results.erase_runs(ONE, {"m1"}),
            lambda: results.drop_faces(ONE, []),
        ]
        for erase in erasures:
            results.save(kept)
            assert results.reusable("other", "ocr", "a" * 64) == "x"
            erase()
            assert results.reusable("other", "ocr", "a" * 64) is None

    def test_a_result_of_another_run_stays_until_it_is_named(self, results: Results) -> None:
        results.save(replace(result(ONE, a=1), run="m1"))
        results.save(replace(result(ONE, a=2), run="m1"))

        with pytest.raises(ResultOfAnotherRun) as refused:
            results.save(replace(result(ONE, a=3), run="m2"))
        assert (refused.value.run, output_of(results)) == ("m1", {"a": 2})
        with pytest.raises(ResultOfAnotherRun):
            results.save(replace(result(ONE, a=3), run="m2"), replaces="m0")

        results.save(replace(result(ONE, a=3), run="m2"), replaces="m1")
        assert output_of(results) == {"a": 3}

    def test_a_result_without_a_run_replaces_any_and_is_replaced_by_any(
        self, results: Results
    ) -> None:
        results.save(replace(result(ONE, a=1), run="m1"))
        results.save(result(ONE, a=2))
        assert output_of(results) == {"a": 2}
        results.save(replace(result(ONE, a=3), run="m2"))
        assert output_of(results) == {"a": 3}

    def test_two_batches_may_use_the_same_job_id(self, results: Results) -> None:
        results.save(result(ONE, a=1))
        results.save(result(THREE, a=2))

        assert [kept.job_output for kept in results.batch("b")] == [{"a": 1}]
        assert [kept.job_output for kept in results.batch("c")] == [{"a": 2}]

    def test_a_batch_is_read_in_order(self, results: Results) -> None:
        for name in ("c", "a", "b"):
            results.save(result(("x", name)))
        assert [kept.id for kept in results.batch("x")] == ["a", "b", "c"]
        assert results.read(("x", "none")) is None

    def test_outputs_of_any_shape_are_kept(self, results: Results) -> None:
        results.save(result(("x", "1"), ocr=5))
        shapes: list[object] = [7, {}, {"name": "a", "confidence": "high"}, {"name": 5}]
        results.save(result(("x", "2"), generalclassification={"tags": shapes, "objects": 5}))
        assert len(list(results.batch("x"))) == 2


def test_labels_are_each_kinds_best() -> None:
    found = labels_in(
        {
            "generalclassification": {
                "tags": [{"name": "cat", "confidence": 0.4}, {"name": "cat", "confidence": 0.9}],
                "categories": [{"name": "animal_cat", "score": 0.8}],
                "objects": [{"object": "cat", "confidence": 0.5}],
            }
        }
    )
    assert found == {
        ("tag", "cat"): 0.9,
        ("category", "animal_cat"): 0.8,
        ("object", "cat"): 0.5,
    }


def test_a_new_file_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    for number in range(10):
        databases = [Database("", tmp_path / str(number)) for _ in range(6)]
        with ThreadPoolExecutor(6) as pool:
            read = list(pool.map(lambda each: sql_stores(each).results.read(("a", "b")), databases))
        assert read == [None] * 6
        for database in databases:
            database.close()


def test_an_address_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="SQL_CONNECTION_STRING"):
        sql_stores(Database("nonsense", tmp_path)).results.read(("a", "b"))
