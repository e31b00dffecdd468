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
