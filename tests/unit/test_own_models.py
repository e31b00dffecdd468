"""Models of cards: photos as they take them, answers as boxes in the photo, and when they close."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto
from PIL import Image

from imaginem.engines.onnx import OwnModels
from imaginem.engines.onnx.checking import check_card
from imaginem.engines.onnx.kept import KEPT_SECONDS, Kept
from imaginem.engines.onnx.outside_data import outside_data
from imaginem.engines.onnx.pictures import fit, tensor
from imaginem.errors import ConfigurationError, PermanentError
from imaginem.images.decoding import decode_photo
from imaginem.ports.model_card import ClassifierCard, DetectorCard, InputSpec
from imaginem.testing import photo_bytes
from tests.tiny_networks import always, mean_colours, with_data_beside

RED = decode_photo(photo_bytes(40, 20, "red"))
SEEN = {"width": 10, "height": 10}
"""Input of the tiny detectors: a photo of 40 x 20 is stretched to it by 4 and by 2."""
ANY = {"input": SEEN, "labels": ["red", "green", "blue"]}
"""What a classifier's card says of a network that answers each picture alike."""


def no_timer(seconds: float, act: Callable[[], None]) -> None:
    """Let nothing go."""


@pytest.fixture
def models(tmp_path: Path) -> OwnModels:
    return OwnModels(tmp_path, no_timer)


def classifier(path: Path, sha256: str, **fields: Any) -> ClassifierCard:
    card = {
        "kind": "classifier",
        "name": "Colours",
        "version": "1",
        "licence": "CC0",
        "model": {"file": str(path), "sha256": sha256},
        "labels": {"metadata": "names"},
        "input": {"width": 4, "height": 4},
        **fields,
    }
    return ClassifierCard.model_validate(card)


def detector(path: Path, answers: dict[str, Any], output: dict[str, Any], **fields: Any) -> Any:
    sha256 = always(path, answers, width=fields.get("input", SEEN)["width"])
    card = {
        "kind": "detector",
        "name": "Things",
        "version": "1",
        "licence": "CC0",
        "model": {"file": str(path), "sha256": sha256},
        "labels": ["tent", "boat"],
        "input": SEEN,
        "output": output,
        **fields,
    }
    return DetectorCard.model_validate(card)


def spec(**fields: Any) -> InputSpec:
    return InputSpec.model_validate({**SEEN, **fields})


class TestPictures:
    def test_numbers_are_as_the_card_says_in_the_order_of_its_channels(self) -> None:
        pixels = np.full((1, 1, 3), (255, 0, 51), np.uint8)
        wanted = spec(mean=[0.5, 0, 0], std=[0.5, 1, 2])

        assert tensor(pixels, wanted, np.float32)[0, :, 0, 0] == pytest.approx([1, 0, 0.1])

    def test_blue_comes_first_where_the_card_says_so(self) -> None:
        pixels = np.full((1, 1, 3), (255, 0, 51), np.uint8)

        assert list(tensor(pixels, spec(colours="BGR", divisor=1), np.float32)[0, :, 0, 0]) == [
            51,
            0,
            255,
        ]

    def test_a_network_of_whole_numbers_gets_pixels_as_they_are(self) -> None:
        pixels = np.full((2, 3, 3), 200, np.uint8)
        numbers = tensor(pixels, spec(layout="NHWC"), np.uint8)

        assert (numbers.shape, str(numbers.dtype), numbers.max()) == ((1, 2, 3, 3), "uint8", 200)

    def test_grey_has_one_channel(self) -> None:
        fitted = fit(RED.pil, spec(colours="GREY"))

        assert tensor(fitted.picture, spec(colours="GREY"), np.float32).shape == (1, 1, 10, 10)

    def test_a_letterbox_holds_the_whole_photo_between_bars(self) -> None:
        picture = fit(RED.pil, spec(resize="letterbox", fill=7)).picture

        assert picture[[1, 8], 5].tolist() == [[7, 7, 7]] * 2
        assert picture[[3, 6], 0].tolist() == [[255, 0, 0]] * 2

    def test_a_crop_is_the_middle_of_the_photo(self) -> None:
        photo = Image.new("RGB", (40, 20), "red")
        photo.paste("blue", (15, 5, 25, 15))

        picture = fit(photo, spec(resize="crop", crop_share=0.5)).picture

        assert (picture == (0, 0, 255)).all()

    @pytest.mark.parametrize("resize", ["stretch", "crop", "letterbox"])
    def test_what_is_found_in_the_input_is_told_where_it_is_in_the_photo(self, resize: str) -> None:
        photo = Image.new("RGB", (400, 200), "black")
        photo.paste("white", (160, 60, 240, 140))
        fitted = fit(photo, spec(width=100, height=100, resize=resize, fill=0))
        rows, columns = np.nonzero(fitted.picture[:, :, 0] > 127)
        box = [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]

        assert fitted.in_photo(np.array(box))[0] == pytest.approx([160, 60, 240, 140], abs=4)


