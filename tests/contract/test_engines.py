"""One suite over all engines: local models, and Azure's services as their emulator plays them."""

import io
import uuid
from collections.abc import Iterator
from functools import partial
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from imaginem.ai_emulator import AiEmulator, AiEmulatorServer
from imaginem.ai_emulator.app import LocalEngines
from imaginem.ai_emulator.chat import MODEL
from imaginem.assets import AssetStore
from imaginem.config.engine_table import ENGINE_TABLE, AccountName
from imaginem.config.settings import read_settings
from imaginem.engines.local.tagger import Tagger
from imaginem.errors import PermanentError
from imaginem.images.decoding import Photo, decode_photo
from imaginem.outputs import Face, ImageAnalysis, OcrText, name_face
from imaginem.ports import CallContext, FacesOfOne, JobKey, PhotoOfMany, faces_in_many
from imaginem.runtime import Runtime
from imaginem.testing import MemorySharedState

CALL = CallContext("contract", "job-1", "facedetection")


@pytest.fixture(scope="module")
def ai_emulator() -> Iterator[AiEmulatorServer]:
    with AiEmulatorServer(AiEmulator(LocalEngines(AssetStore(read_settings().assets)))) as server:
        yield server


# A provider of one kind is one more line; kinds that it leaves out have their default.
PROVIDERS = {
    "local": {"VISION_ENGINE": "local", "FACE_ENGINE": "local"},
    "azure": {"VISION_ENGINE": "azure", "FACE_ENGINE": "azure", "FACE_GRID": "2x2"},
    "successors": {
        "VISION_ENGINE": "contentunderstanding",
        "OCR_ENGINE": "documentintelligence",
        "FACE_ENGINE": "local",
    },
    "openai": {"VISION_ENGINE": "openai", "OPENAI_MODEL": MODEL},
}


@pytest.fixture(params=PROVIDERS, scope="module")
def engines(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runtime]:
    settings = {
        "IMAGINEM_HOME": str(tmp_path_factory.mktemp(request.param)),
        **PROVIDERS[request.param],
    }
    if request.param != "local":
        for service in get_args(AccountName):
            settings[f"{service}_ENDPOINT"] = request.getfixturevalue("ai_emulator").address
            settings[f"{service}_API_KEY"] = "double"
            settings[f"{service}_CALLS_PER_SECOND"] = "0"
    runtime = Runtime(read_settings(settings))
    runtime.made["shared_state"] = MemorySharedState()
    yield runtime
    runtime.database.close()


def photo(name: str, turned: int = 0) -> Photo:
    data = AssetStore(read_settings().assets).path(name).read_bytes()
    if turned:
        with Image.open(io.BytesIO(data)) as opened:
            out = io.BytesIO()
            opened.convert("RGB").rotate(turned, expand=True).save(out, "JPEG", quality=90)
            data = out.getvalue()
    return decode_photo(data)


def named(engines: Runtime, key: JobKey, seen: Photo) -> list[Face]:
    faces = engines.faces.detect(seen, CALL, for_recognition=True)
    return [
        face.model_copy(
            update={"face_id": name_face(key, seen.sha256, "test", face.face_rectangle)}
        )
        for face in faces
    ]


def enrol(engines: Runtime, job: str, name: str) -> tuple[JobKey, Photo, list[uuid.UUID]]:
    key, seen = ("contract", job), photo(name)
    prints = engines.recognizer.enrol(key, seen, named(engines, key, seen), CALL)
    return key, seen, [each.face_id for each in prints]


def test_an_engine_has_the_name_that_is_told_without_making_it(engines: Runtime) -> None:
    made = {row.shown_as: engines.engine(row.kind).name for row in ENGINE_TABLE.rows}
    assert engines.engine_names == made


