"""What own steps find: fields of their models, what is shown of them, and what is asked for."""

import csv
import io
import re
import uuid
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from fastapi.testclient import TestClient
from pydantic import Field, SecretStr, computed_field, field_validator

from imaginem import Shown, StepOutput
from imaginem.errors import InvalidMessage
from imaginem.outputs import Box, Rectangle
from imaginem.ports.own_outputs.fields import Kind, fields_of
from imaginem.ports.own_outputs.index import index_of
from imaginem.ports.own_outputs.values import MOST_ROWS, read_output
from imaginem.testing import MemoryServices
from imaginem.usecases.access import EVERYTHING
from imaginem.usecases.export import as_csv, as_rows
from imaginem.usecases.own_outputs import OwnOutputs
from tests.dashboard import principal
from tests.own_steps import (
    FOUND,
    NOTHING,
    SignsOutput,
    keep_result,
    registry_with_signs,
    services_with_signs,
    web_of,
)

REGISTRY = registry_with_signs()
SAID_BY = "What a passer-by would say."


@pytest.fixture
def services() -> MemoryServices:
    return services_with_signs(REGISTRY)


def page(services: MemoryServices, job_id: str) -> str:
    """Return the section of the step on a photo's page, on one line."""
    text = web_of(services, REGISTRY).get(f"/photos/b/{job_id}").text
    section = re.search(r'<section class="own".+?</section>', text, re.DOTALL)
    return " ".join(section[0].split()) if section else ""


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


def test_long_lists_of_numbers_are_shown_and_searched_nowhere(services: MemoryServices) -> None:
    keep_result(services, ("b", "full"), FOUND)
    web = web_of(services, REGISTRY)
    table = web.get("/api/batches/b/export?format=csv").text
    shown = web.get("/photos/b/full").text
    for text in (table, shown):
        assert "128 numbers, not shown" in text
        assert "0.123456" not in text
    assert not [
        fact
        for fact in OwnOutputs(REGISTRY).index({"signs": FOUND}).facts
        if fact.number == 0.123456
    ]


def test_only_so_many_entries_of_a_list_are_shown(services: MemoryServices) -> None:
    sign = FOUND["signs"][0]  # type: ignore[index]
    keep_result(services, ("b", "many"), {"signs": [sign] * (MOST_ROWS + 5)})
    shown = page(services, "many")
    assert shown.count(">stop</button>") == MOST_ROWS
    assert "5 more are not shown." in shown


class TestThePage:
    def test_every_field_is_told_by_its_title(self, services: MemoryServices) -> None:
        keep_result(services, ("b", "full"), FOUND)
        shown = page(services, "full")
        assert "<h2>signs</h2>" in shown
        assert "Read the signs at the road." in shown
        told = dict(re.findall(r"<dt>(.+?)</dt> <dd>(.+?)</dd>", shown))
        assert {title: re.sub("<.+?>", " ", value).split() for title, value in told.items()} == {
            f"Caption <small>{SAID_BY}</small>": ["A", "Zebra", "at", "the", "gate"],
            "Brightness": ["120.5", "lux"],
            "Is blurred": ["No"],
            "Taken": ["2026-03-01T10:00:00Z"],
            "Words": ["gate", "tree", "house"],
            "Signs": ["Label", "Confidence", "stop", "0.9", "exit", "0.4"],
            "Paper: kind": ["letter"],
            "Paper: width": ["210"],
            "Embedding": ["128", "numbers,", "not", "shown"],
            "Remark": ["Not", "searched"],
        }
        assert 'href="/photos?tag=tree%20house"' in shown

    def test_places_are_boxes_on_the_photo(self, services: MemoryServices) -> None:
        keep_result(services, ("b", "full"), FOUND)
        text = web_of(services, REGISTRY).get("/photos/b/full").text
        assert '<rect data-box="own-signs-2" x="1" y="2" width="3" height="4">' in text
        assert 'data-for="own-signs-2" data-on="own-signs" dir="auto">exit</button>' in text
        assert "signs (2)" in text

    def test_what_was_not_found_is_told_apart_from_what_nobody_looked_for(
        self, services: MemoryServices
    ) -> None:
        keep_result(services, ("b", "nothing"), NOTHING)
        keep_result(services, ("b", "some"), {"caption": "x"})
        keep_result(services, ("b", "failed"), None, unsuccessful=("signs",))
        keep_result(services, ("b", "odd"), {"words": 5})
        keep_result(services, ("b", "other"), None, pipeline=("written",))
        assert "Nothing found." in page(services, "nothing")
        some = page(services, "some")
        assert "<dt>Words</dt> <dd>Nothing found.</dd>" in some
        assert "<dt>Brightness</dt> <dd>Not told.</dd>" in some
        assert "Not looked for: signs failed." in page(services, "failed")
        assert "can&#39;t be shown here: see the raw JSON." in page(services, "odd")
        other = web_of(services, REGISTRY).get("/photos/b/other").text
        assert "Not looked for, since they are no steps of this job: signs." in other

    def test_what_a_step_says_is_never_markup(self, services: MemoryServices) -> None:
        bad = "<script>alert(1)</script>"
        sign = {"label": bad, "confidence": 1, "where": {"x": 1, "y": 1, "w": 1, "h": 1}}
        keep_result(services, ("b", "bad"), {"caption": bad, "words": [bad], "signs": [sign]})
        assert bad not in web_of(services, REGISTRY).get("/photos/b/bad").text

    def test_steps_with_a_place_of_their_own_are_not_shown_twice(
        self, services: MemoryServices
    ) -> None:
        assert {step.name for step in OwnOutputs(REGISTRY).steps()} == {"signs"}
        import steps  # noqa: F401 - importing the package registers every step
        from imaginem.pipeline.steps import default_registry

        assert [step.name for step in OwnOutputs(default_registry).steps()] == ["sample"]

    def test_photos_are_filtered_on_the_page(self, services: MemoryServices) -> None:
        keep_result(services, ("b", "full"), FOUND)
        keep_result(services, ("b", "dark"), {"brightness": 1})
        web = web_of(services, REGISTRY)
        text = web.get("/photos", params={"where": "signs.brightness>100"}).text
        assert "/photos/b/full" in text
        assert "/photos/b/dark" not in text
        assert '<option value="signs.signs.label">' in text
        assert 'value="signs.brightness&gt;100"' in text


