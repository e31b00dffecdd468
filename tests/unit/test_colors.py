"""What a photo's colours mean: profiles, inks, and what lies under transparent parts."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from imaginem.images.apart import decode_apart
from imaginem.images.decoding import Photo, decode_photo

ORANGE = (230, 120, 40)


def saved(picture: Image.Image, format_name: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, format=format_name, **options)
    return out.getvalue()


def mean_color(photo: Photo) -> tuple[int, ...]:
    return tuple(int(value) for value in photo.array.reshape(-1, 3).mean(0).round())


def is_near(one: tuple[int, ...], other: tuple[int, ...], within: int = 4) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= within


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """Return a profile by which red is blue and blue is red."""
    profile = srgb_profile()
    for old, new in ((b"rXYZ", b"????"), (b"bXYZ", b"rXYZ"), (b"????", b"bXYZ")):
        profile = profile.replace(old, new, 1)
    return profile


def ink_profile() -> bytes:
    """Return a profile of four inks, made of the colours (CIE Lab) of its sixteen corners."""
    corners = bytearray()
    for number in range(16):
        cyan, magenta, yellow, black = (number >> shift & 1 for shift in (3, 2, 1, 0))
        light = 0 if black else 255 - 100 * cyan - 110 * magenta - 20 * yellow
        colored = not black
        a = 128 + colored * (70 * magenta - 35 * cyan)
        b = 128 + colored * (80 * yellow - 45 * cyan)
        corners += bytes((max(light, 0), a, b))
    matrix = struct.pack(">9i", *(65536 * (number % 4 == 0) for number in range(9)))
    ramp = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + ramp * 4 + bytes(corners) + ramp * 3
    table += bytes(-len(table) % 4)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    start = 128 + 4 + 2 * 12
    tags = struct.pack(">I4sII", 2, b"A2B0", start, len(table))
    tags += struct.pack(">4sII", b"wtpt", start + len(table), len(white))
    header = bytearray(128)
    struct.pack_into(">I", header, 0, start + len(table) + len(white))
    struct.pack_into(">I4s4s4s", header, 8, 0x02400000, b"prtr", b"CMYK", b"Lab ")
    header[36:40] = b"acsp"
    struct.pack_into(">3i", header, 68, 63190, 65536, 54061)
    return bytes(header) + tags + table + white


@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA"])
def test_a_profile_tells_what_the_colours_are(mode: str) -> None:
    stored = Image.new("RGB", (40, 30), ORANGE[::-1]).convert(mode)

    photo = decode_photo(saved(stored, icc_profile=swapped_profile()))

    assert is_near(mean_color(photo), ORANGE)
    assert "icc_profile" not in photo.pil.info  # what is cut out would be converted twice


def test_a_jpeg_whose_colours_were_converted_is_not_sent_on_as_it_is() -> None:
    stored = Image.new("RGB", (40, 30), ORANGE[::-1])
    data = saved(stored, "JPEG", icc_profile=swapped_profile(), quality=95, subsampling=0)

    assert decode_photo(data).same_file == b""
    assert is_near(mean_color(decode_photo(data)), ORANGE, 6)


def test_a_profile_that_changes_nothing_leaves_the_file_as_it_is() -> None:
    profile = srgb_profile()  # each has the second in it when it was made
    data = saved(Image.new("RGB", (40, 30), ORANGE), "JPEG", icc_profile=profile)

    photo = decode_photo(data)

    assert photo.same_file == data
    assert photo.pil.info["icc_profile"] == profile


@pytest.mark.parametrize(
    "profile",
    [b"no profile", srgb_profile()[:200], ink_profile()],
    ids=["junk", "cut", "of another kind of photo"],
)
def test_a_profile_that_cannot_be_used_is_left_out(profile: bytes) -> None:
    data = saved(Image.new("RGB", (40, 30), ORANGE), icc_profile=profile)

    assert mean_color(decode_photo(data)) == ORANGE


def test_inks_become_the_colours_that_their_profile_names() -> None:
    cyan = Image.new("CMYK", (40, 30), (255, 0, 0, 0))

    plain = decode_photo(saved(cyan, "TIFF"))
    profiled = decode_photo(saved(cyan, "TIFF", icc_profile=ink_profile()))

    assert mean_color(plain) == (0, 255, 255)
    red, green, blue = mean_color(profiled)
    assert red < 60
    assert 100 < green < 200 < blue


def test_a_process_apart_decodes_the_same_colours() -> None:
    profile = swapped_profile() + bytes(5_000)  # too long for this process
    stored = Image.new("RGB", (40, 30), ORANGE[::-1])
    data = saved(stored, "TIFF", icc_profile=profile)

    apart = decode_apart(data)

    assert is_near(tuple(apart.pixels.data[:3]), ORANGE)
    assert apart.pixels.info == {}
    assert decode_photo(data).pixels.data == apart.pixels.data


def written(ink: tuple[int, ...], mode: str = "RGBA") -> Image.Image:
    picture = Image.new("RGBA", (200, 60), (0, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle((40, 20, 160, 40), fill=ink)
    return picture.convert(mode)


def contrast(photo: Photo) -> int:
    """Return how far the middle is from the ground."""
    ink, ground = photo.array[30, 100].astype(int), photo.array[5, 5].astype(int)
    return int(np.abs(ink - ground).max())


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("shade", [255, 230, 128, 0])
def test_what_is_drawn_on_transparent_ground_can_be_seen(mode: str, shade: int) -> None:
    photo = decode_photo(saved(written((shade, shade, shade, 255), mode)))

    assert contrast(photo) >= 120


def test_black_and_white_on_transparent_ground_can_both_be_seen() -> None:
    picture = written((255, 255, 255, 255))
    ImageDraw.Draw(picture).rectangle((40, 45, 160, 55), fill="black")

    photo = decode_photo(saved(picture))

    assert contrast(photo) >= 100
    assert np.abs(photo.array[50, 100].astype(int) - photo.array[5, 5]).max() >= 100


def test_the_ground_is_white_where_that_serves() -> None:
    photo = decode_photo(saved(written((200, 30, 30, 255))))

    assert tuple(photo.array[5, 5]) == (255, 255, 255)


def test_a_palette_with_a_transparent_colour_is_put_on_a_ground_too() -> None:
    picture = Image.new("P", (200, 60), 0)
    picture.putpalette([0, 0, 0, 255, 255, 255])
    ImageDraw.Draw(picture).rectangle((40, 20, 160, 40), fill=1)

    photo = decode_photo(saved(picture, "GIF", transparency=0))

    assert contrast(photo) >= 120