class TestClassifiers:
    @pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
    @pytest.mark.parametrize(
        "type_", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.DOUBLE]
    )
    def test_any_type_and_order_that_pictures_have_works(
        self, models: OwnModels, tmp_path: Path, layout: str, type_: int
    ) -> None:
        path = tmp_path / "colours.onnx"
        sha256 = mean_colours(path, layout=layout, type_=type_)
        seen = {"width": 4, "height": 4, "layout": layout}
        card = classifier(path, sha256, input=seen)

        check_card(card, *models.ready("colours", card))

        (tag,) = models.tags("colours", card, RED)
        assert (tag.name, tag.confidence) == ("red", 1)

    def test_logits_add_up_to_one_and_independent_ones_do_not(
        self, models: OwnModels, tmp_path: Path
    ) -> None:
        path = tmp_path / "colours.onnx"
        sha256 = mean_colours(path)
        told = {}
        for scores in ("logits", "independent"):
            card = classifier(path, sha256, scores=scores, threshold=0)
            told[scores] = [tag.confidence for tag in models.tags("colours", card, RED)]

        assert sum(told["logits"]) == pytest.approx(1, abs=0.001)
        assert told["independent"] == pytest.approx([0.7311, 0.5, 0.5])

    @pytest.mark.parametrize("answer", [[np.nan] * 3, [0.2, np.nan, 5.0], [np.inf, 0.0, 0.0]])
    @pytest.mark.parametrize("scores", ["probabilities", "logits"])
    def test_an_answer_that_is_no_number_is_not_nothing_found(
        self, models: OwnModels, tmp_path: Path, answer: list[float], scores: str
    ) -> None:
        path = tmp_path / "broken.onnx"
        card = classifier(path, always(path, {"s": answer}), **ANY, scores=scores)

        with pytest.raises(PermanentError, match="numbers in the network's answer are NaN or inf"):
            models.tags("colours", card, RED)

    def test_an_answer_that_rules_labels_out_is_told(
        self, models: OwnModels, tmp_path: Path
    ) -> None:
        path = tmp_path / "masked.onnx"
        answer = [-np.inf, 5.0, -np.inf]
        card = classifier(path, always(path, {"s": answer}), **ANY, scores="logits")

        assert [tag.confidence for tag in models.tags("colours", card, RED)] == [1.0]

    def test_an_empty_label_and_one_for_a_body_are_never_told(
        self, models: OwnModels, tmp_path: Path
    ) -> None:
        path = tmp_path / "colours.onnx"
        card = classifier(path, mean_colours(path), labels=["", "thigh", "tent"], threshold=0)

        assert [tag.name for tag in models.tags("colours", card, RED)] == ["tent"]

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("l.txt", "a\nb\nc\n"),
            ("l.json", '["a","b","c"]'),
            ("l.json", '{"2":"c","1":"b","0":"a"}'),
        ],
    )
    def test_labels_may_be_in_a_file(
        self, models: OwnModels, tmp_path: Path, name: str, text: str
    ) -> None:
        path, file = tmp_path / "colours.onnx", tmp_path / name
        file.write_text(text)
        labels = {"file": str(file), "sha256": hashlib.sha256(text.encode()).hexdigest()}
        card = classifier(path, mean_colours(path), labels=labels)

        assert models.ready("colours", card)[1] == ["a", "b", "c"]

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("l.json", b"{"),
            ("l.json", b"[" * 100_000),
            ("l.json", '{"²": "a"}'.encode()),
            ("l.json", b'{"-1": "a"}'),
            ("l.json", b'{"999999999999": "a"}'),
            ("l.json", b"[1]"),
            ("l.txt", b"\xff\xfe\n"),
        ],
    )
    def test_a_file_that_has_no_labels_is_named(
        self, models: OwnModels, tmp_path: Path, name: str, data: bytes
    ) -> None:
        path, file = tmp_path / "colours.onnx", tmp_path / name
        file.write_bytes(data)
        labels = {"file": str(file), "sha256": hashlib.sha256(data).hexdigest()}
        card = classifier(path, mean_colours(path), labels=labels)

        with pytest.raises(ConfigurationError, match=f"labels: {name} must have a text a line"):
            models.ready("colours", card)


