"""What leaves for the services: the picture, and nothing that was written beside it."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imaginem.engines.azure.limits import ANALYZE, DOCUMENT_READ, FACE, READ, ServiceLimits
from imaginem.engines.azure.payload import payload
from imaginem.errors import PermanentError
from imaginem.images.bare_jpeg import NotBare, bare_jpeg
from imaginem.images.decoding import Photo, decode_photo
from imaginem.outputs import Rectangle

SECRET = b"at her sister's in Kisumu"


def picture(mode: str = "RGB", width: int = 160, height: int = 120) -> Image.Image:
    rng = np.random.default_rng(1)
    shape = (height, width) if mode == "L" else (height, width, 3)
    return Image.fromarray(rng.integers(0, 255, shape, np.uint8))


def jpeg(made: Image.Image | None = None, **options: object) -> bytes:
    out = io.BytesIO()
    (made or picture()).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


def told(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    exif[0x0112] = orientation
    return exif


def after_start(segment: bytes) -> bytes:
    """Return a JPEG file with a segment right behind its start."""
    data = jpeg()
    return data[:2] + segment + data[2:]


def two_pictures() -> bytes:
    second = jpeg(comment=SECRET)
    return jpeg() + second


def preview_in_jfif() -> bytes:
    """Return a JPEG file whose JFIF segment has a preview of 3 x 3 pixels."""
    data = jpeg()
    assert data[2:4] == b"\xff\xe0"
    preview = (SECRET * 2)[:27]
    segment = data[4:6].replace(b"\x00\x10", (16 + 27).to_bytes(2, "big"))
    return data[:4] + segment + data[6:18] + b"\x03\x03" + preview + data[20:]


TELLING: dict[str, Callable[[], bytes]] = {
    "exif": lambda: jpeg(exif=told()),
    "comment": lambda: jpeg(comment=SECRET),
    "xmp": lambda: jpeg(xmp=SECRET),
    "colour profile": lambda: jpeg(icc_profile=SECRET),
    "maker's own segment": lambda: after_start(
        b"\xff\xed" + (len(SECRET) + 2).to_bytes(2, "big") + SECRET
    ),
    "behind the picture": lambda: jpeg() + SECRET,
    "second picture": two_pictures,
    "preview": preview_in_jfif,
    "exif of a photo that is turned": lambda: jpeg(exif=told(6), comment=SECRET),
    "comment of another format": lambda: _png(),
}


def _png() -> bytes:
    out = io.BytesIO()
    made = picture()
    made.info["comment"] = SECRET
    made.save(out, "GIF", comment=SECRET)
    return out.getvalue()


@pytest.mark.parametrize("where", TELLING)
@pytest.mark.parametrize("limits", [ANALYZE, READ.paid, FACE], ids=["analyze", "read", "face"])
def test_what_is_written_beside_a_picture_never_leaves(where: str, limits: ServiceLimits) -> None:
    data = TELLING[where]()
    assert SECRET in data
    sent = payload(decode_photo(data), limits)

    assert SECRET not in sent.data
    decode_photo(sent.data)


KINDS: dict[str, Callable[[], bytes]] = {
    "plain": jpeg,
    "grey": lambda: jpeg(picture("L")),
    "progressive": lambda: jpeg(progressive=True, exif=told()),
    "with restarts": lambda: jpeg(restart_marker_blocks=2, comment=SECRET),
    "its own colours": lambda: jpeg(keep_rgb=True),
    "every colour of every pixel": lambda: jpeg(subsampling=0),
    "several pictures": two_pictures,
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_upright_jpeg_is_sent_with_its_own_bytes(kind: str) -> None:
    photo = decode_photo(KINDS[kind]())
    sent = payload(photo, READ.paid)

    assert np.array_equal(decode_photo(sent.data).array, photo.array)
    scan = sent.data[sent.data.index(b"\xff\xda") :]
    assert scan[:200] in photo.same_file
    assert (sent.across, sent.down, sent.left, sent.top) == (1, 1, 0, 0)


def test_a_picture_that_must_be_turned_shrunk_or_cut_is_encoded_anew() -> None:
    turned = decode_photo(jpeg(exif=told(6)))
    assert turned.same_file == b""
    assert decode_photo(payload(turned, READ.paid).data).width == turned.width == 120

    photo = decode_photo(jpeg())
    small = payload(photo, ServiceLimits(max_bytes=6_000, min_side=50, max_side=10_000))
    assert len(small.data) <= 6_000
    assert small.x(small.width) == pytest.approx(160)
    short = payload(photo, ServiceLimits(max_bytes=10**6, min_side=50, max_side=80))
    assert (short.width, short.height, short.across) == (80, 60, 2)
    part = payload(photo, FACE, Rectangle(left=10, top=20, width=80, height=60))
    assert (part.width, part.height, part.left, part.top) == (80, 60, 10, 20)


def test_no_file_of_more_than_20_megabytes_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imaginem.engines.azure.payload._MOST_SENT", 6_000)
    for data in (jpeg(), jpeg(exif=told(6))):
        assert len(payload(decode_photo(data), READ.paid).data) <= 6_000
    with pytest.raises(PermanentError, match="cut it into parts"):
        monkeypatch.setattr("imaginem.engines.azure.payload._MOST_SENT", 400)
        payload(decode_photo(jpeg()), READ.paid)


def test_only_the_free_tier_has_its_own_limits_and_only_for_text() -> None:
    for operation in (READ, DOCUMENT_READ):
        assert operation.at("F0").max_bytes == ANALYZE.max_bytes == 4 * 1024 * 1024
        assert operation.at("S1") == operation.at("S0") == operation.paid
        assert operation.paid.max_bytes == 500 * 1024 * 1024
        assert (operation.paid.min_side, operation.free.max_side) == (50, 10_000)


@given(st.data())
def test_a_damaged_jpeg_is_either_cleaned_or_refused(data: st.DataObject) -> None:
    whole = bytearray(jpeg(exif=told(), comment=SECRET))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        bare = bare_jpeg(cut)
    except NotBare:
        return
    assert bare_jpeg(bare) == bare


def test_kinds_of_jpeg_that_few_decoders_know_are_encoded_anew() -> None:
    data = jpeg()
    arithmetic = data.replace(b"\xff\xc0", b"\xff\xc9", 1)
    with pytest.raises(NotBare, match="0xc9"):
        bare_jpeg(arithmetic)
    photo = decode_photo(data)
    odd = Photo(photo.pixels, format_name="JPEG", sha256=photo.sha256, same_file=arithmetic)
    assert decode_photo(payload(odd, READ.paid).data).width == 160
