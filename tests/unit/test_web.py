"""Who may call the API and the pages, and what every answer carries."""

import base64
import json
import re
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from imaginem.errors import PermanentError, RetryableError, StorageUnavailable
from imaginem.pipeline.steps import default_registry
from imaginem.testing import Failing, MemoryServices, run_all
from imaginem.web.access import caller_of
from tests.dashboard import client, face, keep, pair, principal, send_photo, web_services


@pytest.fixture
def services() -> MemoryServices:
    return web_services()


@pytest.fixture
def platform(services: MemoryServices) -> TestClient:
    return client(services, "platform")


@pytest.fixture
def local(services: MemoryServices) -> TestClient:
    return client(services)


class TestRoles:
    def test_health_is_for_everybody(self, services: MemoryServices) -> None:
        for access in ("local", "health", "platform"):
            assert client(services, access).get("/api/health").status_code == 200

    def test_with_health_alone_nothing_else_answers(self, services: MemoryServices) -> None:
        shut = client(services, "health")
        for address in ("/api/pipeline/steps", "/api/docs", "/photos", "/"):
            assert shut.get(address, headers=principal("operator")).status_code == 403

    def test_the_platform_lets_in_whom_it_knows_and_who_has_a_role(
        self, platform: TestClient
    ) -> None:
        assert platform.get("/api/images").status_code == 401
        assert platform.get("/api/images", headers=principal()).status_code == 403
        for role in ("viewer", "caseworker", "operator"):
            assert platform.get("/api/images", headers=principal(role)).status_code == 200
        assert platform.get("/api/poison", headers=principal("caseworker")).status_code == 403
        assert platform.get("/api/poison", headers=principal("operator")).status_code == 200

    def test_programs_with_an_app_role_are_known_by_their_id(self, platform: TestClient) -> None:
        claims = [{"typ": "roles", "val": "caseworker"}, {"typ": "appid", "val": "app-1"}]
        header = base64.b64encode(json.dumps({"claims": claims}).encode()).decode()
        told = platform.get("/api/me", headers={"X-MS-CLIENT-PRINCIPAL": header}).json()
        assert told == {"name": "app-1", "role": "caseworker"}

    @pytest.mark.parametrize("header", ["", "nonsense", base64.b64encode(b"[]").decode(), "e30="])
    def test_a_header_that_is_none_is_nobody(self, header: str) -> None:
        assert caller_of(header) is None

    @pytest.mark.parametrize("address", ["/api/images/b/one/exif", "/photos/b/one/file"])
    def test_where_a_photo_was_taken_is_for_caseworkers(
        self, services: MemoryServices, platform: TestClient, address: str
    ) -> None:
        keep(services, ("b", "one"))
        viewer, caseworker = principal("viewer"), principal("caseworker")
        assert platform.get(address, headers=viewer).status_code == 200
        assert platform.get(f"{address}?gps=true", headers=viewer).status_code == 403
        assert platform.get(f"{address}?gps=true", headers=caseworker).status_code == 200

    def test_pages_offer_only_what_the_caller_may_do(
        self, services: MemoryServices, platform: TestClient
    ) -> None:
        keep(services, ("b", "one"))
        shown = platform.get("/photos/b/one", headers=principal("viewer")).text
        assert "/erase" not in shown
        assert "/operations" not in shown
        assert "/erase" in platform.get("/photos/b/one", headers=principal("caseworker")).text


