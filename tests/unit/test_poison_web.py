"""What could not be processed, through the API and on its page."""

import json
import re

import pytest
from fastapi.testclient import TestClient

from imaginem.ports import PoisonEntry
from imaginem.testing import MemoryServices, message_for
from tests.dashboard import PIPELINE, client, principal, web_services


@pytest.fixture
def services() -> MemoryServices:
    """Services with seven messages that could not be processed, two of them on `ocr`."""
    services = web_services()
    url = services.blobs.put("inputimages", "spring/a", b"", "image/png")
    for number in range(7):
        pipeline = PIPELINE if number % 4 else ["ocr", "pipelineoutput"]
        message = message_for(url, pipeline, batch_id=f"b{number % 2}", job_id=f"j{number}")
        reason = "Timeout: slow" if number < 3 else "<b>odd</b>"
        entry = PoisonEntry(pipeline[0], f"m{number}", reason, message.encode())
        services.poison.add(
            PoisonEntry(
                entry.queue, entry.id, reason, entry.body, 5, *message.key, kind="exhausted"
            )
        )
    return services


@pytest.fixture
def api(services: MemoryServices) -> TestClient:
    return client(services)


def ids(answer: object) -> list[str]:
    assert isinstance(answer, list)
    return [entry["id"].partition(".")[2] for entry in answer]