def test_an_analysis_holds_what_is_promised(engines: Runtime) -> None:
    seen = photo("chelsea.png")
    found = engines.vision.analyze(seen, CALL)

    assert ImageAnalysis.model_validate_json(found.model_dump_json()) == found
    assert (found.metadata.width, found.metadata.height) == (seen.width, seen.height)
    assert found.metadata.format == "PNG"
    assert "cat" in [tag.name for tag in found.tags]
    assert found.color.dominant_colors
    assert found.objects
    for thing in found.objects:
        box = thing.rectangle
        assert 0 <= box.x <= box.x + box.w <= seen.width + 1
        assert 0 <= box.y <= box.y + box.h <= seen.height + 1
        assert 0 <= thing.confidence <= 1


def test_a_class_counts_for_the_first_category_that_names_it_alone() -> None:
    probabilities = np.zeros(1000, np.float32)
    probabilities[388], probabilities[967] = 0.6, 0.3  # giant panda, espresso

    found = Tagger(AssetStore(read_settings().assets)).categories(probabilities)

    assert [category.name for category in found] == ["animal_panda", "food_"]


def test_text_comes_in_reading_order_with_words_in_their_lines(engines: Runtime) -> None:
    seen = photo("page.png")
    found = engines.ocr.read(seen, CALL)

    assert OcrText.model_validate_json(found.model_dump_json()) == found
    assert "Region" in found.full_text
    for line in found.lines:
        if found.without_places:
            assert (line.words, line.polygon) == ([], [])
            continue
        assert line.text.split() == [word.text for word in line.words]
        assert len(line.polygon) == 8
        assert all(-2 <= x <= seen.width + 2 for x in line.polygon[::2])


def test_faces_lie_in_the_photo_and_have_eyes(engines: Runtime) -> None:
    seen = photo("group5.jpg")
    faces = engines.faces.detect(seen, CALL)

    assert len(faces) == 5
    sizes = [face.face_rectangle.width * face.face_rectangle.height for face in faces]
    assert max(sizes) == sizes[0]
    for face in faces:
        where, left_eye = face.face_rectangle, face.face_landmarks["pupil_left"]
        assert where.left <= left_eye.x <= where.left + where.width
        assert where.top <= left_eye.y <= where.top + where.height
        assert face.face_id is None
        assert face.face_attributes.head_pose is not None