class TestGroups:
    @pytest.fixture(autouse=True)
    def _two_groups(self, services: MemoryServices) -> None:
        services.batches.open_batch("red", "red-group")
        keep(services, ("red", "one"), {"generalclassification": _tagged("secret")})
        keep(services, ("open", "two"), {"generalclassification": _tagged("public")})
        self.faces = face(services, ("red", "one")), face(services, ("open", "two"))
        pair(services, *self.faces)

    @pytest.mark.parametrize(
        "address",
        [
            "/api/batches/red",
            "/api/batches/red/export",
            "/api/jobs/red/one",
            "/api/images/red/one/thumbnail",
            "/api/images/red/one/view",
            "/api/images/red/one/exif",
            "/batches/red",
            "/batches/red/progress",
            "/photos/red/one",
            "/photos/red/one/file",
        ],
    )
    def test_a_groups_batch_is_not_there_for_others(
        self, platform: TestClient, address: str
    ) -> None:
        assert platform.get(address, headers=principal("caseworker")).status_code == 404
        mine = principal("viewer", groups=("red-group",))
        assert platform.get(address, headers=mine).status_code == 200
        assert platform.get(address, headers=principal("operator")).status_code == 200

    def test_lists_leave_it_out(self, platform: TestClient) -> None:
        others, mine = principal("caseworker"), principal("viewer", groups=("red-group",))
        for address, seen in (
            ("/api/images", '"job_id":"one"'),
            ("/api/tags", "secret"),
            ("/api/batches", '"red"'),
            (f"/api/faces/{self.faces[1]}/matches", '"red"'),
            ("/photos", "/photos/red/one"),
            ("/photos/facets", "secret"),
            ("/faces", str(self.faces[0])),
        ):
            assert seen not in platform.get(address, headers=others).text, address
            assert seen in platform.get(address, headers=mine).text, address

    def test_its_faces_can_be_neither_seen_nor_judged_by_others(self, platform: TestClient) -> None:
        hidden, shown = self.faces
        headers = principal("caseworker")
        for address in (f"/api/faces/{hidden}/image", f"/api/faces/{hidden}/matches"):
            assert platform.get(address, headers=headers).status_code == 404
        judged = platform.put(
            f"/api/faces/{shown}/matches/{hidden}/verdict",
            json={"verdict": "confirmed"},
            headers=headers,
        )
        assert judged.status_code == 404

    def test_nobody_makes_a_batch_for_a_group_he_is_not_in(self, platform: TestClient) -> None:
        from imaginem.testing import photo_bytes

        def send(group: str, **more: tuple[str, ...]) -> int:
            answer = platform.post(
                "/api/batches/new/images",
                files={"file": ("a.png", photo_bytes(), "image/png")},
                data={"group": group},
                headers=principal("caseworker", **more),  # type: ignore[arg-type]
            )
            return answer.status_code

        assert send("blue") == 422
        assert send("blue", groups=("blue",)) == 201
        assert send("red", groups=("red",)) == 404  # it is the blue group's by now


def _tagged(name: str) -> dict[str, object]:
    return {"tags": [{"name": name, "confidence": 0.9}]}


