"""What hostile messages and broken photos have shown, each by the value that showed it."""

import base64
import json
import struct

import pytest
from PIL import Image

from imaginem.errors import InvalidMessage, PermanentError
from imaginem.images.decoding import decode_photo
from imaginem.images.exif import read_exif
from imaginem.images.opening import opened_photo
from imaginem.images.survey import survey
from imaginem.message import decode_message, read_json
from imaginem.names import check_pipeline
from imaginem.pipeline.loading import believed
from imaginem.pipeline.resuming import without_secrets
from imaginem.ports import JobResult
from imaginem.redaction import one_line, redact, without_query
from imaginem.testing import MemoryServices, message_for
from imaginem.usecases.drops import receive_drop
from imaginem.usecases.renditions import size_of
from tests.unit.test_imaging import saved
from tests.workbench import Bench

PLAIN = Image.new("RGB", (40, 20), "teal")


@pytest.mark.parametrize(
    "address",
    [
        "ftp://somebody:SECRET@x.test/a",
        "//somebody:SECRET@x.test/a",
        "HTTP\uff0f://somebody:SECRET@x.test/a",
        "https:\\/\\/somebody:SECRET@x.test/a",
    ],
)
def test_no_address_keeps_its_password_whatever_its_scheme(address: str) -> None:
    for plain in (without_query(address), redact(f"see {address}"), redact(f'{{"a": "{address}"')):
        assert "SECRET" not in plain


def test_two_slashes_and_an_at_in_a_path_stay() -> None:
    assert without_query("https://x.test/a//b@c/d") == "https://x.test/a//b@c/d"


@pytest.mark.parametrize("name", ["password", "AccountKey", "api_key", "access_token"])
def test_a_field_of_broken_json_keeps_no_secret(bench: Bench, name: str) -> None:
    broken = f'{{"job_definition": {{"{name}": "SECRET"}}, NaN'
    for number, body in enumerate((broken, base64.b64encode(broken.encode()).decode())):
        bench.execute(bench.first, body, f"m{number}")
    bodies = [entry.body for entry in bench.poisoned]
    assert bodies == [broken.replace("SECRET", "***")] * 2


def test_a_forged_address_of_our_copy_has_no_query() -> None:
    message = message_for("https://memory.test/inputimages/x", ["ocr"])
    forged = message.noting(image="https://x.test/a?sig=SECRET")
    assert believed(forged).job_definition.bookkeeping.image == "https://x.test/a"


def test_what_is_no_json_is_told_with_what_to_send() -> None:
    with pytest.raises(InvalidMessage, match="send a JSON object that holds job_definition"):
        read_json('{"a": ')


def test_a_long_name_does_not_cut_off_what_to_do(bench: Bench) -> None:
    with pytest.raises(InvalidMessage) as told:
        check_pipeline(["x" * 5_000])
    assert one_line(str(told.value)).endswith("single dashes inside")
    name = f"{'b' * 600}/a.jpg"
    bench.services.blobs.put("inputimages", name, b"x", "image/png")
    receive_drop(bench.services, name)
    assert "shorten it" in bench.poisoned[0].reason


def test_a_line_has_no_control_characters() -> None:
    assert one_line("a\0b\x1b[2Jc\u202ed") == "a b [2Jc d"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["TIFF", "JPEG", "PNG"])
def test_the_size_told_is_that_of_the_decoded_photo(format_name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(PLAIN, format_name, exif=exif)
    services = MemoryServices()
    url = services.blobs.put("inputimages", "b/j", data, "image/tiff")
    result = JobResult("b", "j", ("ocr",), url, {}, {}, photo_url=url)
    photo = decode_photo(data)
    assert size_of(services, result) == (photo.width, photo.height)


def test_a_progressive_jpeg_of_no_colours_is_damaged() -> None:
    data = bytearray(saved(PLAIN, "JPEG", progressive=True))
    data[data.index(b"\xff\xc2") + 9] = 0
    with pytest.raises(PermanentError, match="send"):
        decode_photo(bytes(data))


def test_offsets_beyond_every_file_are_damage() -> None:
    data = bytearray(saved(PLAIN, "TIFF", big_tiff=True))
    (page,) = struct.unpack_from("<Q", data, 8)
    (tags,) = struct.unpack_from("<Q", data, page)
    struct.pack_into("<Q", data, page + 8 + 20 * tags, 2**64 - 1)  # where the next page is
    assert survey(bytes(data))
    with pytest.raises(PermanentError):
        decode_photo(b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**64 - 1))


def test_a_decoder_that_tells_of_damage_in_lines_makes_one_line() -> None:
    with (
        pytest.raises(PermanentError, match=r"one line, another; send the original again$"),
        opened_photo(saved(PLAIN, "PNG")),
    ):
        raise OSError("one line,\nanother\n")


@pytest.mark.parametrize("degrees", [596_560.0, 90.5])
def test_a_place_that_is_not_on_earth_is_none(degrees: float) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (degrees, 0.0, 0.0), 3: "E", 4: (6.0, 0.0, 0.0)})
    assert "latitude" not in read_exif(saved(PLAIN, "JPEG", exif=exif), gps=True)


def test_of_a_very_long_reason_only_the_beginning_is_read_and_no_half_secret_is_shown() -> None:
    key = "k" * 86 + "=="
    assert one_line("word " * 400_000) == "word " * 119 + "word…"
    hidden = f"https://example.org/a?{'q' * 19_930}"
    assert one_line(f"{hidden} {key}{'z' * 99}") == "https://example.org/a…"
    assert one_line(f"password={'p' * 19_950};{key}") == "…"
    assert one_line(f"{'short '}{hidden}") == "short https://example.org/a"


def test_an_address_with_wrong_slashes_keeps_no_password() -> None:
    for begin in ("https:/", "https:", "ftp:\\", "https:/\ufffd", "https:///"):
        assert "secret" not in without_query(f"{begin}someone:secret@photos.test/a.jpg")
    assert without_query("https://photos.test/a@b.jpg") == "https://photos.test/a@b.jpg"


def test_fields_that_nobody_knows_are_kept_without_secrets() -> None:
    message = message_for("https://memory.test/inputimages/b/photo", ["ocr"])
    value = json.loads(message.encode())
    odd = {"image": "HTTPS://photos.test/a.jpg?token=secret", "password": "secret", "size": 5}
    value["odd"] = value["job_definition"]["_imag\ufffd"] = odd
    value["job_definition"]["input"]["clientSecret"] = "secret"
    kept = without_secrets(decode_message(json.dumps(value), ["ocr"]))
    assert "secret" not in json.dumps(kept)
    assert kept["odd"] == {"image": "HTTPS://photos.test/a.jpg", "password": "***", "size": 5}
