"""What is shown of own steps: on a photo's page, on the command line and in exports."""

import csv
import io
import re

import pytest
from fastapi.testclient import TestClient
from pydantic_core import to_json
from rich.console import Console

from imaginem.cli.own_outputs import own_tables, row_table
from imaginem.pipeline.offload import offload
from imaginem.pipeline.progress_row import ProgressRow, RowChange, StepChange
from imaginem.pipeline.states import StepState
from imaginem.ports import LogEntry
from imaginem.ports.own_outputs.fields import fields_of
from imaginem.ports.own_outputs.values import MOST_ROWS
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
    assert shown.count(">stop</a>") == MOST_ROWS
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
        assert 'data-for="own-signs-2" data-on="own-signs" dir="auto">exit</a>' in text
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
        assert "The step does not tell: Brightness, Is blurred, Taken, Paper: width." in some
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

    def test_a_number_that_json_does_not_know_is_null(self, services: MemoryServices) -> None:
        services.batches.open_batch("b")
        keep_result(services, ("b", "odd"), {**FOUND, "brightness": float("nan")})
        answer = web_of(services, REGISTRY).get("/api/batches/b/export?format=json")
        assert "NaN" not in answer.text
        assert answer.json()[0]["signs.brightness"] is None

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


class TestTheCommandLine:
    @pytest.fixture(autouse=True)
    def _photos(self, services: MemoryServices) -> None:
        keep_result(services, ("b", "full"), FOUND)
        keep_result(services, ("b", "failed"), None, unsuccessful=("signs",))
        keep_result(services, ("b", "nothing"), NOTHING)
        keep_result(services, ("b", "other"), None, pipeline=("written",))

    @pytest.mark.parametrize("width", [60, 200])
    def test_a_table_tells_every_field_and_what_was_not_looked_for(
        self, services: MemoryServices, width: int
    ) -> None:
        (table,) = own_tables(list(services.results.batch("b")), REGISTRY, width)
        out = io.StringIO()
        Console(file=out, width=width).print(table)
        told = out.getvalue()
        for text in ("Brightness", "120.5 lux", "tree house", "stop, 0.9", "128 numbers"):
            assert text in told
        words = {line.split()[0]: line.split()[1:] for line in told.splitlines() if line.strip()}
        assert words["failed"] == ["failed"]
        assert words["nothing"] == ["nothing", "found"]
        assert words["other"] == ["not", "asked"]

    def test_a_batch_without_own_steps_has_no_table(self, services: MemoryServices) -> None:
        (other,) = [each for each in services.results.batch("b") if each.id == "other"]
        assert own_tables([other], REGISTRY, 80) == []

    def test_a_job_under_way_tells_what_its_steps_have_found(
        self, services: MemoryServices
    ) -> None:
        link = offload("signs", to_json(FOUND), ("b", "x"), services.blobs)
        for output, text in ((FOUND, "120.5 lux"), (link, "120.5 lux"), ({"words": 5}, "--json")):
            done = StepChange("signs", 0, StepState.SUCCESS, output=to_json(output).decode())
            change = RowChange(steps=(done,), pipeline=("signs", "written"))
            row = ProgressRow(LogEntry("b", "x", change.properties(), "f"))
            out = io.StringIO()
            Console(file=out, width=100).print(row_table(row, services.blobs, REGISTRY))
            assert text in out.getvalue()
        waiting = ProgressRow(LogEntry("b", "x", RowChange(pipeline=("signs",)).properties(), "f"))
        assert row_table(waiting, services.blobs, REGISTRY) is None


def test_the_api_lists_the_fields_that_are_asked_for(services: MemoryServices) -> None:
    listed = web_of(services, REGISTRY).get("/api/pipeline/steps").json()
    fields = {step["name"]: step["fields"] for step in listed}
    assert fields["written"] == []
    (brightness,) = [each for each in fields["signs"] if each["name"] == "signs.brightness"]
    assert (brightness["type"], brightness["unit"]) == ("number", "lux")
    assert [each["name"] for each in fields["signs"]] == list(OwnOutputs(REGISTRY).fields())


def test_hidden_photos_are_found_by_nothing_of_own_steps(services: MemoryServices) -> None:
    services.batches.open_batch("red", "red")
    keep_result(services, ("red", "secret"), FOUND)
    blue: TestClient = web_of(services, REGISTRY, **principal("caseworker", groups=("blue",)))
    for asked in ({"where": "signs.words=gate"}, {"tag": "gate"}, {"text": "zebra"}):
        assert blue.get("/api/images", params=asked).json()["images"] == []
        assert "gate" not in blue.get("/photos/facets", params=asked).text.replace("tag=gate", "")
    assert blue.get("/photos/red/secret").status_code == 404
    assert blue.get("/api/batches/red/export").status_code == 404