class TestHonesty:
    """What nobody looked for never reads as what was not found."""

    def shown(self, services: MemoryServices, local: TestClient, **more: object) -> str:
        metadata = {"width": 1, "height": 1, "format": "PNG"}
        keep(services, ("b", "one"), {"generalclassification": {"metadata": metadata, **more}})
        return local.get("/photos/b/one").text

    def test_a_page_says_which_parts_the_engine_did_not_look_for(
        self, services: MemoryServices, local: TestClient
    ) -> None:
        page = self.shown(services, local, not_looked_for=["objects"], unanswered=["tags"])
        assert page.count("The engine did not look for it.") == 2
        assert "<h2>Objects</h2><p>The engine did not look for it." in page

    def test_an_engine_that_looked_and_found_nothing_is_not_blamed(
        self, services: MemoryServices, local: TestClient
    ) -> None:
        page = self.shown(services, local)
        assert "did not look for it" not in page
        assert "Nothing found." in page

    def test_objects_that_nobody_looked_for_are_not_counted_as_none(
        self, services: MemoryServices, local: TestClient
    ) -> None:
        assert "Objects (?)" in self.shown(services, local, not_looked_for=["objects"])
        assert "Objects (0)" in self.shown(services, local)

    def test_photos_that_are_at_work_are_not_told_as_absent(
        self, services: MemoryServices, local: TestClient
    ) -> None:
        assert "There are no photos yet." in local.get("/photos").text
        send_photo(services, ("b", "one"), ("ocr", "pipelineoutput"))
        page = local.get("/photos").text
        assert "No photo has a result yet." in page
        assert "There are no photos" not in page

    def test_problems_that_are_left_out_are_counted(
        self, services: MemoryServices, local: TestClient
    ) -> None:
        services.ocr = Failing(PermanentError("no text engine"))
        for number in range(52):
            send_photo(services, ("b", f"{number}"), ("ocr",))
        run_all(services, default_registry)
        assert "2 more photos with problems are not shown." in local.get("/batches/b").text

    def test_a_batch_shows_photos_by_their_files_and_ids_where_two_have_one_name(
        self, services: MemoryServices, local: TestClient
    ) -> None:
        for job, name in (("1", "boat.jpg"), ("2", "tent.jpg"), ("3", "tent.jpg"), ("4", None)):
            services.submissions.submitted(("b", job), f"run {job}", {"original_name": name})
        page = local.get("/batches/b").text
        assert '<a href="/photos/b/1" title="1"><bdi>boat.jpg</bdi></a> <' in page
        tent = '<a href="/photos/b/2" title="2"><bdi>tent.jpg</bdi></a> <small><bdi>2</bdi></small>'
        assert tent in page
        assert '<a href="/photos/b/4" title="4"><bdi>4</bdi></a>' in page
        assert "<small><bdi>1</bdi></small>" not in page

    def test_a_page_of_a_job_that_waits_says_that_nobody_has_looked_yet(
        self, services: MemoryServices, local: TestClient
    ) -> None:
        send_photo(services, ("b", "one"), ("ocr", "pipelineoutput"))
        page = local.get("/photos/b/one").text
        assert page.count("Not looked for yet: ") == 4
        assert "Not looked for yet: the job waits for its first step." in page
        assert "othing found" not in page
        assert "Nobody" not in page

    def test_a_page_says_of_each_step_why_it_has_not_looked(
        self, services: MemoryServices, local: TestClient
    ) -> None:
        services.ocr = Failing(PermanentError("no text engine"))
        send_photo(services, ("b", "one"), ("ocr", "facedetection", "pipelineoutput"))
        run_all(services, default_registry)
        page = local.get("/photos/b/one").text
        assert "Not looked for: ocr failed. no text engine" in page
        assert "Not looked for: facematch is no step of this job." in page
        assert "Words (?)" in page
        assert "Faces (?)" not in page

    def test_a_face_that_nobody_has_compared_yet_is_not_called_unlike_all_others(
        self, services: MemoryServices, local: TestClient
    ) -> None:
        shown = face(services, ("b", "one"))
        keep(services, ("b", "one"), unsuccessful=["facematch"])
        page = local.get(f"/faces?face={shown}").text
        assert "Not looked for: facematch failed." in page
        assert "Nobody" not in page

    def test_a_page_says_how_a_photo_was_turned_and_nothing_if_it_was_not(
        self, services: MemoryServices, local: TestClient
    ) -> None:
        turn = {"degrees": 90, "confidence": 0.9}
        where = {"left": 1, "top": 1, "width": 3, "height": 3}
        found = {"face_rectangle": where, "turn": turn}
        keep(services, ("b", "one"), {"ocr": {"turn": turn}, "facedetection": {"faces": [found]}})
        keep(services, ("b", "two"), {"ocr": {"turn": {**turn, "degrees": 0}}})

        assert local.get("/photos/b/one").text.count("Looked at turned clockwise by 90°.") == 2
        assert "Looked at turned" not in local.get("/photos/b/two").text

    def test_operations_tells_until_when_a_service_answers(self) -> None:
        services = web_services()
        services.engine_notes = {"vision": "it ends on 2028-09-25"}
        local = client(services)
        assert "it ends on 2028-09-25" in local.get("/operations").text
        told = local.get("/api/operations").json()
        assert told["engine_notes"] == {"vision": "it ends on 2028-09-25"}


