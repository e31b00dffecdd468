"""What people do through API and pages is in the audit trail, under their names."""

import uuid
from typing import Any

import pytest

from imaginem.errors import StorageUnavailable
from imaginem.ports import AuditSubject, CoreSettings
from imaginem.testing import MemoryServices, photo_bytes
from imaginem.usecases.audit.chain import hash_of
from tests.dashboard import PIPELINE, client, enrol, keep, principal, web_services

KEY = ("spring", "family")
PHOTO = {"file": ("a.png", photo_bytes(), "image/png")}
ANNA = principal("operator", name="anna@example.org")


@pytest.fixture
def services() -> MemoryServices:
    made = web_services()
    keep(made, KEY)
    return made


def told(services: MemoryServices) -> list[tuple[str, str, str]]:
    """Return who did what to what."""
    return [(entry.who, entry.deed, entry.kind) for entry in services.audit_trail.read()]


DEEDS = [
    ("GET", "/api/jobs/spring/family", ("viewed", "job")),
    ("GET", "/photos/spring/family", ("viewed", "job")),
    ("GET", "/photos/spring/family/file", ("viewed", "job")),
    ("GET", "/api/images/spring/family/thumbnail", ("viewed", "job")),
    ("GET", "/api/images/spring/family/view", ("viewed", "job")),
    ("GET", "/api/images/spring/family/exif", ("viewed", "job")),
    ("GET", "/api/images/spring/family/original", ("downloaded", "job")),
    ("GET", "/api/images", ("searched", "photos")),
    ("GET", "/photos", ("searched", "photos")),
    ("GET", "/photos/cards?batch=spring", ("searched", "batch")),
    ("GET", "/api/batches/spring", ("viewed", "batch")),
    ("GET", "/batches/spring", ("viewed", "batch")),
    ("GET", "/api/batches/spring/export", ("exported", "batch")),
    ("POST", "/api/jobs/spring/family/retry", ("ran_again", "job")),
    ("DELETE", "/api/jobs/spring/family", ("erased", "job")),
    ("DELETE", "/api/batches/spring", ("erased", "batch")),
    ("POST", "/batches/spring/erase", ("erased", "batch")),
    ("POST", "/batches/spring/cancel", ("cancelled", "batch")),
    ("POST", "/api/batches/spring/reopen", ("reopened", "batch")),
]


@pytest.mark.parametrize(
    ("method", "address", "deed"), DEEDS, ids=[f"{m} {a}" for m, a, _ in DEEDS]
)
def test_who_did_it_is_recorded(
    services: MemoryServices, method: str, address: str, deed: tuple[str, str]
) -> None:
    browser = client(services, "platform", **ANNA)
    answer = browser.request(method, address, headers={"Origin": "http://testserver"})
    assert answer.status_code < 300, answer.text
    assert told(services) == [("anna@example.org", *deed)]
    entry = next(services.audit_trail.read())
    batch = hash_of(services.installation_key, AuditSubject.BATCH, "spring")
    assert entry.batch == (batch if deed[1] != "photos" else "")
    assert "spring" not in repr(entry) and "family" not in repr(entry)


def test_faces_are_recorded(services: MemoryServices) -> None:
    (face,) = enrol(services, KEY, 1)
    browser = client(services, "platform", **ANNA)
    assert browser.get(f"/api/faces/{face}/matches").status_code == 200
    assert browser.post("/api/faces/search", files=PHOTO).status_code == 200
    assert [deed for _, deed, _ in told(services)] == ["viewed", "searched_faces"]
    entry = next(services.audit_trail.read())
    assert entry.subject == hash_of(services.installation_key, AuditSubject.FACE, str(face))


MESSAGE = {
    "job_definition": {
        "id": "family",
        "batch_id": "spring",
        "input": {"image_url": "https://example.org/a.png"},
    }
}
SENT: list[tuple[str, dict[str, Any]]] = [
    ("/api/batches/spring/images", {"files": PHOTO}),
    ("/api/jobs", {"json": MESSAGE}),
]


@pytest.mark.parametrize(("address", "sent"), SENT, ids=[address for address, _ in SENT])
class TestSending:
    def test_who_sends_photos_is_recorded_once_for_many(
        self, services: MemoryServices, address: str, sent: dict[str, Any]
    ) -> None:
        browser = client(services, "platform", **ANNA)
        for _ in range(3):
            assert browser.post(address, **sent).status_code < 300
        assert told(services) == [("anna@example.org", "submitted", "batch")]

    def test_who_guesses_the_batch_of_another_group_is_recorded_and_gets_no_more(
        self, address: str, sent: dict[str, Any]
    ) -> None:
        services = web_services()
        services.batches.open_batch("spring", "red")
        eve = client(services, "platform", **principal("caseworker", name="eve"))
        answer = eve.post(address, **sent)
        assert answer.status_code == 404
        assert answer.json()["detail"] == "there is no batch spring"
        assert told(services) == [("eve", "refused", "batch")]


def test_nothing_is_recorded_of_what_does_not_happen(services: MemoryServices) -> None:
    browser = client(services, "platform", **principal("viewer", name="ben"))
    for method, address, status in (
        ("GET", "/api/images/spring/family/original", 403),
        ("DELETE", "/api/batches/spring", 403),
        ("GET", "/api/jobs/spring/nobody", 404),
        ("GET", f"/api/faces/{uuid.uuid4()}/matches", 404),
    ):
        assert browser.request(method, address).status_code == status, address
    assert told(services) == []


