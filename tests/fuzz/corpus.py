"""Whole photo files of every format and kind that is decoded, from which broken ones are made."""

import io
from collections.abc import Mapping
from functools import cache

from PIL import Image, ImageCms

from imaginem.assets import AssetStore
from imaginem.config.settings import read_settings
from imaginem.errors import ConfigurationError
from tests.bombs import jpegs, others, tiffs
from tests.bombs.heics import HEIC

_PHOTOS = ("flower.jpg", "grace_hopper.jpg", "rocket.jpg", "camera.png", "chelsea.png", "page.png")
_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def exif_block(orientation: int = 6) -> bytes:
    """Return Exif metadata as cameras write it, with a place."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F], exif[0x0110], exif[0x0132] = "Maker", "Model", "2026:11:27 12:00:00"
    exif.get_ifd(0x8769)[0x9003] = "2026:11:27 12:00:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (46.0, 12.0, 30.5), 3: "E", 4: (6.0, 8.0, 1.25)})
    return exif.tobytes()


@cache
def real_photos() -> Mapping[str, bytes]:
    """Return the sample photos that are in the cache of assets."""
    store, found = AssetStore(read_settings().assets), {}
    for name in _PHOTOS:
        try:
            found[name] = store.path(name).read_bytes()
        except ConfigurationError:  # not fetched: the made ones remain
            continue
    return found


def _picture() -> Image.Image:
    """Return a small picture: of a real photo, where there is one."""
    photo = next(iter(real_photos().values()), b"")
    if photo:
        with Image.open(io.BytesIO(photo)) as opened:
            return opened.convert("RGB").resize((96, 64))
    return Image.radial_gradient("L").resize((96, 64)).convert("RGB")


def _saved(picture: Image.Image, format_name: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.copy().save(out, format_name, **options)  # a picture remembers how it was saved
    return out.getvalue()


def _frames(first: Image.Image) -> dict[str, object]:
    """Return the options that save two more frames."""
    return {"save_all": True, "append_images": [first.rotate(90), first.rotate(180)]}


@cache
def small_files() -> Mapping[str, bytes]:
    """Return small files of every format, by a name that says what is special."""
    rgb = _picture()
    clear = rgb.copy()
    clear.putalpha(Image.linear_gradient("L").resize(rgb.size))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    told = {"exif": exif_block(), "icc_profile": profile}
    grey, paletted = rgb.convert("L"), rgb.quantize(16)
    many_bits = grey.convert("I").point(lambda value: value * 200).convert("I;16")
    files = {
        "jpeg": _saved(rgb, "JPEG", **told, xmp=_XMP, comment=b"a comment"),
        "jpeg progressive": _saved(rgb, "JPEG", progressive=True, exif=exif_block(8)),
        "jpeg grey": _saved(grey, "JPEG"),
        "jpeg cmyk": _saved(rgb.convert("CMYK"), "JPEG"),
        "jpeg restarts": _saved(rgb, "JPEG", restart_marker_rows=1, subsampling=0),
        "jpeg arithmetic": jpegs.arithmetic(64, 48),
        "mpo": _saved(rgb, "MPO", **_frames(rgb)),
        "png": _saved(rgb, "PNG", **told),
        "png alpha": _saved(clear, "PNG"),
        "png palette": _saved(paletted, "PNG", transparency=3),
        "png 16 bits": _saved(many_bits, "PNG"),
        "png 1 bit": _saved(rgb.convert("1"), "PNG"),
        "png animated": _saved(rgb, "PNG", **_frames(rgb)),
        "webp": _saved(rgb, "WEBP", **told, xmp=_XMP),
        "webp lossless": _saved(clear, "WEBP", lossless=True),
        "webp animated": _saved(rgb, "WEBP", **_frames(rgb)),
        "gif": _saved(paletted, "GIF", comment=b"a comment"),
        "gif animated": _saved(rgb, "GIF", **_frames(rgb)),
        "bmp": _saved(rgb, "BMP"),
        "bmp palette": _saved(paletted, "BMP"),
        "bmp packed": others.bmp(64, 48, b"\x40\x07" * 48 + b"\0\1"),
        "heic": HEIC,
        "heic grid": others.heic(5, grid=(2, 2)),
        "tiff pages": _saved(rgb, "TIFF", **_frames(rgb)),
        "tiff big": _saved(rgb, "TIFF", big_tiff=True, **told),
        "tiff float": _saved(grey.convert("F"), "TIFF"),
        "tiff strips": tiffs.many_strips(500),
    }
    for packing in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "tiff_sgilog"):
        try:
            files[f"tiff {packing}"] = _saved(rgb, "TIFF", compression=packing)
        except (OSError, ValueError, RuntimeError):  # this build of Pillow does not write it
            continue
    files["tiff group4"] = _saved(rgb.convert("1"), "TIFF", compression="group4")
    return files


@cache
def alien_files() -> Mapping[str, bytes]:
    """Return files of formats that are not decoded, to be taken for something else."""
    rgb = _picture()
    return {
        "avif": _saved(rgb, "AVIF"),
        "jpeg2000": _saved(rgb, "JPEG2000"),
        "ico": _saved(rgb, "ICO"),
        "pdf": _saved(rgb, "PDF"),
        "tga": _saved(rgb, "TGA"),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "eps": _saved(rgb, "EPS"),
        "zip": b"PK\3\4" + bytes(60),
        "html": b"<html><script>alert(1)</script>",
        "nothing": b"",
    }
