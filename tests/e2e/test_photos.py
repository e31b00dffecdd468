"""Real photos through the whole pipeline: what is found in them, and who matches whom."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageFilter

from imaginem.cli.matched_photos import matched_photos
from tests.installation import ALL_STEPS, Installation
from tests.waiting import until

Sample = Callable[[str], bytes]


def reencoded(
    data: bytes, *, scale: float = 1, quality: int = 85, format_name: str = "JPEG"
) -> bytes:
    """Return a photo resized and encoded again, as phones and messengers do."""
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGB")
    size = (round(picture.width * scale), round(picture.height * scale))
    out = io.BytesIO()
    picture.resize(size, Image.Resampling.LANCZOS).save(out, format_name, quality=quality)
    return out.getvalue()


def tags(outputs: dict[str, Any], min_confidence: float = 0.3) -> set[str]:
    all_tags = outputs["generalclassification"]["tags"]
    return {tag["name"] for tag in all_tags if tag["confidence"] >= min_confidence}


@pytest.mark.parametrize(
    ("name", "scale", "format_name", "expected", "faces"),
    [
        ("coffee.png", 0.8, "JPEG", {"espresso"}, 0),
        ("chelsea.png", 1.5, "WEBP", {"cat"}, 0),
        ("motorcycle_left.png", 0.9, "JPEG", {"vehicle"}, 0),
        ("astronaut.png", 1.4, "JPEG", {"person"}, 1),
        ("grace_hopper.jpg", 0.8, "PNG", {"person", "uniform"}, 1),
        ("group5.jpg", 0.7, "JPEG", {"person"}, 5),
    ],
)
def test_photos_are_tagged_and_faces_counted(
    running: Installation,
    sample: Sample,
    batch: str,
    name: str,
    scale: float,
    format_name: str,
    expected: set[str],
    faces: int,
) -> None:
    url = running.upload(reencoded(sample(name), scale=scale, format_name=format_name))
    running.job(url, batch=batch)
    entry = running.wait(batch)

    assert entry.properties["job_state"] == "succeeded"
    outputs = running.outputs(batch)
    assert expected <= tags(outputs)
    assert len(outputs["facedetection"]["faces"]) == faces
    assert len(outputs["facecrop"]["faces"]) == faces
    assert len(outputs["faceprint"]["faces"]) == faces
    assert outputs["generalclassification"]["metadata"]["format"] == format_name


@pytest.mark.parametrize("turned", [0, 180])
def test_text_is_read(
    running: Installation, engine: str, sample: Sample, batch: str, turned: int
) -> None:
    with Image.open(io.BytesIO(sample("page.png"))) as page:
        picture = page.convert("L").resize((page.width * 3, page.height * 3)).rotate(turned)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    running.job(running.upload(out.getvalue()), ("ocr", "pipelineoutput"), batch=batch)
    running.wait(batch)

    output = running.outputs(batch)["ocr"]
    text = output["full_text"]
    for phrase in (
        "Region-based segmentation",
        "determine markers of the coins",
        "histogram of grey",
    ):
        assert phrase in text
    assert text.index("Region-based") < text.index("histogram")
    assert output["language"] == ("und-Latn" if engine == "local" else "")  # Read may name none
    first = output["lines"][0]
    assert [word["text"] for word in first["words"]][-1].endswith("segmentation")
    assert all(0 <= value <= picture.width for value in first["polygon"])


def test_one_persons_photos_match_each_other_however_they_were_reencoded(
    running: Installation, sample: Sample, batch: str
) -> None:
    """Five reencoded photos of one person, and three of others, all processed at once."""
    photos = {
        "IMG-0001": reencoded(sample("obama.jpg"), scale=0.5, quality=60),
        "IMG-0002": reencoded(sample("obama2.jpg"), scale=1.3),
        "IMG-0003": reencoded(sample("obama3.jpg"), scale=0.4, format_name="WEBP"),
        "IMG-0004": reencoded(sample("obama_partial_face.jpg")),
        "IMG-0005": sample("32bit.png"),
        "other-1": reencoded(sample("biden.jpg"), scale=0.6),
        "other-2": reencoded(sample("grace_hopper.jpg")),
        "other-3": reencoded(sample("camera.png")),
    }
    for job, data in photos.items():
        running.job(running.upload(data), batch=batch, job=job)
    running.wait(batch, photos)

    one_person = {name for name in photos if name.startswith("IMG")}
    for job in photos:
        photos_like_it = matched_photos(running.runtime, (batch, job))
        matched = {photo.job_id for photo in photos_like_it if photo.batch_id == batch}
        assert matched == (one_person - {job} if job in one_person else set()), job
    results = list(running.runtime.results.batch(batch))
    assert len(results) == len(photos)
    for result in results:
        assert "embedding" not in str(result.job_output)


def test_small_faces_in_a_large_photo_are_found(
    running: Installation, sample: Sample, batch: str
) -> None:
    """A photo of 12 megapixels with twelve faces 50 pixels high."""
    with Image.open(io.BytesIO(sample("coffee.png"))) as opened:
        large = opened.convert("RGB").resize((4000, 2667))
    with Image.open(io.BytesIO(sample("astronaut.png"))) as opened:
        person = opened.convert("RGB").crop((100, 20, 340, 280))
    person = person.resize((105, 114), Image.Resampling.LANCZOS).filter(ImageFilter.SHARPEN)
    for number in range(12):
        large.paste(person, (300 + (number % 4) * 900, 1500 + (number // 4) * 330))
    out = io.BytesIO()
    large.save(out, "JPEG", quality=90)
    running.job(running.upload(out.getvalue()), ("facedetection", "pipelineoutput"), batch=batch)
    running.wait(batch)

    faces = running.outputs(batch)["facedetection"]["faces"]
    heights = [face["face_rectangle"]["height"] for face in faces]
    assert len(faces) == 12
    assert sorted(heights)[6] < 70


def test_crops_lie_in_the_private_container_and_show_the_face(
    running: Installation, sample: Sample, batch: str
) -> None:
    running.job(running.upload(sample("astronaut.png")), ALL_STEPS[2:4], batch=batch)
    entry = running.wait(batch)
    output = json.loads(entry.properties["facecrop_output"])["faces"][0]
    place = running.runtime.blobs.locate(output["url"])
    assert place is not None
    assert place[0] == "faces"
    crop = Image.open(io.BytesIO(running.runtime.blobs.get(*place, 10_000_000)))
    assert crop.size == (output["width"], output["height"])
    assert crop.format == "PNG"


def test_a_photo_without_faces_ends_well(running: Installation, sample: Sample, batch: str) -> None:
    running.job(running.upload(sample("coffee.png")), batch=batch)
    assert running.wait(batch).properties["job_state"] == "succeeded"
    outputs = running.outputs(batch)
    for step in ("facedetection", "facecrop", "faceprint"):
        assert outputs[step] == {"faces": []}
    assert outputs["facematch"] == {"matches": []}


def test_running_a_job_again_replaces_its_faces(
    running: Installation, sample: Sample, batch: str
) -> None:
    for name, faces in (("group5.jpg", 5), ("astronaut.png", 1), ("astronaut.png", 1)):
        text = running.job(running.upload(sample(name)), batch=batch)
        newest = json.loads(text)["job_definition"]["input"]["image_url"]
        until(lambda: running.wait(batch).properties["image_url"] == newest)  # noqa: B023
        running.wait(batch)
        assert len(running.outputs(batch)["facedetection"]["faces"]) == faces
        assert len(running.runtime.gallery.faces_of((batch, "job-1"))) == faces