def from_the_left(faces: list[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: face.face_rectangle.left)


def test_several_photos_together_have_the_faces_that_each_has_alone(engines: Runtime) -> None:
    names = ("group5.jpg", "chelsea.png", "obama.jpg", "astronaut.png", "biden.jpg")
    found = faces_in_many(
        engines.faces, [PhotoOfMany(partial(photo, name), CALL) for name in names]
    )

    for name, seen in zip(names, found, strict=True):
        assert isinstance(seen, FacesOfOne), seen
        alone = engines.faces.detect(photo(name), CALL)
        assert len(seen.faces) == len(alone)
        for face, other in zip(from_the_left(seen.faces), from_the_left(alone), strict=True):
            where, same = face.face_rectangle, other.face_rectangle
            near = same.width * 0.2
            assert (where.left, where.top) == pytest.approx((same.left, same.top), abs=near)
            eye, its = face.face_landmarks["pupil_left"], other.face_landmarks["pupil_left"]
            assert (eye.x, eye.y) == pytest.approx((its.x, its.y), abs=near)
            assert face.face_id is None


def test_a_photo_that_can_not_be_read_costs_others_nothing(engines: Runtime) -> None:
    photos = [PhotoOfMany(partial(decode_photo, b"no photo"), CALL)]
    photos += [PhotoOfMany(partial(photo, name), CALL) for name in ("obama.jpg", "biden.jpg")]
    broken, *found = faces_in_many(engines.faces, photos)

    assert isinstance(broken, PermanentError)
    assert [isinstance(seen, FacesOfOne) and len(seen.faces) for seen in found] == [1, 1]


def test_a_photo_without_faces_is_no_error(engines: Runtime) -> None:
    key, seen = ("contract", "coffee"), photo("coffee.png")

    assert engines.faces.detect(seen, CALL, for_recognition=True) == []
    assert engines.recognizer.enrol(key, seen, [], CALL) == []
    assert engines.recognizer.match(key, [], lambda: seen, CALL) == []


def test_one_person_is_found_and_nobody_else_until_erased(engines: Runtime) -> None:
    first = enrol(engines, "obama", "obama.jpg")
    enrol(engines, "biden", "biden.jpg")
    key, seen, ids = enrol(engines, "obama2", "obama2.jpg")
    matches = engines.recognizer.match(key, ids, lambda: seen, CALL)

    assert [match.matched_face_id for match in matches] == first[2]
    assert matches[0].band == "match"
    assert 0.5 < matches[0].confidence <= 1
    (back,) = engines.gallery.matches_of(first[2])
    assert back.matched_face_id == ids[0]

    engines.gallery.enrol(first[0], [])
    assert engines.recognizer.match(key, ids, lambda: seen, CALL) == []


def test_a_face_on_a_later_page_is_recognized_as_it_looks_there(engines: Runtime) -> None:
    sheets = [photo(name).pil for name in ("grace_hopper.jpg", "biden.jpg")]
    file = io.BytesIO()
    sheets[0].save(file, "TIFF", save_all=True, append_images=sheets[1:])
    key, scan = ("contract", "scan"), decode_photo(file.getvalue())
    faces = [
        face.model_copy(update={"page": page.page})
        for page in scan.pages()
        for face in named(engines, (*key[:1], f"scan {page.page}"), page)
    ]
    assert [face.page for face in faces] == [1, 2]
    stripped = [face.model_copy(update={"service_face_id": None}) for face in faces]

    prints = engines.recognizer.enrol(key, scan, stripped, CALL)

    assert [each.face_id for each in prints] == [face.face_id for face in faces]
    other, seen, ids = enrol(engines, "biden alone", "biden.jpg")
    matches = engines.recognizer.match(other, ids, lambda: seen, CALL)
    assert faces[1].face_id in {match.matched_face_id for match in matches}
    engines.gallery.enrol(key, [])
    engines.gallery.enrol(other, [])


def test_enrolling_again_gives_the_same_faces(engines: Runtime) -> None:
    key, _seen, ids = enrol(engines, "grace", "grace_hopper.jpg")
    assert enrol(engines, "grace", "grace_hopper.jpg")[2] == ids
    assert [face.face_id for face in engines.gallery.faces_of(key)] == ids


def test_faces_that_were_never_enrolled_are_told(engines: Runtime) -> None:
    seen = photo("grace_hopper.jpg")
    with pytest.raises(PermanentError, match="put faceprint before facematch"):
        engines.recognizer.match(("contract", "nobody"), [uuid.uuid4()], lambda: seen, CALL)


def test_recognition_needs_faces_with_ids(engines: Runtime) -> None:
    seen = photo("grace_hopper.jpg")
    with pytest.raises(PermanentError, match="face_id"):
        engines.recognizer.enrol(
            ("contract", "unnamed"), seen, engines.faces.detect(seen, CALL), CALL
        )


def test_a_photo_that_is_not_kept_finds_who_looks_alike(engines: Runtime) -> None:
    key, seen = ("search", "obama"), photo("obama.jpg")
    (face,) = named(engines, key, seen)
    engines.recognizer.enrol(key, seen, [face], CALL)
    asked = photo("obama2.jpg")
    ((found, similar),) = engines.recognizer.search(
        asked, engines.faces.detect(asked, CALL, for_recognition=True), CALL
    )
    assert face.face_id in {each.face_id for each in similar if each.band == "match"}
    assert found.face_rectangle.width > 10
    stranger = photo("grace_hopper.jpg")
    ((_, nobody),) = engines.recognizer.search(stranger, engines.faces.detect(stranger, CALL), CALL)
    assert face.face_id not in {each.face_id for each in nobody}
    assert engines.gallery.faces_of(("search", "other")) == []
