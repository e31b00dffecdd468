"""Reasons as people read them."""

import pytest

from imaginem.usecases.reasons import told


@pytest.mark.parametrize(
    ("kept", "read"),
    [
        ("PermanentError: the photo is damaged", "the photo is damaged"),
        ("Busy: no room (wait 1 of 3)", "no room (wait 1 of 3)"),
        ("OverLimit: 70 megapixels: send a smaller copy", "70 megapixels: send a smaller copy"),
        ("PermanentError: EXIF: no date", "EXIF: no date"),
        ("PermanentError: Busy: read on", "Busy: read on"),
        ("needs ocr, which did not succeed", "needs ocr, which did not succeed"),
        ("PDF: it has a password", "PDF: it has a password"),
        ("Paris: unknown", "Paris: unknown"),
        ("", ""),
    ],
)
def test_a_reason_begins_with_what_happened_and_not_with_a_class(kept: str, read: str) -> None:
    assert told(kept) == read


@pytest.mark.parametrize("after", [" (try 1 of 5 failed)", ""])
def test_of_a_defect_the_class_stays_behind_what_it_is(after: str) -> None:
    assert told(f"ZeroDivisionError{after}") == f"a defect in the step: ZeroDivisionError{after}"


def test_a_poisoned_step_tells_where_to_look() -> None:
    kept = "KeyError: a defect in the step; the host's log has the details"
    read = "a defect in the step: KeyError; the host's log has the details"
    assert told(kept) == read
