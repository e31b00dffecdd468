"""Photos that would cost far more than they weigh are refused, with the reason."""

import io
import resource
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from imaginem.errors import PermanentError
from imaginem.images import decoding
from imaginem.images.apart import decode_apart
from imaginem.images.decoding import DECODES_AT_ONCE, check_photo, decode_photo
from imaginem.images.limits import PAGE_PIXELS, OverLimit
from imaginem.images.opening import opened_photo
from imaginem.images.survey import survey
from imaginem.testing import photo_bytes
from tests.bombs import heics, jpegs, others, pdfs, pngs, tiffs
from tests.dashboard import client, keep, web_services

# Each is refused before a decoder sees it: what is counted, and its limit.
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "many scans": (lambda: jpegs.many_scans(64, 48, 101), "more than 100 scans"),
    "many scans in arithmetic code": (
        lambda: jpegs.arithmetic_scans(64, 48, 101),
        "more than 100 scans",
    ),
    "many segments": (jpegs.KINDS["jpeg: 3 million empty comments"], "2,000 segments"),
    "fill bytes": (jpegs.KINDS["jpeg: 18 MB of fill bytes"], "4,096 bytes between segments"),
    "escaped bytes": (jpegs.KINDS["jpeg: 9 million escaped bytes"], "4,096 bytes between segments"),
    "a large profile": (jpegs.KINDS["jpeg: a colour profile of 16 MB"], "bytes of colour profile"),
    "much Exif": (jpegs.KINDS["jpeg: 19 MB of Exif in parts"], "bytes of Exif"),
    "much of Photoshop": (jpegs.KINDS["jpeg: a million Photoshop blocks"], "of Photoshop data"),
    "a large JPEG header": (lambda: jpegs.wrong_size(65_500, 65_500), "65500x65500 pixels"),
    "coefficients without end": (
        lambda: jpegs.wrong_size(8_000, 8_000, progressive=True, subsampling=0),
        "more than 600 MB",
    ),
    "PNG chunks": (pngs.KINDS["png: a million empty chunks"], "20,000 chunks"),
    "PNG chunks after the picture": (
        pngs.KINDS["png: a million chunks after the pixels"],
        "20,000 chunks",
    ),
    "PNG pixels": (lambda: pngs.png(40_000, 40_000, pngs.GREY, 1), "40000x40000 pixels"),
    "PNG frames": (
        lambda: pngs.png(64, 48, before=pngs.chunk(b"fcTL", bytes(26)) * 1_001),
        "more than 1,000 frames",
    ),
    "PNG Exif": (pngs.KINDS["png: 20 MB of Exif"], "bytes of Exif"),
    "TIFF strips": (lambda: tiffs.many_strips(1_000_000), "1,000,000 strips or tiles"),
    "TIFF tiles": (lambda: tiffs.many_tiles(8_000, 8_000), "250,000 strips or tiles"),
    "TIFF pages": (lambda: tiffs.many_directories(1_001), "more than 1,000 pages"),
    "TIFF tags": (tiffs.KINDS["tiff: 20,000 tags on the same 5 MB"], "20,008 tags"),
    "TIFF pixels": (tiffs.KINDS["tiff: 4 billion pixels told"], "65000x65000 pixels"),
    "GIF frames": (lambda: others.gif_frames(1_001), "more than 1,000 frames"),
    "GIF blocks": (others.KINDS["gif: 4 million blocks of a byte"], "400,000 blocks"),
    "GIF pixels": (others.KINDS["gif: 65535 x 65535 pixels"], "65535x65535 pixels"),
    "WEBP frames": (others.KINDS["webp: 100,000 frames"], "more than 1,000 frames"),
    "WEBP pixels": (others.KINDS["webp: a canvas of 16383 x 16383"], "16383x16383 pixels"),
    "HEIC tiles": (lambda: others.heic(2_001, grid=(50, 40)), "2,000 items or tiles"),
    "AVIF tiles": (lambda: others.heic(2_001, brand=b"avif"), "2,000 items or tiles"),
    "AVIF pixels": (others.KINDS["avif: 60000 x 60000 pixels"], "60000x60000 pixels"),
    "HEIC pixels": (lambda: others.heic(1, 60_000), "60000x60000 pixels"),
    "BMP pixels": (others.KINDS["bmp: 2 billion pixels"], "2147483647x1 pixels"),
}
TEXT = ["png: zTXt of 1 GB", "png: iTXt of 1 GB", "png: a colour profile of 1 GB"]
NOT_OURS = ["ico: 65,535 pictures", "psd: 900 megapixels", "svg: a billion laughs", "eps"]


