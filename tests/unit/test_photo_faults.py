"""What a library raises on a photo: which of it a step fails by, and which may be better later."""

from pathlib import Path

import pytest

from imaginem.engines.local.models import Model
from imaginem.engines.local.photo_faults import photo_faults
from imaginem.errors import ConfigurationError, PermanentError, RetryableError


def told(problem: Exception) -> Exception:
    with pytest.raises(Exception) as raised, photo_faults("read its text"):
        raise problem
    return raised.value


def test_what_a_library_cannot_cope_with_is_permanent_and_its_words_stay_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = told(ZeroDivisionError("key=secret"))

    assert isinstance(found, PermanentError)
    assert "can't read its text (ZeroDivisionError" in str(found)
    assert "secret" not in str(found)
    assert "key=secret" in caplog.text


@pytest.mark.parametrize("problem", [MemoryError(), RuntimeError("Insufficient memory")])
def test_too_little_memory_may_be_better_later(problem: Exception) -> None:
    assert isinstance(told(problem), RetryableError)


@pytest.mark.parametrize(
    "problem", [ConfigurationError("no weights"), PermanentError("no face id"), OSError("disk")]
)
def test_what_is_no_fault_of_the_photo_is_left_as_it_is(problem: Exception) -> None:
    assert told(problem) is problem


def test_a_network_that_cannot_be_opened_is_no_fault_of_the_photo(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    model = Model(broken, "broken.onnx", "onnxruntime", tmp_path)

    refused = pytest.raises(ConfigurationError, match=r"broken\.onnx can't be opened")
    with refused, photo_faults("look for faces"):
        model.run({})
