"""Decoding photos: every format, upright, bounded; anything else a clear error."""

import io
import struct
import threading
import weakref
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imaginem.errors import PermanentError
from imaginem.images.decoding import Photo, decode_photo
from imaginem.images.limits import BYTE_LIMIT
from imaginem.images.opening import tells_which_way_up
from imaginem.images.photo_cache import KEPT_SECONDS, PhotoCache
from imaginem.testing import photo_bytes
from tests.bombs.heics import HEIC


def saved(picture: Image.Image, format_name: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, format=format_name, **options)
    return out.getvalue()


def refusal(data: bytes) -> str:
    with pytest.raises(PermanentError) as told:
        decode_photo(data)
    return str(told.value)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_each_format_is_decoded(format_name: str) -> None:
    photo = decode_photo(photo_bytes(40, 30, "teal", format_name))

    assert (photo.width, photo.height, photo.format) == (40, 30, format_name)
    assert photo.array.shape == (30, 40, 3)
    assert abs(photo.array.reshape(-1, 3).mean(0) - [0, 128, 128]).max() < 4


def test_heic_is_decoded() -> None:
    photo = decode_photo(HEIC)

    assert (photo.width, photo.height, photo.format) == (64, 48, "HEIF")
    assert abs(photo.array.reshape(-1, 3).mean(0) - [0, 128, 128]).max() < 6