@pytest.mark.parametrize("name", REFUSED)
def test_a_bomb_is_refused_before_it_is_decoded(name: str) -> None:
    make, told = REFUSED[name]
    data = make()
    for read in (decode_photo, check_photo):
        with pytest.raises(OverLimit, match=told) as refusal:
            read(data)
        assert "limit is" in str(refusal.value) or "that is the limit" in str(refusal.value)


@pytest.mark.parametrize("name", TEXT)
def test_text_that_unfolds_without_end_is_refused(name: str) -> None:
    with pytest.raises(PermanentError, match="Decompressed data too large"):
        decode_photo(pngs.KINDS[name]())


@pytest.mark.parametrize("name", NOT_OURS)
def test_formats_that_we_do_not_know_are_not_decoded(name: str) -> None:
    with pytest.raises(PermanentError, match="not a photo that can be read"):
        decode_photo(others.KINDS[name]())


def test_avif_is_decoded_in_a_child_process() -> None:
    before = children_seconds()
    photo = decode_photo(saved(Image.new("RGB", (64, 48), "teal"), "AVIF"))
    assert children_seconds() > before
    assert (photo.width, photo.height, photo.format) == (64, 48, "AVIF")
    assert abs(photo.array.reshape(-1, 3).mean(0) - [0, 128, 128]).max() < 6


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pdf: 2,000 pages", "2,000 pages; the limit is 1,000"),
        ("pdf: encrypted", "the PDF is encrypted: save it without a password"),
        ("pdf: 19 MB of nothing", "the PDF is damaged"),
    ],
)
def test_a_pdf_that_cannot_be_shown_is_refused_with_the_reason(name: str, told: str) -> None:
    with pytest.raises(PermanentError, match=told):
        decode_photo(pdfs.KINDS[name]())


def test_a_page_of_any_size_is_rendered_with_few_pixels() -> None:
    photo = decode_photo(pdfs.KINDS["pdf: a page of a billion points"]())
    assert photo.width * photo.height <= 1.01 * PAGE_PIXELS


@pytest.mark.parametrize(
    "data",
    [
        jpegs.many_scans(64, 48, 30),
        jpegs.jpeg(64, 48, progressive=True),
        tiffs.many_strips(5_000),
        tiffs.many_directories(3, loop=True),
        photo_bytes(format_name="GIF"),
        photo_bytes(format_name="WEBP"),
        photo_bytes(format_name="BMP"),
    ],
)
def test_what_a_camera_or_a_program_writes_is_decoded_in_place(data: bytes) -> None:
    assert survey(data)
    assert decode_photo(data).width


def test_scans_of_a_preview_after_the_picture_are_not_counted() -> None:
    preview = jpegs.many_scans(64, 48, 200)
    assert survey(jpegs.jpeg(64, 48) + preview)


@pytest.mark.parametrize(
    "data",
    [
        jpegs.many_scans(64, 48, 31),
        jpegs.arithmetic(64, 48),
        tiffs.many_strips(20_000),
        tiffs.one_strip(16, 16, 7, jpegs.jpeg(16, 16)),
        others.bmp(2_000, 2_000, b"\xff\0" * 40_000),
        others.heic(1, 6_000),
        heics.HEIC,
        others.heic(1, 6_000, brand=b"avif"),
        pdfs.many_pages(1),
        heics.larger_stream(16_384, 16_384),
    ],
)
def test_what_is_unusual_is_left_to_a_child_process(data: bytes) -> None:
    assert not survey(data)


def saved(picture: Image.Image, format_name: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, format_name, **options)
    return out.getvalue()


