"""The Exif metadata of a photo's file: camera, time, author, and place."""

import math
from collections.abc import Mapping
from typing import Any

from imaginem.images.opening import opened_photo
from imaginem.images.survey import opened_apart
from imaginem.redaction import one_line

# By their Exif 2.32 names, the fields that help a caseworker; others are of no use or too private.
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
# Tags that lead to further directories (Exif 2.32, 4.6.3).
_GPS = 0x8825
_EXIF = 0x8769


def read_exif(data: bytes, *, gps: bool) -> dict[str, str]:
    """Return the Exif fields that people are shown, by our name of the field.

    Args:
        data: the photo's file.
        gps: include `latitude` and `longitude`, in degrees.

    Raises:
        PermanentError: the file is not a photo.
    """
    from PIL import ExifTags

    if opened_apart(data):
        return {}
    with opened_photo(data) as opened:
        exif = opened.getexif()
        tags: dict[int, Any] = {**exif, **exif.get_ifd(_EXIF)}
        values = {ExifTags.TAGS.get(number, ""): value for number, value in tags.items()}
        fields = {
            label: one_line(str(values[name]).strip("\0 "), 200)
            for name, label in _SHOWN.items()
            if values.get(name)
        }
        if gps:
            fields |= _place(exif.get_ifd(_GPS))
    return {label: text for label, text in fields.items() if text}


def _place(tags: Mapping[int, Any]) -> dict[str, str]:
    """Return latitude and longitude as signed degrees (Exif 2.32, 4.6.6)."""
    try:
        latitude = _degrees(tags[2], str(tags.get(1, "N")) == "S")
        longitude = _degrees(tags[4], str(tags.get(3, "E")) == "W")
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return {}
    if abs(latitude) > 90 or abs(longitude) > 180:  # damaged: no place on Earth
        return {}
    return {"latitude": f"{latitude:.6f}", "longitude": f"{longitude:.6f}"}


def _degrees(parts: Any, negative: bool) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(value):  # cameras write 0/0 until they know where they are
        raise ValueError
    return -value if negative else value
