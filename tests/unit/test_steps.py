"""The steps, on in-memory engines."""

import io
import uuid

import numpy as np
import pytest
from PIL import Image

from imaginem.errors import PermanentError
from imaginem.outputs import Rectangle, name_face
from imaginem.testing import MemoryServices, job_for, photo_bytes
from steps.facecrop import facecrop
from steps.facedetection import facedetection
from steps.facematch import facematch
from steps.faceprint import faceprint
from steps.generalclassification import generalclassification
from steps.ocr import ocr
from steps.pipelineoutput import pipelineoutput
from steps.sample import sample

ORIGINAL_FACE = {
    "FaceId": "904f1378-6439-4a7a-8477-41bebeaf010b",
    "FaceRectangle": {"Width": 20, "Height": 10, "Left": 5, "Top": 7},
    "FaceLandmarks": {"PupilLeft": {"X": 8.5, "Y": 9.5}},
    "FaceAttributes": {"Age": 14.1, "HeadPose": {"Roll": 4.1, "Yaw": -5.7, "Pitch": 0.0}},
}


def test_a_face_has_the_same_id_every_time() -> None:
    where = Rectangle(left=1, top=2, width=3, height=4)
    one = name_face(("b", "j"), "sha", "mtcnn", where)

    assert one == name_face(("b", "j"), "sha", "mtcnn", where)
    others = {
        name_face(("b2", "j"), "sha", "mtcnn", where),
        name_face(("b", "j2"), "sha", "mtcnn", where),
        name_face(("b", "j"), "sha2", "mtcnn", where),
        name_face(("b", "j"), "sha", "other", where),
        name_face(("b", "j"), "sha", "mtcnn", where.model_copy(update={"left": 9})),
    }
    assert len(others | {one}) == 6


def test_detected_faces_are_named() -> None:
    (face,) = facedetection(job_for()).faces

    assert face.face_id is not None
    assert face.face_rectangle.width == 32


def test_faces_in_the_original_spelling_are_cropped() -> None:
    services = MemoryServices()
    job = job_for(
        photo_bytes(64, 48),
        services=services,
        outputs={"facedetection": {"faces": [ORIGINAL_FACE]}},
    )

    (crop,) = facecrop(job).faces
    assert (crop.width, crop.height) == (20, 10)
    place = services.blobs.locate(crop.url)
    assert place == ("faces", f"batch-1/job-1/{ORIGINAL_FACE['FaceId']}.png")
    assert Image.open(io.BytesIO(services.blobs.get(*place, 10_000))).size == (20, 10)


def test_original_landmarks_and_pose_are_understood() -> None:
    job = job_for(outputs={"Facedetection": {"faces": [ORIGINAL_FACE]}})

    (face,) = job.output(facedetection).faces
    assert face.face_landmarks["pupil_left"].x == 8.5
    assert face.face_attributes.head_pose is not None
    assert face.face_attributes.head_pose.yaw == -5.7


def test_a_crop_keeps_inside_the_photo() -> None:
    face = {**ORIGINAL_FACE, "FaceRectangle": {"Left": 54, "Top": -5, "Width": 20, "Height": 10}}
    (crop,) = facecrop(
        job_for(photo_bytes(64, 48), outputs={"facedetection": {"faces": [face]}})
    ).faces

    assert (crop.width, crop.height) == (10, 5)


@pytest.mark.parametrize(("degrees", "size"), [(90, (10, 20)), (180, (20, 10)), (270, (10, 20))])
def test_the_crop_of_a_face_in_a_photo_that_lies_on_its_side_is_upright(
    degrees: int, size: tuple[int, int]
) -> None:
    picture = Image.new("RGB", (64, 48), "white")
    forehead = {90: (5, 7, 10, 17), 180: (5, 12, 25, 17), 270: (20, 7, 25, 17)}[degrees]
    picture.paste("black", forehead)
    out, services = io.BytesIO(), MemoryServices()
    picture.save(out, "PNG")
    faces = [{**ORIGINAL_FACE, "Turn": {"degrees": degrees, "confidence": 0.9}}]
    job = job_for(out.getvalue(), services=services, outputs={"facedetection": {"faces": faces}})

    (crop,) = facecrop(job).faces
    path = f"batch-1/job-1/{ORIGINAL_FACE['FaceId']}.png"
    kept = Image.open(io.BytesIO(services.blobs.get("faces", path, 10_000)))
    assert (crop.width, crop.height) == kept.size == size
    assert np.asarray(kept.convert("L"))[: size[1] // 4].max() == 0  # black on top
    assert np.asarray(kept.convert("L"))[size[1] // 2 :].min() == 255


def test_a_face_outside_the_photo_is_told() -> None:
    face = {**ORIGINAL_FACE, "FaceRectangle": {"Left": 900, "Top": 5, "Width": 20, "Height": 10}}
    with pytest.raises(PermanentError, match="lies outside the photo"):
        facecrop(job_for(photo_bytes(64, 48), outputs={"facedetection": {"faces": [face]}}))


def test_a_face_id_is_no_way_to_another_file() -> None:
    face = {**ORIGINAL_FACE, "FaceId": "../../other"}
    with pytest.raises(PermanentError, match="face_id"):
        facecrop(job_for(outputs={"facedetection": {"faces": [face]}}))


@pytest.mark.parametrize("output", [{}, {"faces": 5}, {"faces": [{"face_id": None}]}, [], "x"])
def test_a_prefilled_output_of_another_shape_is_told(output: object) -> None:
    with pytest.raises(PermanentError, match=r"job_output\.facedetection"):
        facecrop(job_for(outputs={"facedetection": output}))


def test_a_photo_without_faces_needs_no_pixels_for_its_crops() -> None:
    assert facecrop(job_for(b"no photo", outputs={"facedetection": {"faces": []}})).faces == []


def test_prints_and_matches_pass_through() -> None:
    services = MemoryServices()
    detected = facedetection(job_for(services=services)).model_dump(mode="json")
    prints = faceprint(job_for(services=services, outputs={"facedetection": detected}))
    assert isinstance(prints.faces[0].face_id, uuid.UUID)
    job = job_for(services=services, outputs={"faceprint": prints.model_dump(mode="json")})
    assert facematch(job).matches == []


def test_the_result_lands_in_sql_with_linked_outputs_inlined() -> None:
    services = MemoryServices()
    url = services.blobs.put(
        "largemessages", "batch-1/job-1/ocr-1.json", b'{"full_text": "hi"}', ""
    )
    assert pipelineoutput(job_for(services=services, outputs={"ocr": {"linked_content": url}})).done

    kept = services.results.read(("batch-1", "job-1"))
    assert kept is not None
    assert kept.job_output == {"ocr": {"full_text": "hi"}}


def test_vision_ocr_and_sample_look_at_the_photo() -> None:
    assert generalclassification(job_for(photo_bytes(30, 20))).metadata.width == 30
    assert ocr(job_for()).full_text == ""
    assert sample(job_for(photo_bytes(30, 20))).height == 20


def test_a_step_that_cannot_have_the_photo_says_why() -> None:
    with pytest.raises(PermanentError, match="can be read"):
        sample(job_for(b"not a photo"))
