"""Photos far longer than wide, and photos that a library breaks on: one step fails at most."""

import io

import pytest
from PIL import Image, ImageDraw, ImageFont

import steps  # noqa: F401 - registers them
from imaginem.assets import AssetStore
from imaginem.config.sections.pipeline import DEFAULT_PIPELINE
from imaginem.config.settings import read_settings
from imaginem.engines.local.faces import LocalFaces
from imaginem.engines.local.ocr import LocalOcr
from imaginem.engines.local.vision import LocalVision
from imaginem.errors import PermanentError
from imaginem.images.conversion import Pixels
from imaginem.images.decoding import Photo, decode_photo
from imaginem.outputs import OcrText
from imaginem.pipeline.steps import default_registry
from imaginem.ports import CallContext
from imaginem.testing import MemoryServices, message_for, run_all

CALL = CallContext.without_job("test")
BROKEN = Photo(Pixels(8, 8, b"too few", {}), format_name="PNG", sha256="0" * 64)


@pytest.fixture(scope="module")
def store() -> AssetStore:
    return AssetStore(read_settings().assets)


def thin(width: int, height: int, text: str = "") -> bytes:
    picture = Image.new("RGB", (width, height), "white")
    if text:
        draw = ImageDraw.Draw(picture)
        draw.text((width // 8, 1), text, "black", font=ImageFont.load_default(height - 5))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("size", [(2400, 18), (18, 2400), (9000, 1)])
def test_a_long_thin_photo_without_text_has_none(store: AssetStore, size: tuple[int, int]) -> None:
    assert LocalOcr(store).read(decode_photo(thin(*size)), CALL).lines == []


def test_the_text_on_a_thin_photo_lies_within_the_photo(store: AssetStore) -> None:
    photo = decode_photo(thin(1900, 26, "MISSING SINCE MONDAY"))

    (line,) = LocalOcr(store).read(photo, CALL).lines

    assert line.text.replace(" ", "") == "MISSINGSINCEMONDAY"
    for polygon in (line.polygon, *(word.polygon for word in line.words)):
        assert max(polygon[0::2]) <= photo.width
        assert max(polygon[1::2]) <= photo.height
    assert abs(line.polygon[0] - photo.width // 8) < 12


def written(size: tuple[int, int], lines: dict[tuple[int, int], str]) -> Photo:
    """Return a picture with lines of text of 24 pixels at these places."""
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    for place, line in lines.items():
        draw.text(place, line, "black", font=ImageFont.load_default(24))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return decode_photo(out.getvalue())


def test_every_line_of_a_screenshot_that_was_scrolled_is_read(store: AssetStore) -> None:
    lines = {(30, 30 + 410 * number): f"Person Number{number}" for number in range(20)}

    found = LocalOcr(store).read(written((800, 8_200), lines), CALL).lines

    assert [line.text.replace(" ", "") for line in found] == [
        line.replace(" ", "") for line in lines.values()
    ]
    for line, (left, top) in zip(found, lines, strict=True):
        assert abs(line.polygon[0] - left) < 20
        assert abs(line.polygon[1] - top) < 20


def test_a_panorama_is_read_line_by_line_and_its_words_are_not_cut(store: AssetStore) -> None:
    above, below = "MISSING PERSON " * 20, "PLEASE CALL " * 22

    found = LocalOcr(store).read(written((9_000, 140), {(9, 9): above, (9, 90): below}), CALL)

    words = found.full_text.split()
    assert {*words[: words.index("PLEASE")]} == {"MISSING", "PERSON"}
    assert {*words[words.index("PLEASE") :]} == {"PLEASE", "CALL"}


def outcome(services: MemoryServices, data: bytes) -> dict[str, str]:
    """Return the state of a photo's job, and how each of its steps ended."""
    url = services.blobs.put("inputimages", "photo.png", data, "image/png")
    services.queues.send(DEFAULT_PIPELINE[0], message_for(url, DEFAULT_PIPELINE).encode())
    run_all(services, default_registry)
    row = services.log.read(("batch-1", "job-1"))
    assert row is not None
    return {name: str(row.properties[name]) for name in ("job_state", *DEFAULT_PIPELINE)}


@pytest.mark.parametrize("size", [(79, 10_000), (2400, 18)])
def test_a_long_thin_photo_comes_through_all_steps(
    store: AssetStore, size: tuple[int, int]
) -> None:
    ended = outcome(
        MemoryServices(ocr=LocalOcr(store), vision=LocalVision(store), faces=LocalFaces(store)),
        thin(*size),
    )

    assert ended.pop("job_state") == "succeeded"
    assert len(ended) == 7
    assert all(each.endswith(": success") for each in ended.values())


class BreaksOnEachPhoto(LocalOcr):
    def read(self, photo: Photo, call: CallContext) -> OcrText:
        return super().read(BROKEN, call)


def test_a_library_that_breaks_on_a_photo_fails_one_step_and_the_others_run(
    store: AssetStore, caplog: pytest.LogCaptureFixture
) -> None:
    ended = outcome(MemoryServices(ocr=BreaksOnEachPhoto(store)), thin(90, 60))

    assert ended.pop("job_state") == "partial"
    failed = {name for name, how in ended.items() if not how.endswith(": success")}
    assert failed == {"ocr"}
    assert "can't read its text" in caplog.text  # with the library's own words


def test_each_local_engine_says_that_it_cannot_cope_with_a_photo(store: AssetStore) -> None:
    ways = (LocalOcr(store).read, LocalVision(store).analyze, LocalFaces(store).detect)
    for look in ways:
        with pytest.raises(PermanentError, match=r"the local engine can't .*ValueError"):
            look(BROKEN, CALL)