class TestTheExport:
    def test_columns_are_the_same_for_all_photos_of_a_batch(self, services: MemoryServices) -> None:
        keep_result(services, ("b", "full"), FOUND)
        keep_result(services, ("b", "other"), None, pipeline=("written",))
        keep_result(services, ("b", "nothing"), NOTHING)
        rows = as_rows(services, "b", EVERYTHING, REGISTRY)
        table = {row["job_id"]: row for row in csv.DictReader(io.StringIO(as_csv(rows)))}
        own = [name for name in table["full"] if name.startswith("signs.")]
        assert own == [f"signs.{field.name}" for field in fields_of(SignsOutput)]
        assert table["full"]["signs.words"] == "gate; tree house"
        assert table["full"]["signs.is_blurred"] == "false"
        assert table["full"]["signs.signs"] == "stop, 0.9, 10, 5, 20, 10; exit, 0.4, 1, 2, 3, 4"
        assert "signs.words" in table["other"]["not_looked_for"]
        assert "signs.words" not in table["nothing"]["not_looked_for"]
        assert table["other"]["signs.words"] == table["nothing"]["signs.words"] == ""
        assert "never shown" not in as_csv(rows)

    def test_no_text_of_a_step_is_a_formula(self, services: MemoryServices) -> None:
        sign = {"label": "=1+1", "confidence": 1, "where": {"x": 1, "y": 1, "w": 1, "h": 1}}
        keep_result(
            services,
            ("b", "bad"),
            {"caption": "=HYPERLINK(1)", "words": ["a", "@b"], "signs": [sign]},
        )
        (row,) = csv.DictReader(io.StringIO(as_csv(as_rows(services, "b", EVERYTHING, REGISTRY))))
        assert row["signs.caption"] == "'=HYPERLINK(1)"
        assert row["signs.words"] == "a; '@b"
        assert row["signs.signs"].startswith("'=1+1")

    def test_a_batch_without_own_steps_has_no_such_columns(self, services: MemoryServices) -> None:
        keep_result(services, ("b", "other"), None, pipeline=("written",))
        (row,) = as_rows(services, "b", EVERYTHING, REGISTRY)
        assert not [name for name in row if "." in name]


class TestConditions:
    @pytest.mark.parametrize(
        ("where", "told"),
        [
            ("brightness>5", "write it like step.field>=5"),
            ("signs.brightness", "write it like step.field>=5"),
            ("signs.bright>5", "no field is named 'signs.bright'; fields are signs.brightness"),
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


def test_hidden_photos_are_found_by_nothing_of_own_steps(services: MemoryServices) -> None:
    services.batches.open_batch("red", "red")
    keep_result(services, ("red", "secret"), FOUND)
    blue: TestClient = web_of(services, REGISTRY, **principal("caseworker", groups=("blue",)))
    for asked in ({"where": "signs.words=gate"}, {"tag": "gate"}, {"text": "zebra"}):
        assert blue.get("/api/images", params=asked).json()["images"] == []
        assert "gate" not in blue.get("/photos/facets", params=asked).text.replace("tag=gate", "")
    assert blue.get("/photos/red/secret").status_code == 404
    assert blue.get("/api/batches/red/export").status_code == 404


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


def test_texts_that_no_database_takes_are_indexed_without_what_it_refuses() -> None:
    found = OwnOutputs(REGISTRY).index({"signs": {"caption": "a\0b", "words": ["c\ud800"]}})
    assert "\0" not in found.text
    for fact in found.facts:
        assert "\0" not in (fact.text or "")
        (fact.text or "").encode("utf-8")
