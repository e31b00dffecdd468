"""Outputs that are kept already stay readable, whatever engines tell today."""

from imaginem.outputs import Face, ImageAnalysis, OcrText


def test_outputs_that_were_kept_before_services_told_more_are_read() -> None:
    analysis = ImageAnalysis.model_validate(
        {
            "tags": [{"name": "tent", "confidence": 0.9}],
            "categories": [{"name": "outdoor_", "score": 0.5}],
            "objects": [
                {"object": "bag", "confidence": 0.6, "rectangle": {"x": 1, "y": 2, "w": 3, "h": 4}}
            ],
            "color": {"is_bw_img": False},
            "adult": {"is_adult_content": True, "adult_score": 0.9, "is_racy_content": False},
            "image_type": {"clip_art_type": 2, "line_drawing_type": 0},
            "metadata": {"width": 10, "height": 20, "format": "JPEG"},
        }
    )
    word = {"text": "aid", "confidence": 0.8, "polygon": [0, 0, 9, 0, 9, 9, 0, 9]}
    text = OcrText.model_validate({"full_text": "aid", "lines": [{**word, "words": [word]}]})

    assert analysis.adult.is_adult_content
    assert (analysis.tags[0].hint, analysis.objects[0].parent) == (None, None)
    assert (text.lines[0].style, text.lines[0].language) == (None, None)


def test_what_the_original_system_and_azure_wrote_of_a_face_is_read() -> None:
    where = {"Left": 1, "Top": 2, "Width": 3, "Height": 4}
    original = Face.model_validate(
        {"FaceRectangle": where, "FaceAttributes": {"Glasses": "NoGlasses", "Age": 40}}
    )
    azure = Face.model_validate(
        {
            "faceRectangle": {"left": 1, "top": 2, "width": 3, "height": 4},
            "recognitionModel": "recognition_04",
            "faceAttributes": {
                "occlusion": {"foreheadOccluded": True, "eyeOccluded": None},
                "accessories": [{"type": "headwear", "confidence": 0.9}],
                "exposure": {"exposureLevel": "goodExposure", "value": 0.5},
            },
        }
    )

    assert original.face_attributes.glasses == "NoGlasses"
    assert original.face_rectangle == azure.face_rectangle
    assert azure.recognition_model == "recognition_04"
    assert azure.face_attributes.accessories is not None
    assert azure.face_attributes.accessories[0].type == "headwear"


def test_what_an_engine_does_not_tell_takes_no_room_in_a_message() -> None:
    word = {"text": "aid", "confidence": 0.8, "polygon": [0, 0, 9, 0, 9, 9, 0, 9]}
    lines = [{**word, "words": [word]}]
    kept = OcrText.model_validate({"full_text": "aid", "lines": lines}).model_dump(
        mode="json", exclude_none=True
    )

    assert kept == {"full_text": "aid", "lines": lines, "language": ""}
