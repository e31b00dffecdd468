"""Photos on disk and on the web become jobs."""

from pathlib import Path

import pytest

from imaginem.cli.intake import find_sources
from imaginem.errors import ConfigurationError
from imaginem.testing import photo_bytes


def test_a_folder_stands_for_its_photos(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    for name in ("b.JPG", "inner/a.png"):
        (tmp_path / name).write_bytes(photo_bytes())
    (tmp_path / "notes.txt").write_text("no photo")

    assert {source.name for source in find_sources([str(tmp_path)])} == {"a.png", "b.JPG"}


def test_an_address_is_named_by_its_last_part() -> None:
    (source,) = find_sources(["https://x.test/photos/a.jpg?sig=secret"])

    assert (source.name, source.url) == ("a.jpg", "https://x.test/photos/a.jpg?sig=secret")


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no file or folder"):
        find_sources([str(tmp_path / "none")])
    with pytest.raises(ConfigurationError, match="no photo"):
        find_sources([str(tmp_path)])