TENT, BOAT = [2, 2, 6, 8], [0, 0, 1, 1]
FOUND = [("tent", 0.9, (8, 4, 16, 12))]
"""What all the answers below say: a tent, in pixels of the photo."""


def picodet_answer() -> dict[str, Any]:
    """One grid of 5 x 5 places: at (2, 2), whose centre is (5, 5), sides lie 3, 3, 1 and 3 away."""
    scores, sides = np.zeros((25, 2)), np.zeros((25, 4, 8))
    scores[12, 0] = 0.9
    for side, steps in enumerate((1.5, 1.5, 0.5, 1.5)):  # of two pixels each
        low = int(steps)
        sides[12, side] = -100
        sides[12, side, [low, low + 1]] = 0  # halfway between two steps
    return {"scores": [scores.tolist()], "sides": [sides.reshape(25, 32).tolist()]}


class TestDetectors:
    @pytest.mark.parametrize(
        ("answers", "output"),
        [
            ({"rows": [[[*TENT, 0.9, 0], [*BOAT, 0.1, 1]]]}, {"kind": "rows"}),
            ({"rows": [[2, 2, 4, 6, 0.9, 0]]}, {"kind": "rows", "corners": "xywh"}),
            (
                {"rows": [[0.2, 0.2, 0.8, 0.6, 0.9, 0]]},
                {"kind": "rows", "corners": "yxyx", "unit": "share"},
            ),
            (
                {"boxes": [[TENT, BOAT]], "scores": [[0.9, 0.1]], "classes": [[0, 1]]},
                {"kind": "boxes", "boxes": "boxes", "scores": "scores", "classes": "classes"},
            ),
            (
                {"boxes": [[[4, 5, 4, 6]]], "scores": [[[0.9, 0.1]]]},
                {"kind": "boxes", "boxes": "boxes", "scores": "scores", "corners": "cxcywh"},
            ),
            ({"all": [[[4, 5, 4, 6, 0.9, 0.1]]]}, {"kind": "yolo"}),
            ({"all": [[[4], [5], [4], [6], [0.9], [0.1]]]}, {"kind": "yolo"}),
            ({"all": [[[4, 5, 4, 6, 0.9, 1, 0.1]]]}, {"kind": "yolo", "objectness": True}),
            (
                picodet_answer(),
                {"kind": "picodet", "scores": ["scores"], "boxes": ["sides"], "strides": [2]},
            ),
        ],
    )
    def test_each_kind_of_answer_is_read(
        self, models: OwnModels, tmp_path: Path, answers: dict[str, Any], output: dict[str, Any]
    ) -> None:
        card = detector(tmp_path / "things.onnx", answers, output)

        check_card(card, *models.ready("things", card))

        found = models.objects("things", card, RED)
        assert [
            (each.name, each.confidence, (box.x, box.y, box.w, box.h))
            for each in found
            for box in (each.rectangle,)
        ] == FOUND

    @pytest.mark.parametrize(
        ("corners", "box"),
        [
            ("xyxy", [0.2, 0.2, 0.4, 0.6]),
            ("yxyx", [0.2, 0.2, 0.6, 0.4]),
            ("xywh", [0.2, 0.2, 0.2, 0.4]),
            ("cxcywh", [0.3, 0.4, 0.2, 0.4]),
        ],
    )
    def test_shares_are_of_the_side_that_they_lie_along(
        self, models: OwnModels, tmp_path: Path, corners: str, box: list[float]
    ) -> None:
        output = {"kind": "rows", "corners": corners, "unit": "share"}
        seen = {"width": 30, "height": 10, "resize": "letterbox"}  # the photo is 20 of the 30
        card = detector(tmp_path / "t.onnx", {"r": [[*box, 0.9, 0]]}, output, input=seen)

        (found,) = models.objects("things", card, RED)
        assert found.rectangle.model_dump() == {"x": 2, "y": 4, "w": 12, "h": 8}

    def test_a_class_whose_label_is_empty_is_not_told(
        self, models: OwnModels, tmp_path: Path
    ) -> None:
        rows = [[*TENT, 0.9, 0], [*BOAT, 0.8, 1], [*BOAT, 0.8, 7]]
        card = detector(tmp_path / "t.onnx", {"r": rows}, {"kind": "rows"}, labels=["", "boat"])

        assert [found.name for found in models.objects("things", card, RED)] == ["boat"]

    def test_of_boxes_that_overlap_the_surest_of_each_class_stays(
        self, models: OwnModels, tmp_path: Path
    ) -> None:
        shifted = [2, 3, 6, 9]
        rows = [[*TENT, 0.8, 0], [*shifted, 0.9, 0], [*TENT, 0.7, 1]]
        told = {}
        for overlap in (0.5, None):
            card = detector(tmp_path / "t.onnx", {"r": rows}, {"kind": "rows"}, overlap=overlap)
            found = models.objects("things", card, RED)
            told[overlap] = [(each.name, each.confidence) for each in found]

        assert told[0.5] == [("tent", 0.9), ("boat", 0.7)]
        assert told[None] == [("tent", 0.9), ("tent", 0.8), ("boat", 0.7)]

    def test_a_box_ends_at_the_photos_edge_and_one_outside_is_none(
        self, models: OwnModels, tmp_path: Path
    ) -> None:
        rows = [[-3, -3, 5, 20, 0.9, 0], [-9, -9, -5, -5, 0.8, 0]]
        card = detector(tmp_path / "t.onnx", {"r": rows}, {"kind": "rows"})

        (found,) = models.objects("things", card, RED)
        assert found.rectangle.model_dump() == {"x": 0, "y": 0, "w": 20, "h": 20}

    def test_a_label_belongs_to_the_number_that_its_file_says(
        self, models: OwnModels, tmp_path: Path
    ) -> None:
        text = '{"1": "person", "3": "car"}'  # as those of COCO, where numbers are missing
        (tmp_path / "l.json").write_text(text)
        card = detector(
            tmp_path / "t.onnx",
            {"r": [[*TENT, 0.9, 1], [*TENT, 0.8, 2], [*TENT, 0.7, 3]]},
            {"kind": "rows"},
            labels={
                "file": str(tmp_path / "l.json"),
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
            },
        )

        told = [(each.name, each.confidence) for each in models.objects("things", card, RED)]
        assert told == [("person", 0.9), ("car", 0.7)]

    @pytest.mark.parametrize(
        "row", [[np.nan, 2, 6, 8, 0.9, 0], [*TENT, np.nan, 0], [*TENT, 0.9, np.nan]]
    )
    def test_an_answer_with_nan_is_not_read_as_if_something_were_not_there(
        self, models: OwnModels, tmp_path: Path, row: list[float]
    ) -> None:
        rows = [[*BOAT, 0.8, 1], row]
        card = detector(tmp_path / "t.onnx", {"r": rows}, {"kind": "rows"})

        with pytest.raises(PermanentError, match=r"Things: 1 of 12 numbers in .* are NaN"):
            models.objects("things", card, RED)

    def test_a_score_without_bounds_is_not_read_as_sure(
        self, models: OwnModels, tmp_path: Path
    ) -> None:
        card = detector(tmp_path / "t.onnx", {"r": [[*BOAT, np.inf, 1]]}, {"kind": "rows"})

        with pytest.raises(PermanentError, match="NaN or infinite, so it says nothing"):
            models.objects("things", card, RED)

    def test_an_answer_of_another_shape_is_told_with_both_shapes(
        self, models: OwnModels, tmp_path: Path
    ) -> None:
        card = detector(tmp_path / "t.onnx", {"r": [[1, 2, 3, 4, 0.9]]}, {"kind": "rows"})

        with pytest.raises(
            ConfigurationError,
            match=r"Things: output.kind is rows.*: the output must be n x 6, and is 1 x 5",
        ):
            models.objects("things", card, RED)