class TestApi:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("queue=ocr", ["m0", "m4"]),
            ("batch=b1", ["m1", "m3", "m5"]),
            ("job=j2", ["m2"]),
            ("reason=TIMEOUT", ["m1", "m2", "m0"]),
            ("kind=exhausted&batch=b0&reason=odd", ["m6", "m4"]),
            ("kind=lost", []),
        ],
    )
    def test_messages_are_listed_by_what_is_asked_for(
        self, api: TestClient, query: str, found: list[str]
    ) -> None:
        assert ids(api.get(f"/api/poison?{query}").json()) == found

    def test_a_list_goes_on_where_its_link_leads(self, api: TestClient) -> None:
        first = api.get("/api/poison?reason=odd&limit=3")
        address = re.fullmatch(r'<(.*)>; rel="next"', first.headers["Link"])
        assert address is not None
        second = api.get(address[1])
        assert ids(first.json()) + ids(second.json()) == ["m3", "m5", "m6", "m4"]
        assert "Link" not in second.headers

    def test_a_message_is_shown_whole_and_what_a_replay_does(self, api: TestClient) -> None:
        told = api.get("/api/poison/ocr.m0").json()
        assert json.loads(told["body"])["job_definition"]["id"] == "j0"
        assert told["replay"] == "a new run of the job begins at ocr (step 1 of 2)"
        assert (told["kind"], told["attempts"]) == ("exhausted", 5)
        assert api.get("/api/poison/ocr.none").status_code == 404

    def test_many_are_replayed_some_a_request(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        asked = {"reason": "timeout", "limit": 2}
        first = api.post("/api/poison/replay", json=asked).json()
        second = api.post("/api/poison/replay", json={**asked, "cursor": first["cursor"]}).json()
        assert (first["done"], second["done"], second["cursor"]) == (2, 1, "")
        assert ids(api.get("/api/poison").json()) == ["m3", "m5", "m6", "m4"]
        assert services.queues.count("ocr") == 1

    def test_what_was_left_is_counted_by_reason(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        services.cancellations.cancel("b1")
        told = api.post("/api/poison/replay", json={"all": True}).json()
        assert (told["done"], told["already"]) == (4, 0)
        assert [(left["count"], left["reason"][:22]) for left in told["left"]] == [
            (3, "batch b1 was cancelled")
        ]

    @pytest.mark.parametrize("verb", ["replay", "drop"])
    def test_everything_must_be_asked_for_in_words(self, api: TestClient, verb: str) -> None:
        for asked in ({}, {"queue": "", "limit": 5}, {"reasons": "x"}, {"all": True, "limit": 101}):
            assert api.post(f"/api/poison/{verb}", json=asked).status_code == 422
        assert len(api.get("/api/poison").json()) == 7
        assert api.post(f"/api/poison/{verb}", json={"all": True}).json()["done"] == 7
        assert api.get("/api/poison").json() == []

    def test_a_newer_run_is_replaced_with_force_only(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        services.submissions.submitted(("b0", "j0"), "another")
        refused = api.post("/api/poison/ocr.m0/replay")
        assert (refused.status_code, "was sent since" in refused.json()["detail"]) == (409, True)
        assert api.post("/api/poison/ocr.m0/replay?force=true").status_code == 202

    def test_a_cancelled_batch_is_told(self, services: MemoryServices, api: TestClient) -> None:
        services.cancellations.cancel("b0")
        refused = api.post("/api/poison/ocr.m0/replay?force=true")
        assert refused.status_code == 422
        assert "batch b0 was cancelled" in refused.json()["detail"]


class TestPage:
    def test_it_shows_what_fits_and_escapes_it(self, api: TestClient) -> None:
        page = api.get("/operations/poison?reason=odd").text
        assert "<code>ocr.m4</code>" in page
        assert "ocr.m0" not in page
        assert "&lt;b&gt;odd" in page
        assert "4 fit" in page
        assert '<option value="exhausted"' in page

    def test_it_shows_a_body(self, api: TestClient) -> None:
        part = api.get("/operations/poison/ocr.m0").text
        assert "a new run of the job begins at ocr" in part
        assert "&#34;id&#34;: &#34;j0&#34;" in part

    def test_one_is_replayed_and_one_dropped(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        part = api.post("/operations/poison/ocr.m0/replay", data={"queue": "ocr"}).text
        assert ("1 put back." in part, "ocr.m4" in part, "ocr.m0" in part) == (True, True, False)
        part = api.post("/operations/poison/ocr.m4/drop", data={"queue": "ocr"}).text
        assert ("1 dropped." in part, "Nothing fits." in part) == (True, True)
        assert services.queues.count("ocr") == 1

    def test_all_that_fit_are_replayed_and_no_others(self, api: TestClient) -> None:
        meant = {"reason": "timeout", "kind": "", "queue": ""}
        part = api.post("/operations/poison/replay", data=meant).text
        assert "3 put back." in part
        assert len(api.get("/api/poison").json()) == 4

    def test_an_empty_form_means_nothing(self, api: TestClient) -> None:
        before = api.get("/api/poison").json()
        for verb in ("replay", "drop"):
            assert api.post(f"/operations/poison/{verb}", data={}).status_code == 422
        assert api.get("/api/poison").json() == before
        page = api.get("/operations/poison").text
        assert '<input type="hidden" name="all" value="true">' in page

    def test_more_than_a_request_does_are_gone_on_with(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        for number in range(100, 250):
            services.poison.add(PoisonEntry("ocr", f"x{number}", "many", "x"))
        part = api.post("/operations/poison/drop", data={"reason": "many"}).text
        assert "100 dropped." in part
        cursor = re.search('name="cursor" value="([^"]+)"', part)
        assert cursor is not None
        assert 'hx-trigger="load"' in part
        going_on = {"reason": "many", "cursor": cursor[1], "done": "100"}
        part = api.post("/operations/poison/drop", data=going_on).text
        assert ("150 dropped." in part, 'hx-trigger="load"' in part) == (True, False)

    def test_rows_go_on_page_by_page(self, services: MemoryServices, api: TestClient) -> None:
        for number in range(60):
            services.poison.add(PoisonEntry("zzz", f"x{number:02}", "many&more", "x"))
        page = api.get("/operations/poison?reason=many%26more").text
        assert "zzz.x49" in page
        assert "zzz.x50" not in page
        following = re.search('hx-get="(/operations/poison[?][^"]+)"', page)
        assert following is not None
        rows = api.get(following[1].replace("&amp;", "&")).text
        assert ("zzz.x59" in rows, "zzz.x49" in rows, "<html" in rows) == (True, False, False)

    def test_a_page_counts_up_to_a_thousand(
        self, services: MemoryServices, api: TestClient
    ) -> None:
        for number in range(1005):
            services.poison.add(PoisonEntry("zzz", f"x{number}", "many", "x"))
        assert "1000+ fit" in api.get("/operations/poison?queue=zzz").text
        assert "Poison inbox (1000+)" in api.get("/operations").text

    def test_operations_tell_how_many_there_are(self, api: TestClient) -> None:
        assert "Poison inbox (7)" in api.get("/operations").text
        assert api.get("/api/operations").json()["poisoned"] == 7


def test_other_sites_and_lesser_roles_change_nothing(services: MemoryServices) -> None:
    for verb in ("replay", "drop"):
        for address in (f"/api/poison/{verb}", f"/operations/poison/{verb}"):
            forged = client(services).post(address, headers={"Sec-Fetch-Site": "cross-site"})
            assert forged.status_code == 403
            shut = client(services, "platform")
            assert shut.post(address, headers=principal("caseworker")).status_code == 403
    assert len(services.poison.list()) == 7
