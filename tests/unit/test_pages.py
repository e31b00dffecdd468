"""Files of several pages: each page is looked at, and everything says on which page it is."""

import io
import subprocess
import uuid
import zlib
from collections.abc import Sequence
from typing import Any

import pytest
from PIL import Image

from imaginem.errors import PermanentError
from imaginem.images.decoding import Photo, check_photo, decode_photo
from imaginem.images.limits import PAGE_LIMIT
from imaginem.images.photo_cache import PhotoCache
from imaginem.outputs import ImageAnalysis, OcrText, PhotoMetadata, Tag, TextLine
from imaginem.pipeline.erased_faces import faces_in
from imaginem.pipeline.steps import default_registry
from imaginem.ports import CallContext
from imaginem.ports.face_places import place_in_file, place_on_page
from imaginem.testing import MemoryServices, job_for, message_for, photo_bytes, run_all
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.forget_face import forget_face
from steps.facecrop import facecrop
from steps.facedetection import facedetection
from steps.generalclassification import generalclassification
from steps.ocr import ocr
from tests.dashboard import PIPELINE, client, keep, web_services

COLORS = ("red", "green", "blue", "orange", "purple", "teal")
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")


def sheets(count: int, size: tuple[int, int] = (80, 60)) -> list[Image.Image]:
    """Return pages, each 10 pixels wider than the one before and of another colour."""
    width, height = size
    return [
        Image.new("RGB", (width + 10 * number, height), COLORS[number % len(COLORS)])
        for number in range(count)
    ]


def book(count: int, format_name: str = "TIFF", **options: object) -> bytes:
    first, *others = sheets(count) if format_name in ("TIFF", "PDF") else sheets_of_one_size(count)
    out = io.BytesIO()
    first.save(out, format_name, save_all=True, append_images=others, **options)
    return out.getvalue()


def sheets_of_one_size(count: int) -> list[Image.Image]:
    return [sheet.resize((80, 60)) for sheet in sheets(count)]