def test_damaged_heic_is_refused() -> None:
    damaged = HEIC[:-10]

    assert "damaged" in refusal(damaged)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(orientation: int) -> None:
    picture = Image.new("RGB", (40, 20), "white")
    picture.putpixel((0, 0), (0, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = decode_photo(saved(picture, "PNG", exif=exif))

    turned = orientation >= 5
    assert photo.told_upright == (orientation > 1)
    assert (photo.width, photo.height) == ((20, 40) if turned else (40, 20))
    corners = {1: (0, 0), 2: (39, 0), 3: (39, 19), 4: (0, 19)} | {
        5: (0, 0),
        6: (19, 0),
        7: (19, 39),
        8: (0, 39),
    }
    assert photo.pil.getpixel(corners[orientation]) == (0, 0, 0)


def test_a_photo_that_the_heic_decoder_has_turned_already_told_how() -> None:
    picture = Image.new("RGB", (4, 3))
    assert not tells_which_way_up(picture)
    picture.info["original_orientation"] = 6
    assert tells_which_way_up(picture)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_mode_becomes_plain_rgb(mode: str) -> None:
    format_name = "TIFF" if mode in ("CMYK", "F", "I") else "PNG"
    data = saved(Image.new(mode, (8, 6)), format_name)

    assert decode_photo(data).array.shape == (6, 8, 3)


def test_transparency_becomes_white() -> None:
    photo = decode_photo(saved(Image.new("RGBA", (4, 4), (255, 0, 0, 0)), "PNG"))

    assert photo.pil.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("brightest", [1.0, 0.5, 255.0])
def test_floating_point_grey_keeps_its_shades(brightest: float) -> None:
    picture = Image.new("F", (4, 1))
    for column, share in enumerate((0.0, 0.25, 0.5, 1.0)):
        picture.putpixel((column, 0), share * brightest)
    told = decode_photo(saved(picture, "TIFF")).array[0, :, 0] / 255
    most = brightest if brightest <= 1 else 1.0  # a picture from 0 to 1 may be a dark one
    assert told == pytest.approx([0.0, 0.25 * most, 0.5 * most, most], abs=0.01)


def test_sixteen_bit_grey_keeps_its_shades() -> None:
    grey = Image.fromarray(np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8))
    photo = decode_photo(saved(grey, "PNG"))

    assert photo.array.min() == 0
    assert photo.array.max() > 250
    assert len(np.unique(photo.array)) > 32


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG file that unfolds to width x height black pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = zipped_zeros((width // 8 + 1 + (width % 8 > 0)) * height)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def zipped_zeros(count: int) -> bytes:
    """Return a zlib stream of zeros; one block is packed and repeated, which is quick."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 16)) + packer.flush(zlib.Z_FULL_FLUSH)
    blocks, rest = divmod(count, 1 << 16)
    end = packer.compress(bytes(rest)) + packer.flush()
    return b"\x78\xda" + block * blocks + end + struct.pack(">I", count % 65_521 << 16 | 1)


def test_the_bomb_of_these_tests_unfolds() -> None:
    assert zlib.decompress(zipped_zeros(200_000)) == bytes(200_000)
    assert decode_photo(bomb(800, 900)).array.shape[:2] == (900, 800)


@pytest.mark.parametrize("side", [10_000, 40_000])
def test_a_decompression_bomb_is_refused_before_it_unfolds(side: int) -> None:
    told = refusal(bomb(side, side))

    assert "limit is 64 megapixels" in told


def test_too_many_bytes_are_refused() -> None:
    assert "20 MB" in refusal(b"\xff" * (BYTE_LIMIT + 1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%PDF-1.7",
        b"GIF89a",
        photo_bytes()[:60],
        photo_bytes(format_name="JPEG")[:-200],
    ],
)
def test_what_is_no_whole_photo_is_refused(data: bytes) -> None:
    told = refusal(data)

    assert "can be read" in told or "damaged" in told


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what it skips
@given(st.data())
def test_damaged_files_never_raise_anything_else(data: st.DataObject) -> None:
    whole = bytearray(
        photo_bytes(format_name=data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "BMP"])))
    )
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_photo(bytes(whole))
    except PermanentError:
        return


def test_the_cache_reads_a_photo_once_and_keeps_few() -> None:
    cache = PhotoCache(pixels=64 * 48 * 2)
    reads: list[str] = []

    def ask(name: str, width: int = 64) -> Photo:
        def read() -> bytes:
            reads.append(name)
            return photo_bytes(width, 48)

        return cache.photo(name, read)

    assert ask("one") is ask("one")
    ask("two")
    ask("three")
    ask("one")
    assert reads == ["one", "two", "three", "one"]
    ask("large", 640)
    ask("large", 640)
    assert reads[4:] == ["large", "large"]


def test_a_photo_that_cannot_be_read_is_not_kept() -> None:
    cache = PhotoCache()
    with pytest.raises(PermanentError, match="can be read"):
        cache.photo("a", lambda: b"no photo")
    assert cache.photo("a", photo_bytes).width == 64


def test_a_photo_that_nobody_asks_for_is_not_kept_in_memory() -> None:
    now, due = [0.0], list[tuple[float, Callable[[], None]]]()
    cache = PhotoCache(
        clock=lambda: now[0], later=lambda seconds, act: due.append((now[0] + seconds, act))
    )
    reads: list[str] = []

    def ask(name: str) -> "weakref.ref[Photo]":
        def read() -> bytes:
            reads.append(name)
            return photo_bytes()

        return weakref.ref(cache.photo(name, read))

    def play_until(moment: float) -> None:
        while due and due[0][0] <= moment:
            now[0], act = due.pop(0)
            act()
        now[0] = moment

    erased, used = ask("erased"), ask("used")
    play_until(200)
    ask("used")
    play_until(KEPT_SECONDS)
    assert erased() is None, "nobody told this process that it was erased"
    assert used() is not None
    play_until(200 + KEPT_SECONDS)
    assert used() is None
    assert due == [], "nothing waits for an empty cache"
    ask("erased")
    cache.forget("erased")
    play_until(1000 + KEPT_SECONDS)
    assert due == []
    assert reads == ["erased", "used", "erased"]


def test_a_photo_keeps_its_pixels_once() -> None:
    photo = decode_photo(photo_bytes())
    kept = np.frombuffer(photo.pixels.data, np.uint8)
    assert np.shares_memory(photo.array, kept) and photo.array.nbytes == kept.nbytes
    assert not photo.array.flags.writeable
    assert [each for each in vars(photo).values() if isinstance(each, Image.Image)] == []


def test_what_engines_find_out_about_a_photo_is_found_out_once() -> None:
    photo, looked, together = decode_photo(photo_bytes()), [], threading.Barrier(4)

    def look() -> str:
        looked.append("look")
        return "upright"

    def ask(_: int) -> str:
        together.wait(timeout=10)
        return photo.once("way up", look)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(4))) == {"upright"}
    assert looked == ["look"]
    assert photo.once("another", lambda: 5) == 5


def test_a_part_of_a_photo_is_what_pillow_cuts_out() -> None:
    picture = Image.linear_gradient("L").resize((90, 60)).convert("RGB")
    data = saved(picture, "PNG", icc_profile=b"a profile")
    photo, box = decode_photo(data), (3, 5, 20, 29)
    part, whole = photo.crop(box), photo.pil.crop(box)
    assert (part.tobytes(), part.info) == (whole.tobytes(), whole.info)
    assert part.info["icc_profile"] == b"a profile"
