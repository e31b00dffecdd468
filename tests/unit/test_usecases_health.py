"""The checks that the API, the pages and `imaginem doctor` share."""

from collections.abc import Sequence
from typing import Any

import pytest

from imaginem.errors import ConfigurationError, StorageUnavailable
from imaginem.ports import PoisonEntry
from imaginem.testing import MemoryServices
from imaginem.usecases.health import (
    Check,
    Finding,
    ServiceChecks,
    engine_checks,
    examine,
    operations_of,
)
from tests.dashboard import web_services


@pytest.fixture
def services() -> MemoryServices:
    return web_services()


def _fail(*_: object, **__: object) -> None:
    raise StorageUnavailable("storage did not answer")


def problems(findings: Sequence[Finding]) -> dict[str, str]:
    return {finding.name: finding.problem for finding in findings if finding.problem}


class TestExamine:
    def test_a_problem_keeps_nothing_else_from_being_looked_at(self) -> None:
        looked: list[str] = []
        checks = [
            Check("first", lambda: looked.append("first")),
            Check("broken", _fail),
            Check("last", lambda: looked.append("last")),
        ]
        assert examine(checks) == [
            Finding("first"),
            Finding("broken", "storage did not answer"),
            Finding("last"),
        ]
        assert looked == ["first", "last"]

    @pytest.mark.parametrize("error", [ImportError("no onnx"), OSError("disk"), ValueError("bad")])
    def test_a_package_or_file_that_is_missing_is_told_with_its_kind(
        self, error: Exception
    ) -> None:
        def look() -> None:
            raise error

        assert problems(examine([Check("engines", look)])) == {
            "engines": f"{type(error).__name__}: {error}"
        }

    def test_a_defect_is_no_finding(self) -> None:
        with pytest.raises(ZeroDivisionError):
            examine([Check("defect", lambda: 1 // 0)])

    def test_a_problem_is_one_line_without_secrets_and_keeps_its_remedy(self) -> None:
        files = ", ".join(f"model-{number}.onnx (missing)" for number in range(50))

        def look() -> None:
            raise ConfigurationError(f"password=hunter2\n{files}: run `imaginem assets fetch`")

        (finding,) = examine([Check("weights", look)])
        assert "hunter2" not in finding.problem
        assert "\n" not in finding.problem
        assert finding.problem.endswith("run `imaginem assets fetch`")


class TestServiceChecks:
    def test_all_is_well_in_a_new_installation(self, services: MemoryServices) -> None:
        findings = examine(ServiceChecks(services, ["ocr"]).checks())
        assert [finding.name for finding in findings] == ["queues", "tables", "blobs", "database"]
        assert problems(findings) == {}

    @pytest.mark.parametrize(
        ("part", "method", "check"),
        [
            ("queues", "count", "queues"),
            ("poison", "count", "tables"),
            ("blobs", "list", "blobs"),
            ("batches", "batches", "database"),
        ],
    )
    def test_each_check_tells_of_its_own_part_alone(
        self, services: MemoryServices, part: str, method: str, check: str
    ) -> None:
        setattr(getattr(services, part), method, _fail)
        findings = examine(ServiceChecks(services, ["ocr"]).checks())
        assert problems(findings) == {check: "storage did not answer"}

    def test_each_engine_is_a_check(self, services: MemoryServices) -> None:
        assert [check.name for check in engine_checks(services)] == [
            "vision",
            "ocr",
            "faces",
            "prints",
            "questions",
        ]
        assert problems(examine(engine_checks(services))) == {}


class TestOperations:
    def test_queues_of_every_step_and_of_what_is_poisoned_are_counted(
        self, services: MemoryServices
    ) -> None:
        services.queues.send("ocr", "x")
        services.queues.send("ocr-poison", "x")
        services.queues.send("ocr-poison", "y")
        operations = operations_of(services, ["ocr", "facecrop"])
        assert operations.queues == {
            "ocr": 1,
            "ocr-poison": 2,
            "facecrop": None,
            "facecrop-poison": None,
        }
        assert operations.engines["vision"] == "fake"

    def test_what_could_not_be_read_is_a_finding_and_the_rest_is_there(
        self, services: MemoryServices
    ) -> None:
        services.poison.add(PoisonEntry("ocr", "1", "why", "body"))
        services.queues.count = _fail  # type: ignore[method-assign]
        operations = operations_of(services, ["ocr"])
        assert operations.queues == {"ocr": None, "ocr-poison": None}
        assert operations.poisoned == 1
        assert problems(operations.findings) == {"queues": "storage did not answer"}

    def test_no_engine_is_loaded_for_it(self, services: MemoryServices) -> None:
        class Watched:
            def __getattr__(self, name: str) -> Any:
                assert name not in ("vision", "ocr", "faces", "recognizer"), "loaded"
                return getattr(services, name)

        watched: Any = Watched()
        assert problems(operations_of(watched, ["ocr"]).findings) == {}