def color(photo: Photo) -> tuple[int, ...]:
    return tuple(int(value) for value in photo.array[photo.height // 2, photo.width // 2])


def rgb(name: str) -> tuple[int, ...]:
    return Image.new("RGB", (1, 1), name).getpixel((0, 0))  # type: ignore[return-value]  # 3 bands


@pytest.mark.parametrize("format_name", ["TIFF", "PDF", *ANIMATED])
def test_each_page_has_its_own_pixels_and_number(format_name: str) -> None:
    photo = decode_photo(book(3, format_name))

    pages = list(photo.pages())

    assert [page.page for page in pages] == [1, 2, 3]
    assert pages[0] is photo
    for page, name in zip(pages, COLORS, strict=False):
        assert max(abs(a - b) for a, b in zip(color(page), rgb(name), strict=True)) < 12
    assert len({page.sha256 for page in pages}) == 1
    assert len({page.key for page in pages}) == 3


def test_twelve_pages_are_twelve_pages_in_a_tiff_and_in_a_pdf() -> None:
    assert len(list(decode_photo(book(12)).pages())) == 12
    scan = decode_photo(book(12, "PDF"))
    assert scan.page_count == 12
    assert scan.on_page(12).width > scan.width


def test_a_page_of_a_pdf_has_200_dots_an_inch() -> None:
    photo = decode_photo(book(1, "PDF", resolution=100.0))

    assert photo.width - 160 in (0, 1)  # a part of a pixel is one
    assert photo.height - 120 in (0, 1)
    assert photo.format == "PDF"


def animation(count: int, side: int, format_name: str = "GIF") -> bytes:
    """Return a file in which each frame changes a part of the one before."""
    frames = [Image.new("RGB", (side, side), "white")]
    for number in range(1, count):
        frame = frames[-1].copy()
        at = number * side // count
        frame.paste(COLORS[number % len(COLORS)], (at, 0, at + side // count, side))
        frames.append(frame)
    out = io.BytesIO()
    more = {"transparency": 0} if format_name == "GIF" else {}
    frames[0].save(out, format_name, save_all=True, append_images=frames[1:], **more)
    return out.getvalue()


@pytest.mark.parametrize("format_name", ANIMATED)
def test_frames_that_are_decoded_together_are_those_that_are_decoded_alone(
    format_name: str,
) -> None:
    file = animation(12, 120, format_name)
    together = [page.pixels.data for page in decode_photo(file).pages()]
    assert together == [decode_photo(file, number).pixels.data for number in range(1, 13)]


@pytest.mark.parametrize(("side", "processes"), [(100, 1), (1000, 2), (2000, 11)])
def test_frames_of_an_animation_share_processes_as_far_as_memory_allows(
    monkeypatch: pytest.MonkeyPatch, side: int, processes: int
) -> None:
    """One for each frame, which decodes all frames before it again, would take ever longer."""
    started, start = [], subprocess.Popen

    def counted(*arguments: Any, **options: Any) -> Any:
        started.append(arguments)
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", counted)
    photo = decode_photo(animation(12, side))
    assert [page.page for page in photo.pages()] == list(range(1, 13))
    assert len(started) <= processes


def test_a_damaged_frame_costs_none_of_those_before_it() -> None:
    file = animation(4, 100)
    photo = decode_photo(file)
    whole = [photo.on_page(number).pixels.data for number in (2, 3)]
    photo = decode_photo(file[:-40])
    assert [photo.on_page(number).pixels.data for number in (2, 3)] == whole
    with pytest.raises(PermanentError):
        photo.on_page(4)


def test_an_animated_png_has_the_frames_that_are_there_and_not_those_it_tells_of() -> None:
    file = book(3, "PNG")
    told = file.index(b"acTL") + 4
    lying = file[:told] + (2**31).to_bytes(4, "big") + file[told + 4 :]
    checked = zlib.crc32(lying[told - 4 : told + 8]).to_bytes(4, "big")
    lying = lying[: told + 8] + checked + lying[told + 12 :]
    assert decode_photo(lying).page_count == 3


def test_a_picture_before_an_animation_is_a_page_too() -> None:
    file = book(3, "PNG", default_image=True)
    photo = decode_photo(file)
    assert photo.page_count == 3
    assert [color(page)[0] > 200 for page in photo.pages()] == [True, False, False]


@pytest.mark.parametrize("format_name", ["JPEG", "TIFF", *ANIMATED])
def test_a_file_of_one_page_says_nothing_of_pages(format_name: str) -> None:
    photo = decode_photo(photo_bytes(format_name=format_name))

    assert list(photo.pages()) == [photo]
    assert photo.page is None
    assert photo.key == photo.sha256


def test_what_is_no_page_is_not_counted() -> None:
    """Cameras and scanners keep smaller copies beside a picture; phones keep a second one."""
    out = io.BytesIO()
    first, preview, second = sheets(3)
    preview.encoderinfo = {"tiffinfo": {254: 1}}
    first.save(out, "TIFF", save_all=True, append_images=[preview, second])
    photo = decode_photo(out.getvalue())

    assert [color(page) for page in photo.pages()] == [rgb("red"), rgb("blue")]


def test_a_profile_of_another_page_changes_no_colours() -> None:
    out = io.BytesIO()
    first, second = sheets(2)
    second.encoderinfo = {"icc_profile": b"no profile"}
    first.save(out, "TIFF", save_all=True, append_images=[second])

    assert "icc_profile" not in decode_photo(out.getvalue()).pil.info


def test_no_more_than_a_hundred_pages_are_looked_at() -> None:
    photo = decode_photo(book(PAGE_LIMIT + 20))

    assert photo.page_count == PAGE_LIMIT + 20
    assert photo.page_numbers == range(1, 101)
    assert photo.on_page(100).page == 100


def test_a_page_that_is_not_there_is_refused() -> None:
    photo = decode_photo(book(2))

    for number in (3, 999):
        with pytest.raises(PermanentError, match=f"no page {number}, but 2 in all"):
            photo.on_page(number)


def test_a_tiff_that_breaks_off_has_the_pages_before() -> None:
    whole = book(3)
    photo = decode_photo(whole[: len(whole) - 40])

    assert color(photo) == rgb("red")
    assert photo.page_count < 4


class ReadsColors:
    """Reads the colour of a page, and notes what it was called with."""

    name = "colors"

    def __init__(self) -> None:
        self.calls: list[CallContext] = []

    def read(self, photo: Photo, call: CallContext) -> OcrText:
        self.calls.append(call)
        word = str(color(photo))
        return OcrText(
            full_text=word, lines=[TextLine(text=word, confidence=0.9, polygon=[])], language="en"
        )

    def analyze(self, photo: Photo, call: CallContext) -> ImageAnalysis:
        size = PhotoMetadata(width=photo.width, height=photo.height, format=photo.format)
        share = 0.5 + (photo.page or 0) / 10
        tags = [Tag(name="page", confidence=share), Tag(name=str(color(photo)), confidence=share)]
        adult = {"is_adult_content": photo.page == 2, "adult_score": share}
        return ImageAnalysis(tags=tags, metadata=size, adult=adult)  # type: ignore[arg-type]


def test_text_of_all_pages_is_found_each_with_its_page() -> None:
    engine = ReadsColors()

    found = ocr(job_for(book(3), services=MemoryServices(ocr=engine)))

    words = [str(rgb(name)) for name in COLORS[:3]]
    assert found.full_text == "\n".join(words)
    assert [(line.text, line.page) for line in found.lines] == list(
        zip(words, (1, 2, 3), strict=True)
    )
    assert found.pages == 3


def test_a_service_is_waited_for_rather_than_paid_twice_for_earlier_pages() -> None:
    engine = ReadsColors()

    ocr(job_for(book(3), services=MemoryServices(ocr=engine)))

    assert [call.continues for call in engine.calls] == [False, True, True]


def test_labels_are_those_of_all_pages_each_from_where_it_is_surest() -> None:
    found = generalclassification(job_for(book(3), services=MemoryServices(vision=ReadsColors())))

    assert {tag.name: tag.page for tag in found.tags} == {
        "page": 3,
        str(rgb("red")): 1,
        str(rgb("green")): 2,
        str(rgb("blue")): 3,
    }
    assert found.adult.is_adult_content is True  # as page 2 is
    assert (found.metadata.width, found.metadata.pages) == (80, 3)


def test_faces_of_each_page_have_ids_of_their_own() -> None:
    one_page = facedetection(job_for(photo_bytes(80, 60))).faces
    job = job_for(book(3, "GIF"))

    found = facedetection(job)

    assert [face.page for face in found.faces] == [1, 2, 3]
    assert len({face.face_id for face in found.faces}) == 3
    assert found.pages == 3
    assert one_page[0].page is None


def test_faces_are_cut_out_of_their_own_page() -> None:
    detected = facedetection(job_for(book(3)))
    outputs = {"facedetection": detected.model_dump(mode="json", exclude_none=True)}
    services = MemoryServices()
    job = job_for(book(3), outputs=outputs, services=services)

    crops = facecrop(job).faces

    assert [crop.page for crop in crops] == [1, 2, 3]
    for crop, name in zip(crops, COLORS, strict=False):
        blob = services.blobs.get(*place_of(services, crop.url), 10**6)
        with Image.open(io.BytesIO(blob)) as picture:
            assert picture.getpixel((0, 0)) == rgb(name)


def place_of(services: MemoryServices, url: str) -> tuple[str, str]:
    place = services.blobs.locate(url)
    assert place is not None
    return place


def run(
    services: MemoryServices, data: bytes, pipeline: Sequence[str] = PIPELINE
) -> dict[str, Any]:
    """Run a file's job to its end; return the outputs."""
    url = services.blobs.put("inputimages", "file", data, "image/tiff")
    services.queues.send(pipeline[0], message_for(url, pipeline).encode())
    run_all(services, default_registry)
    result = services.results.read(("batch-1", "job-1"))
    assert result is not None
    return dict(result.job_output)


def test_every_step_says_the_page_and_single_pages_do_not() -> None:
    several, single = run(web_services(), book(3)), run(web_services(), photo_bytes())

    for step in ("facedetection", "facecrop", "faceprint"):
        assert [face["page"] for face in several[step]["faces"]] == [1, 2, 3]
    assert "page" not in str(single)


def test_pages_cost_no_reads_of_storage() -> None:
    def reads(data: bytes) -> int:
        services = MemoryServices(photos=PhotoCache(pixels=10**7))
        count, get = 0, services.blobs.get

        def counted(*given: Any, **more: Any) -> bytes:
            nonlocal count
            count += 1
            return get(*given, **more)

        services.blobs.get = counted  # type: ignore[method-assign]  # a fake of a test
        run(services, data)
        return count

    assert reads(book(5)) == reads(photo_bytes())


def test_erasing_a_face_leaves_the_one_at_the_same_place_of_another_page() -> None:
    services = web_services()
    before = run(services, book(3))["facedetection"]["faces"]

    forget_face(services, uuid.UUID(before[1]["face_id"]), EVERYTHING, ("batch-1", "job-1"))
    again = run(services, book(3))["facedetection"]

    assert [face["page"] for face in again["faces"]] == [1, 3]
    assert again["erased_faces"] == 1


@pytest.mark.parametrize("page", [1, 2, 100])
def test_a_place_in_a_file_is_a_box_on_a_page(page: int) -> None:
    box = (5, -3, 20, 30)

    where, there = place_on_page(place_in_file(box, page))

    assert ((where.left, where.top, where.width, where.height), there) == (box, page)


def test_places_of_two_pages_never_overlap() -> None:
    rectangle = {"left": 1, "top": 2, "width": 3, "height": 4}
    first = "11111111-1111-4111-8111-111111111111"
    later = "22222222-2222-4222-8222-222222222222"
    found = faces_in(
        [
            {"face_id": first, "face_rectangle": rectangle},
            {"face_id": later, "face_rectangle": rectangle, "page": 2},
        ]
    )

    places = {str(face_id): place for face_id, place in found.items()}
    assert places[first] == (1, 2, 3, 4)
    assert places[later] == place_in_file((1, 2, 3, 4), 2) != places[first]


def test_a_pdf_is_taken_and_its_page_in_the_dashboard_tells_the_pages() -> None:
    services = web_services()
    web = client(services)
    assert check_photo(book(2, "PDF")) == "PDF"

    sent = web.post(
        "/api/batches/b/images",
        files={"file": ("scan.pdf", book(2, "PDF"), "application/pdf")},
        data={"pipeline": "facedetection, pipelineoutput"},
    )
    assert sent.status_code == 201, sent.text
    run_all(services, default_registry)

    address = f"/photos/b/{sent.json()['job_id']}"
    page = web.get(address).text
    assert "This file has 2 pages" in page
    assert 'page=2">page 2</a></small>' in page
    assert 'data-box="face-1"' in page
    assert 'data-box="face-2"' not in page  # it is on the other page
    images = address.replace("/photos/", "/api/images/")
    assert web.get(f"{images}/thumbnail").headers["content-type"] == "image/jpeg"
    assert web.get(f"{images}/original").headers["content-type"] == "application/pdf"
    assert web.get(f"{address}/file").status_code == 200


def test_groups_of_a_number_stand_as_they_are_dialled_on_lines_from_right_to_left() -> None:
    services = web_services()
    texts = ["الهاتف 0770 123 4567", "Tel 0770 123 4567", "هاتف 07701234567 <b>"]
    lines = [
        {"text": text, "confidence": 0.9, "polygon": [0, 0, 9, 0, 9, 9, 0, 9]} for text in texts
    ]
    keep(services, ("b", "one"), {"ocr": {"full_text": "\n".join(texts), "lines": lines}})
    page = client(services).get("/photos/b/one").text
    assert 'الهاتف <bdi dir="ltr">0770 123 4567</bdi></button>' in page
    assert ">Tel 0770 123 4567</button>" in page
    assert ">هاتف 07701234567 &lt;b&gt;</button>" in page


def test_a_long_text_of_signs_and_figures_is_shown_at_once() -> None:
    services = web_services()
    text = "م " + "+(" * 50_000 + "1-" * 50_000
    line = {"text": text, "confidence": 0.9, "polygon": [0, 0, 9, 0, 9, 9, 0, 9]}
    keep(services, ("b", "one"), {"ocr": {"full_text": "م", "lines": [line]}})
    assert client(services).get("/photos/b/one").status_code == 200
