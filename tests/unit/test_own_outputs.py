"""What own steps find: fields of their models, what is shown of them, and what is asked for."""

import re
import uuid
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, PlainSerializer, SecretStr, computed_field, field_validator

from imaginem import Shown, StepOutput
from imaginem.errors import InvalidMessage
from imaginem.outputs import Box, Rectangle
from imaginem.ports.own_outputs.fields import Kind, fields_of
from imaginem.ports.own_outputs.index import Fact, index_of
from imaginem.ports.own_outputs.values import read_output
from imaginem.testing import MemoryServices
from imaginem.usecases.own_outputs import OwnOutputs
from tests.own_steps import (
    registry_with_signs,
    services_with_signs,
    web_of,
)

REGISTRY = registry_with_signs()
SAID_BY = "What a passer-by would say."


@pytest.fixture
def services() -> MemoryServices:
    return services_with_signs(REGISTRY)


class Deep(StepOutput):
    """Two levels below the output."""

    name: str


class Inner(StepOutput):
    """One level below it."""

    deep: Deep
    deeper: list[Deep]
    size: int


class OddOutput(StepOutput):
    """Types that steps use, and some that people can't read."""

    either: int | str = 0
    grade: Literal["a", "b"] = "a"
    day: date | None = None
    pair: tuple[float, float] = (0, 0)
    names: Annotated[frozenset[str], Shown(title="Who")] = frozenset()
    scores: dict[str, float] = Field(default_factory=dict)
    place: Box | None = None
    places: list[Rectangle] = Field(default_factory=list)
    inner: Inner | None = None
    matrix: list[list[float]] = Field(default_factory=list)
    anything: Any = None
    tree: dict[str, Any] = Field(default_factory=dict)
    key: SecretStr = SecretStr("")
    raw: bytes = b""
    face: uuid.UUID | None = None

    @computed_field(description="Counted.")
    def how_many(self) -> int:
        """Count."""
        return len(self.names)


def test_a_field_is_shown_by_its_type_and_left_out_where_people_cannot_read_it() -> None:
    assert {field.name: field.kind for field in fields_of(OddOutput)} == {
        "either": Kind.TEXT,
        "grade": Kind.TEXT,
        "day": Kind.MOMENT,
        "pair": Kind.NUMBERS,
        "names": Kind.WORDS,
        "scores": Kind.PAIRS,
        "place": Kind.BOX,
        "places": Kind.OBJECTS,
        "inner.size": Kind.NUMBER,
        "face": Kind.TEXT,
        "how_many": Kind.NUMBER,
    }
    titles = {field.name: field.title for field in fields_of(OddOutput)}
    assert (titles["names"], titles["how_many"], titles["inner.size"]) == (
        "Who",
        "How many",
        "Inner: size",
    )


def test_the_id_of_a_face_is_not_searched() -> None:
    values = read_output(OddOutput, {"face": str(uuid.UUID(int=5))})
    found = index_of([("odd", values or [])])
    assert "odd.face" not in {fact.name for fact in found.facts}
    assert "00000000" not in found.text


