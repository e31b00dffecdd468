"""The hand-checked table of tags, and how tags are judged by it."""

from typing import Any

from PIL import Image

from benchmarks.labels import judge, labelled_photos, variants
from imaginem.assets.manifest import load_manifest
from imaginem.engines.dignity import is_refused

ROW = {"right": ["person", "flag"], "useful": ["flag"], "not_in": {"right": ["flag"]}}


def rows() -> dict[str, Any]:
    return labelled_photos()


def test_the_table_has_every_sample_photo() -> None:
    photos = {asset.name for asset in load_manifest().of_kind("sample", "bench")}

    assert set(rows()) == photos


def test_words_that_help_are_right_and_none_is_refused() -> None:
    for row in rows().values():
        assert set(row["useful"]) <= set(row["right"])
        assert not [word for word in row["right"] if is_refused(word)]


def test_exceptions_are_of_variants_that_are_measured() -> None:
    names = [name for name, _ in variants(Image.new("RGB", (100, 80)))]

    assert len(names) == len(set(names)) == 9
    for row in rows().values():
        assert set(row.get("not_in", {})) <= set(names)


def test_a_word_counts_only_where_it_can_be_seen() -> None:
    whole = judge(ROW, "whole", ["person", "flag", "groom"])
    part = judge(ROW, "right", ["person", "flag"])

    assert (whole.right, whole.found) == (["person", "flag"], {"flag"})
    assert (part.right, part.useful, part.found) == (["person"], set(), set())
