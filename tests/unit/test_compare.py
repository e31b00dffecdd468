"""What changed between two outputs of a job."""

from typing import Any

import pytest

from imaginem.usecases.compare import Change, compare


def face(*box: int) -> dict[str, Any]:
    return {"face_rectangle": dict(zip(("left", "top", "width", "height"), box, strict=True))}


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[object, ...]]:
    found = compare({"step": before}, {"step": after}).get("step", [])
    return [(each.sign, each.what, each.name, each.before, each.after) for each in found]


def test_labels_are_new_gone_or_of_another_confidence() -> None:
    before = [("cat", 0.9), ("sofa", 0.5), ("wall", 0.301)]
    after = [("cat", 0.7), ("dog", 0.4), ("wall", 0.304)]
    one, other = (
        {"tags": [{"name": name, "confidence": share} for name, share in tags]}
        for tags in (before, after)
    )
    assert changes(one, other) == [
        ("~", "tag", "cat", 0.9, 0.7),
        ("-", "tag", "sofa", 0.5, None),
        ("+", "tag", "dog", None, 0.4),
    ]


def test_categories_have_scores_and_an_object_that_occurs_twice_counts_once() -> None:
    one = {"categories": [{"name": "people_", "score": 0.5}], "objects": []}
    chairs = [{"object": "chair", "confidence": share} for share in (0.4, 0.8)]
    assert changes(one, {"categories": [], "objects": chairs}) == [
        ("-", "category", "people_", 0.5, None),
        ("+", "object", "chair", None, 0.8),
    ]


def test_text_is_compared_line_by_line() -> None:
    def text(*lines: str) -> dict[str, Any]:
        return {"full_text": "\n".join(lines), "lines": [{"text": line} for line in lines]}

    assert changes(text("a", "b", "c"), text("a", "B", "c", "d")) == [
        ("-", "line", "b", "b", None),
        ("+", "line", "B", None, "B"),
        ("+", "line", "d", None, "d"),
    ]


def test_faces_are_the_same_where_their_rectangles_overlap_by_half() -> None:
    one = {"faces": [face(0, 0, 100, 100), face(300, 0, 50, 50)]}
    other = {"faces": [face(10, 5, 100, 100), face(340, 0, 50, 50)]}
    assert changes(one, other) == [
        ("-", "face", "50 x 50 at 300, 0", "50 x 50 at 300, 0", None),
        ("+", "face", "50 x 50 at 340, 0", None, "50 x 50 at 340, 0"),
    ]


def test_each_face_is_paired_once_with_the_one_that_overlaps_most() -> None:
    one = {"faces": [face(0, 0, 100, 100)]}
    other = {"faces": [face(20, 0, 100, 100), face(5, 0, 100, 100)]}
    assert changes(one, other) == [("+", "face", "100 x 100 at 20, 0", None, "100 x 100 at 20, 0")]


def test_other_fields_are_told_in_short() -> None:
    one = {"blur": 1, "names": [1, 2], "same": {"a": 1}, "long": "x" * 99, "full_text": "a"}
    other = {"blur": 2, "names": [1, 2, 3], "same": {"a": 1}, "long": None, "full_text": "b"}
    assert changes(one, other) == [
        ("~", "field", "blur", "1", "2"),
        ("~", "field", "names", "2 entries", "3 entries"),
        ("-", "field", "long", "x" * 59 + "…", None),
        ("~", "field", "full_text", "a", "b"),
    ]


def test_a_photo_that_is_turned_otherwise_is_told_and_one_left_as_it_lies_is_not() -> None:
    def seen(degrees: int) -> dict[str, Any]:
        return {"lines": [], "turn": {"degrees": degrees, "confidence": 0.9}}

    assert changes({"lines": []}, seen(0)) == []
    assert changes({"lines": []}, seen(90)) == [("+", "field", "turn", None, "90°")]
    assert changes(seen(90), seen(270)) == [("~", "field", "turn", "90°", "270°")]


def test_a_step_that_is_new_or_gone_is_told_and_one_without_changes_is_not() -> None:
    found = compare({"a": {"x": 1}, "b": {"x": 1}}, {"b": {"x": 1}, "c": {"y": 2}})
    assert found == {
        "a": [Change("output", "", '{"x": 1}', None)],
        "c": [Change("output", "", None, '{"y": 2}')],
    }


def test_what_an_engine_does_not_look_for_is_not_gone() -> None:
    one = {"objects": [{"object": "dog", "confidence": 0.9}], "tags": []}
    other = {"objects": [], "tags": [], "unanswered": None, "not_looked_for": ["objects", "tags"]}
    assert ("~", "field", "objects", "1 entry", "not looked for") in changes(one, other)
    assert "dog" not in str(changes(one, other))
    assert changes(other, other) == []


@pytest.mark.parametrize(
    "odd",
    [
        {"tags": "x"},
        {"tags": [1, {"name": 5}, {"confidence": "high"}]},
        {"faces": [{"face_rectangle": 5}, {"face_rectangle": {"left": "a"}}, face(0, 0, 0, 0)]},
        {"lines": [{"text": None}], "matches": {"a": 1}},
        [1],
        None,
        "text",
    ],
)
def test_no_output_is_too_odd_to_be_compared(odd: Any) -> None:
    compare({"step": odd}, {"step": {"tags": [], "faces": [face(1, 1, 1, 1)], "lines": []}})
    compare({"step": {"tags": [], "matches": []}}, {"step": odd})