class TestConditions:
    @pytest.mark.parametrize(
        ("where", "told"),
        [
            ("brightness>5", "write it like step.field>=5"),
            ("signs.brightness", "write it like step.field>=5"),
            (
                "signs.bright>5",
                "no field is named 'signs.bright'; fields are signs.caption, signs.brightness",
            ),
            ("other.x=1", "no field is named 'other.x'; fields are signs.brightness"),
            ("signs.remark=a", "no field is named 'signs.remark'"),
            ("signs.embedding>0", "no field is named 'signs.embedding'"),
            ("signs.brightness>high", "compared with a number, not with 'high'"),
            ("signs.brightness>nan", "compared with a number"),
            ("signs.brightness>1e999", "compared with a number"),
            ("signs.is_blurred>yes", "compared with true or false"),
            ("signs.is_blurred=maybe", "compared with true or false, not with 'maybe'"),
            ("signs.taken=yesterday", "a day such as 2026-01-31"),
            ("signs.taken>9999-12-31", "a day such as 2026-01-31"),
            ("signs.words>a", "ask for signs.words=something"),
            ("signs.caption=", "ask for signs.caption=something"),
            (" and ".join(["signs.brightness>5"] * 11), "at most 10 conditions"),
        ],
    )
    def test_one_that_cannot_be_read_says_what_to_write(self, where: str, told: str) -> None:
        with pytest.raises(InvalidMessage, match=f"^where: .*{re.escape(told)}"):
            OwnOutputs(REGISTRY).conditions(where)

    def test_and_within_a_text_belongs_to_it(self) -> None:
        (one,) = OwnOutputs(REGISTRY).conditions("signs.caption=rock and roll")
        assert one.text == "rock and roll"
        first, second = OwnOutputs(REGISTRY).conditions("signs.caption=a and signs.brightness>5")
        assert (first.text, second.number) == ("a", 5.0)

    def test_a_wrong_one_is_answered_with_422(self, services: MemoryServices) -> None:
        answer = web_of(services, REGISTRY).get("/api/images", params={"where": "signs.x=1"})
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("where: no field is named 'signs.x'")

    def test_strangers_learn_no_names_of_fields(self, services: MemoryServices) -> None:
        stranger = web_of(services, REGISTRY, **{"X-Nobody": "1"})
        answer = stranger.get("/api/images", params={"where": "signs.x=1"})
        assert answer.status_code == 401


class BrittleOutput(StepOutput):
    """Has a validator of its own that takes no odd values."""

    name: str

    @field_validator("name", mode="before")
    @classmethod
    def _trimmed(cls, value: Any) -> Any:
        return value.strip()


@pytest.mark.parametrize("odd", [None, 5, "text", [], {"name": 5}, {"name": None}])
def test_an_output_that_fits_no_model_is_not_read(odd: Any) -> None:
    assert read_output(BrittleOutput, odd) is None


class Day(StepOutput):
    """An entry of a list, which looks like a place."""

    x: str
    y: str
    w: str
    h: str
    day: Annotated[date, PlainSerializer(lambda day: f"{day:%d.%m.%Y}")]


class WrittenOutput(StepOutput):
    """What its step writes in another way than others do."""

    day: Annotated[date, PlainSerializer(lambda day: f"{day:%d.%m.%Y}")]
    shares: Annotated[dict[str, float], PlainSerializer(lambda shares: list(shares))]
    numbers: Annotated[list[float], PlainSerializer(len)]
    words: Annotated[list[str], PlainSerializer(" ".join)]
    place: Annotated[Box, PlainSerializer(lambda box: {**dict(box), "x": "left"})]
    days: list[Day]


def test_what_a_step_writes_in_its_own_way_is_shown_as_a_text() -> None:
    day, sides = date(2026, 1, 31), dict.fromkeys("xywh", "1")
    output = {
        "day": day,
        "shares": {"a": 1.0},
        "numbers": [1.0, 2.0],
        "words": ["a", "b"],
        "place": Box(x=1, y=1, w=1, h=1),
        "days": [{**sides, "day": day}],
    }
    values = read_output(WrittenOutput, output)
    assert values is not None
    told = {value.field.name: value.text for value in values}
    assert told["day"] == "31.01.2026"
    assert (told["shares"], told["numbers"], told["words"]) == ("a", "2", "a b")
    assert "left" in told["place"]
    assert told["days"] == "1, 1, 1, 1, 31.01.2026"
    assert [box for value in values for box in value.boxes if box] == []
    assert Fact("written.day", text="31.01.2026") in index_of([("written", values)]).facts


def test_texts_that_no_database_takes_are_indexed_without_what_it_refuses() -> None:
    found = OwnOutputs(REGISTRY).index({"signs": {"caption": "a\0b", "words": ["c\ud800"]}})
    assert "\0" not in found.text
    for fact in found.facts:
        assert "\0" not in (fact.text or "")
        (fact.text or "").encode("utf-8")