def test_what_can_not_be_recorded_is_not_shown_and_not_done(services: MemoryServices) -> None:
    services.audit = Deaf()
    browser = client(services)
    assert browser.get("/api/images/spring/family/view").status_code == 503
    assert browser.delete("/api/jobs/spring/family").status_code == 503
    assert services.results.read(KEY) is not None


class Deaf:
    """An audit log whose storage does not answer."""

    def record(self, *told: object) -> None:
        raise StorageUnavailable("table pipelineaudit: no answer")


def test_a_purpose_is_asked_for_where_some_are_set(services: MemoryServices) -> None:
    settings = services.core_settings
    services.core_settings = CoreSettings(settings.default_pipeline, purposes=("tracing",))
    browser = client(services)
    for address in ("/api/batches/spring/export", "/api/images/spring/family/original"):
        refused = browser.get(address)
        assert refused.status_code == 422 and "one of tracing" in refused.json()["detail"]
        assert browser.get(address, headers={"X-Purpose": "tracing"}).status_code == 200
        assert browser.get(address, params={"purpose": "tracing"}).status_code == 200
    assert browser.post("/api/faces/search", files=PHOTO).status_code == 422
    assert {entry.purpose for entry in services.audit_trail.read()} == {"tracing"}


class TestReading:
    def test_operators_page_through_a_day_latest_first(self, services: MemoryServices) -> None:
        browser = client(services, "platform", **ANNA)
        for _ in range(5):
            browser.get("/api/images")
        answers: list[Any] = []
        cursor = ""
        while cursor or not answers:
            answers.append(browser.get("/api/audit", params={"limit": 2, "cursor": cursor}).json())
            cursor = answers[-1]["cursor"]
        entries = [entry for answer in answers for entry in answer["entries"]]

        assert [len(answer["entries"]) for answer in answers] == [2, 2, 2]
        assert [entry["number"] for entry in entries] == [6, 5, 4, 3, 2, 1]
        assert [entry["deed"] for entry in entries] == ["read_audit", *["searched"] * 5]

    def test_a_job_is_asked_for_by_its_id_which_the_trail_does_not_have(
        self, services: MemoryServices
    ) -> None:
        keep(services, ("spring", "other"))
        browser = client(services, "platform", **ANNA)
        for job in ("family", "other"):
            browser.get(f"/api/jobs/spring/{job}")
        of_job = browser.get("/api/audit", params={"batch": "spring", "job": "family"}).json()
        of_batch = browser.get("/api/audit", params={"batch": "spring"}).json()
        of_deed = browser.get("/api/audit", params={"deed": "erased"}).json()
        of_day = browser.get("/api/audit", params={"day": "2020-01-31"}).json()
        assert [len(a["entries"]) for a in (of_job, of_batch, of_deed, of_day)] == [1, 2, 0, 0]
        assert browser.get("/api/audit", params={"job": "family"}).status_code == 422

    def test_a_wrong_question_is_told(self, services: MemoryServices) -> None:
        browser = client(services)
        for wrong in ({"cursor": "x"}, {"day": "9999-12-31"}, {"deed": "stole"}, {"day": "x"}):
            assert browser.get("/api/audit", params=wrong).status_code in (400, 422), wrong

    def test_the_page_shows_who_did_what_and_only_to_operators(
        self, services: MemoryServices
    ) -> None:
        ben = client(services, "platform", **principal("caseworker", name="<b>ben", groups=("g",)))
        ben.get("/api/jobs/spring/family")
        for address in ("/operations/audit", "/api/audit"):
            assert ben.get(address).status_code == 403
        page = client(services, "platform", **ANNA).get("/operations/audit").text
        assert "&lt;b&gt;ben" in page and "viewed" in page and "read the audit trail" in page
        assert "family" not in page

    def test_operators_see_what_was_done_in_every_group(self, services: MemoryServices) -> None:
        services.batches.open_batch("theirs", "group-1")
        keep(services, ("theirs", "photo"))
        own = client(services, "platform", **principal("viewer", name="ben", groups=("group-1",)))
        other = client(services, "platform", **principal("viewer", name="eve", groups=("group-2",)))
        assert own.get("/api/jobs/theirs/photo").status_code == 200
        assert other.get("/api/jobs/theirs/photo").status_code == 404
        answer = client(services, "platform", **ANNA).get("/api/audit", params={"batch": "theirs"})
        assert [entry["who"] for entry in answer.json()["entries"]] == ["ben"]


def test_pages_ask_for_a_purpose_where_some_are_set(services: MemoryServices) -> None:
    pages = ("/faces", "/batches/spring", "/photos/spring/family")
    browser = client(services)
    for page in pages:
        assert 'name="purpose"' not in browser.get(page).text
    services.core_settings = CoreSettings(PIPELINE, purposes=("tracing",))
    for page in pages:
        assert 'name="purpose" required' in browser.get(page).text
    same = {"Origin": "http://testserver"}
    refused = browser.post("/faces/search", files=PHOTO, headers=same)
    assert refused.status_code == 422
    found = browser.post("/faces/search", files=PHOTO, data={"purpose": "tracing"}, headers=same)
    assert found.status_code == 200
    assert list(services.audit_trail.read())[-1].purpose == "tracing"