class TestChecking:
    @pytest.mark.parametrize(
        ("fields", "told"),
        [
            ({"input": {"width": 8, "height": 4}}, r"input.width is 8, and .* picture \(1 x 3 x 4"),
            (
                {"input": {"width": 4, "height": 4, "layout": "NHWC"}},
                "input.height is 4, and .* in the order of input.layout, NHWC",
            ),
            (
                {"input": {"width": 4, "height": 4, "colours": "GREY"}},
                "input.layout and input.colours say 1 channels",
            ),
            (
                {"input": {"width": 4, "height": 4, "name": "photo"}},
                "input.name is photo, and the ONNX file has: picture",
            ),
            ({"output": "scores"}, r"output is scores, and the ONNX file has: means \(1 x 3\)"),
            ({"labels": ["a", "b"]}, r"labels has 2 texts, and .* output is means \(1 x 3\)"),
            ({"labels": {"metadata": "nam"}}, "labels.metadata is nam, and .* file has: names"),
            ({"labels": ["", "arm", ""]}, "labels has no text that may be told"),
        ],
    )
    def test_a_card_that_does_not_fit_its_file_is_told_what_the_file_says(
        self, models: OwnModels, tmp_path: Path, fields: dict[str, Any], told: str
    ) -> None:
        path = tmp_path / "colours.onnx"
        card = classifier(path, mean_colours(path), **fields)

        with pytest.raises(ConfigurationError, match=f"Colours: {told}"):
            check_card(card, *models.ready("colours", card))

    def test_a_detector_with_several_outputs_must_say_which(
        self, models: OwnModels, tmp_path: Path
    ) -> None:
        answers = {"a": [[1, 2, 3, 4, 0.9, 0]], "b": [1]}
        card = detector(tmp_path / "t.onnx", answers, {"kind": "rows"})

        with pytest.raises(
            ConfigurationError, match=r"output must say which of these the card means: a \(1 x 6\)"
        ):
            check_card(card, *models.ready("things", card))

    def test_labels_that_do_not_fit_a_yolo_are_told(
        self, models: OwnModels, tmp_path: Path
    ) -> None:
        card = detector(tmp_path / "t.onnx", {"r": [[1, 2, 3, 4, 1, 1, 1]]}, {"kind": "yolo"})

        with pytest.raises(ConfigurationError, match=r"needs 6 numbers .* is output.objectness"):
            check_card(card, *models.ready("things", card))