def test_the_page_sends_steps_in_the_order_of_the_usual_pipeline() -> None:
    services = web_services()
    usual = ("ocr", "generalclassification", "facedetection", "facecrop", "pipelineoutput")
    services.core_settings = replace(services.core_settings, default_pipeline=usual)
    page = client(services).get("/upload").text
    boxes = re.findall(r'name="step" value="(\w+)" (checked)?', page)
    assert [name for name, checked in boxes if checked] == list(usual)
    assert {name for name, _ in boxes} == set(default_registry.names())


class TestForgery:
    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_what_another_sites_page_sends_is_refused(self, local: TestClient, site: str) -> None:
        answer = local.post("/api/batches/b/cancel", headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"

    def test_older_browsers_tell_by_origin(self, local: TestClient) -> None:
        evil = local.post("/api/batches/b/cancel", headers={"Origin": "https://evil.test"})
        own = local.post("/api/batches/b/cancel", headers={"Origin": "http://testserver"})
        assert (evil.status_code, own.status_code) == (403, 404)

    def test_reading_is_free_of_it_and_programs_send_neither(self, local: TestClient) -> None:
        assert local.get("/api/tags", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
        assert local.post("/api/pipeline/resolve", json={"steps": ["ocr"]}).status_code == 200

    def test_every_answer_has_the_policy(self, local: TestClient) -> None:
        for address in ("/upload", "/api/tags", "/api/none", "/static/app.js"):
            headers = local.get(address).headers
            assert "script-src 'self'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
        assert local.get("/photos").headers["cache-control"] == "no-store"


def test_only_a_file_with_its_version_is_kept_for_good(local: TestClient) -> None:
    page = local.get("/upload").text
    versioned = re.findall(r"/static/app\.js\?v=\w+", page)[0]
    assert "immutable" in local.get(versioned).headers["cache-control"]
    # Another version's address, as a page of an app that is being replaced has it, gets this
    # version's file: kept for a year, it would be wrong.
    for address in ("/static/app.js", "/static/app.js?v=0", "/static/icon.svg?v="):
        assert local.get(address).headers["cache-control"] == "no-cache"
    assert local.get("/favicon.ico", follow_redirects=False).headers["cache-control"] == "no-store"


class TestProblems:
    def test_a_browser_gets_a_page_and_a_program_a_document(self, local: TestClient) -> None:
        page = local.get("/photos/b/none", headers={"Accept": "text/html"})
        assert "there is no job none" in page.text
        assert page.status_code == 404
        told = local.get("/api/jobs/b/none", headers={"Accept": "text/html"}).json()
        assert told["status"] == 404
        assert "there is no job none" in told["detail"]

    def test_a_wrong_field_is_named(self, local: TestClient) -> None:
        told = local.get("/api/images?limit=no").json()
        assert told["field"] == "limit"
        assert local.get("/api/images?cursor=nonsense").json()["status"] == 422

    @pytest.mark.parametrize("problem", [RetryableError("SQL is down"), StorageUnavailable("away")])
    def test_what_may_pass_says_when_to_come_again(
        self, services: MemoryServices, local: TestClient, problem: Exception
    ) -> None:
        def fail(*_: object) -> None:
            raise problem

        services.catalogue.photos = fail  # type: ignore[assignment,method-assign]
        answer = local.get("/api/images")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert answer.json()["detail"] == str(problem)

    def test_a_defect_tells_no_details(self, services: MemoryServices, local: TestClient) -> None:
        def fail(*_: object) -> None:
            raise KeyError("hunter2")

        services.catalogue.photos = fail  # type: ignore[assignment,method-assign]
        answer = local.get("/api/images")
        assert answer.status_code == 500
        assert "hunter2" not in answer.text
