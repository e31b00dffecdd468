"""What a photo's file tells besides its pixels."""

from collections.abc import Mapping
from typing import Any

from imaginem.images.decoding import opened_photo
from imaginem.redaction import one_line

# Exif 2.32 names of what helps a caseworker; the rest is noise or too private.
_SHOWN = {
    "Make": "make",
    "Model": "model",
    "Software": "software",
    "DateTime": "changed",
    "DateTimeOriginal": "taken",
    "DateTimeDigitized": "digitized",
    "Artist": "artist",
    "Copyright": "copyright",
    "ImageDescription": "description",
}
_GPS = 0x8825
_EXIF = 0x8769


def read_exif(data: bytes, *, gps: bool) -> dict[str, str]:
    """Return what a photo's file tells of camera, time and, if asked, place.

    Args:
        data: the file.
        gps: give latitude and longitude in degrees, too.

    Raises:
        PermanentError: it is no photo.
    """
    from PIL import ExifTags

    with opened_photo(data) as opened:
        exif = opened.getexif()
        told: dict[int, Any] = {**exif, **exif.get_ifd(_EXIF)}
        named = {ExifTags.TAGS.get(number, ""): value for number, value in told.items()}
        found = {
            label: one_line(str(named[name]).strip("\0 "), 200)
            for name, label in _SHOWN.items()
            if named.get(name)
        }
        if gps:
            found |= _place(exif.get_ifd(_GPS))
    return {label: text for label, text in found.items() if text}


def _place(told: Mapping[int, Any]) -> dict[str, str]:
    """Return latitude and longitude as signed degrees (Exif 2.32, 4.6.6)."""
    try:
        latitude = _degrees(told[2], str(told.get(1, "N")) == "S")
        longitude = _degrees(told[4], str(told.get(3, "E")) == "W")
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return {}
    return {"latitude": f"{latitude:.6f}", "longitude": f"{longitude:.6f}"}


def _degrees(parts: Any, negative: bool) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return -value if negative else value
