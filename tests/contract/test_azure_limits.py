"""What a photo loses on its way to the services: nothing where they take it whole."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from imaginem.ai_emulator import AiEmulator, AiEmulatorOptions, AiEmulatorServer
from imaginem.config.settings import read_settings
from imaginem.errors import RetryableError
from imaginem.images.decoding import Photo, decode_photo
from imaginem.outputs import ImageAnalysis, OcrText
from imaginem.ports import CallContext
from imaginem.runtime import Runtime
from imaginem.testing import MemorySharedState
from tests.ai_emulator import KEY, ColorEngines

CALL = CallContext("b", "one", "ocr")
SIZE = WIDTH, HEIGHT = 8000, 6000
FOUR_MEGABYTES = 4 * 1024 * 1024
NAME = (4200, 3000, 4500, 3030)
"""Where a name of 14 pixels' height is written."""


class Readers(ColorEngines):
    """Keeps the photos that reach the services' engines."""

    def __init__(self) -> None:
        super().__init__()
        self.analyzed: list[Photo] = []
        self.read_photos: list[Photo] = []

    def analyze(self, photo: Photo, call: CallContext) -> ImageAnalysis:
        self.analyzed.append(photo)
        return super().analyze(photo, call)

    def read(self, photo: Photo, call: CallContext) -> OcrText:
        self.read_photos.append(photo)
        return super().read(photo, call)


Started = Callable[..., tuple[Runtime, Readers]]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """Start an emulator whose Vision account has a tier, and a runtime whose engines call it."""
    with ExitStack() as stack:

        def start(tier: str, believed: str = "") -> tuple[Runtime, Readers]:
            readers = Readers()
            emulator = AiEmulator(readers, AiEmulatorOptions(key=KEY, tier=tier))
            server = stack.enter_context(AiEmulatorServer(emulator))
            settings = {
                "VISION_ENGINE": "azure",
                "VISION_ENDPOINT": server.address,
                "VISION_API_KEY": KEY,
                "VISION_CALLS_PER_SECOND": "0",
                "VISION_TIER": believed or tier,
                "IMAGINEM_HOME": str(tmp_path),
            }
            runtime = Runtime(read_settings(settings))
            runtime.made["shared_state"] = MemorySharedState()
            return runtime, readers

        yield start


@pytest.fixture(scope="module")
def page() -> Image.Image:
    """A register of 48 megapixels on rough paper, full of names of 14 pixels' height."""
    rng = np.random.default_rng(48)
    paper = rng.normal(225, 14, (HEIGHT // 2, WIDTH // 2)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(paper).resize(SIZE, Image.Resampling.BICUBIC).convert("RGB")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=14)
    for top in range(0, HEIGHT, 30):
        draw.text((NAME[0], top), "Achieng Otieno Nyambura", "#203040", font)
    return picture


def photographed(page: Image.Image, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    page.save(out, "JPEG", quality=88, exif=exif)
    return out.getvalue()


@pytest.fixture(scope="module")
def register(page: Image.Image) -> Photo:
    data = photographed(page)
    assert len(data) > 1.5 * FOUR_MEGABYTES
    return decode_photo(data)


def test_on_the_paid_tier_read_gets_every_pixel_of_a_register(
    started: Started, register: Photo
) -> None:
    runtime, readers = started("S1")
    text = runtime.ocr.read(register, CALL)

    (seen,) = readers.read_photos
    assert (seen.width, seen.height) == SIZE
    there, here = (np.asarray(photo.pil.crop(NAME)) for photo in (seen, register))
    assert np.array_equal(there, here)
    assert text.lines[0].polygon == [0, 0, WIDTH, 0, WIDTH, 20, 0, 20]
    assert text.lines[0].words[1].polygon[0] == WIDTH // 2


def test_a_register_that_was_photographed_sideways_keeps_its_names_too(
    started: Started, page: Image.Image
) -> None:
    runtime, readers = started("S1")
    sideways = decode_photo(photographed(page, orientation=6))
    text = runtime.ocr.read(sideways, CALL)

    (seen,) = readers.read_photos
    assert (seen.width, seen.height) == (sideways.width, sideways.height) == (HEIGHT, WIDTH)
    where = (HEIGHT - NAME[3], NAME[0], HEIGHT - NAME[1], NAME[2])
    there, here = (np.asarray(photo.pil.crop(where), float) for photo in (seen, sideways))
    assert np.abs(there - here).mean() < 4  # out of 255
    assert text.lines[0].polygon[2] == HEIGHT


def test_on_the_free_tier_a_register_is_shrunk_to_4_megabytes(
    started: Started, register: Photo
) -> None:
    runtime, readers = started("F0")
    text = runtime.ocr.read(register, CALL)

    (seen,) = readers.read_photos
    assert 3000 < seen.width < WIDTH
    assert text.lines[0].polygon[2] == WIDTH
    assert text.lines[0].polygon[5] == pytest.approx(20 * WIDTH / seen.width, abs=1)


@pytest.mark.parametrize("tier", ["S1", "F0"])
def test_analyze_gets_4_megabytes_on_every_tier(
    started: Started, register: Photo, tier: str
) -> None:
    runtime, readers = started(tier)
    analysis = runtime.vision.analyze(register, CALL)

    (seen,) = readers.analyzed
    assert seen.width < WIDTH
    assert analysis.metadata.width == WIDTH
    assert analysis.objects[0].rectangle.w == pytest.approx(WIDTH // 2, abs=4)


def test_an_account_that_is_free_against_its_setting_says_which_setting(
    started: Started, register: Photo
) -> None:
    runtime, readers = started("F0", believed="S1")
    with pytest.raises(RetryableError, match="set VISION_TIER=F0"):
        runtime.ocr.read(register, CALL)
    assert readers.read_photos == []