def shades(mode: str) -> Image.Image:
    return Image.linear_gradient("L").resize((90, 60)).convert(mode)


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize(
    "data",
    [
        saved(shades("RGB"), "JPEG", exif=turned(), icc_profile=b"a profile"),
        saved(shades("LA"), "PNG"),
        saved(shades("I").point(lambda value: value * 200).convert("I;16"), "PNG"),
    ],
    ids=["turned", "transparent", "16 bits"],
)
def test_a_child_process_decodes_the_same_pixels(data: bytes) -> None:
    here, apart = decode_photo(data), decode_apart(data)
    size = (apart.pixels.width, apart.pixels.height)
    assert size == (here.pil.width, here.pil.height)
    assert apart.pixels.data == here.pil.tobytes()
    assert apart.pixels.info.get("icc_profile") == here.pil.info.get("icc_profile")
    assert (apart.format, apart.same_file) == (here.format, bool(here.same_file))
    assert apart.told_upright == here.told_upright == (b"Exif" in data)


def children_seconds() -> float:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


def test_more_than_24_megapixels_are_decoded_in_a_child_process() -> None:
    before = children_seconds()
    photo = decode_photo(pngs.png(6_000, 4_200, pngs.GREY, 1))
    assert children_seconds() > before
    assert (photo.width, photo.height, photo.format) == (6_000, 4_200, "PNG")
    assert photo.pil.getextrema() == ((0, 0),) * 3


def test_a_usual_photo_starts_no_process() -> None:
    before = children_seconds()
    decode_photo(jpegs.jpeg(640, 480))
    assert children_seconds() == before


def test_a_process_decodes_no_more_than_two_photos_at_once() -> None:
    with ThreadPoolExecutor(1) as pool:
        for _ in range(DECODES_AT_ONCE):
            decoding._slots.acquire()
        third = pool.submit(decode_photo, jpegs.jpeg(64, 48))
        with pytest.raises(TimeoutError):
            third.result(0.05)
        for _ in range(DECODES_AT_ONCE):
            decoding._slots.release()
        assert third.result(10).width == 64


def test_what_a_child_process_finds_damaged_is_refused_with_its_words() -> None:
    with pytest.raises(PermanentError, match="damaged: not enough image data"):
        decode_apart(others.bmp(200, 200, b"\xff\0"))


_LIMITED = """
import resource
from imaginem.images.child import limit_this_process
limit_this_process()
assert resource.getrlimit(resource.RLIMIT_CPU)[0] == 4
try:
    bytearray(700_000_000)
except MemoryError:
    print("bounded")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems bound less")
def test_a_child_process_is_bounded_in_time_and_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED], capture_output=True, text=True, check=True
    )
    assert done.stdout == "bounded\n"


def test_large_transparent_pictures_become_rgb_strip_by_strip() -> None:
    picture = Image.new("RGBA", (1_500, 1_000), (200, 0, 0, 128))
    picture.putpixel((3, 999), (0, 0, 255, 255))
    photo = decode_photo(saved(picture, "PNG", compress_level=1))
    assert photo.pil.getpixel((3, 999)) == (0, 0, 255)
    assert photo.pil.getpixel((1_499, 998)) == (227, 127, 127)


def test_the_page_and_the_api_tell_why_a_bomb_is_refused() -> None:
    bomb = {"file": ("a.jpg", jpegs.many_scans(64, 48, 101), "image/jpeg")}
    with client(web_services()) as api:
        for address in ("/api/faces/search", "/api/batches/b/images", "/faces/search"):
            answer = api.post(address, files=bomb)
            assert answer.status_code == 413
            assert "more than 100 scans; the limit is 100" in answer.text


def test_a_bomb_that_is_in_storage_already_has_no_thumbnail_but_a_reason() -> None:
    services = web_services()
    keep(services, ("b", "j"), photo=jpegs.many_scans(64, 48, 101))
    with client(services) as api:
        answer = api.get("/api/images/b/j/thumbnail")
    assert (answer.status_code, "limit is 100" in answer.text) == (413, True)


def test_an_open_photo_is_counted_first() -> None:
    with pytest.raises(OverLimit), opened_photo(jpegs.many_scans(64, 48, 101)):
        pass