class TestKept:
    def test_a_network_is_opened_once_and_closed_when_it_is_idle(self) -> None:
        now, alarms, closed = [0.0], [], []
        kept: Kept[str, object] = Kept(
            lambda seconds, act: alarms.append((now[0] + seconds, act)),
            lambda: now[0],
            after=lambda: closed.append(now[0]),
        )
        first = kept.get("net", object)
        now[0] = KEPT_SECONDS - 1
        assert kept.get("net", object) is first

        now[0], act = alarms.pop()
        act()  # used a second ago, so it stays until it is idle
        assert [when for when, _ in alarms] == [2 * KEPT_SECONDS - 1]
        now[0], act = alarms.pop()
        act()

        assert (alarms, closed) == ([], [2 * KEPT_SECONDS - 1])
        assert kept.get("net", object) is not first


def test_a_file_that_is_no_network_is_named(models: OwnModels, tmp_path: Path) -> None:
    path = tmp_path / "colours.onnx"
    card = classifier(path, mean_colours(path))
    path.write_bytes(b"<html>")
    broken = card.model_copy(update={"model": card.model.model_copy(update={"sha256": _sha(path)})})

    with pytest.raises(ConfigurationError, match=r"step colours: onnxruntime can't open colours"):
        models.tags("colours", broken, RED)


@pytest.mark.parametrize("hidden", [False, True])
def test_a_network_whose_numbers_lie_in_a_file_without_a_sha256_is_not_opened(
    models: OwnModels, tmp_path: Path, hidden: bool
) -> None:
    path = tmp_path / "colours.onnx"
    card = classifier(path, with_data_beside(path, hidden=hidden), labels=["r", "g", "b"])

    with pytest.raises(
        ConfigurationError,
        match=r"colours: colours.onnx keeps its numbers in colours.onnx.data, .*: make one file",
    ):
        models.tags("colours", card, RED)

    whole = onnx.load(path)
    onnx.save(whole, path)  # as docs/own-models.md says
    assert outside_data(path) == []


@settings(max_examples=50)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_a_damaged_file_is_read_to_its_end(noise: bytes, cut: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "colours.onnx"
        with_data_beside(path, hidden=True)
        path.write_bytes(path.read_bytes()[:cut] + noise)

        assert isinstance(outside_data(path), list)


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
